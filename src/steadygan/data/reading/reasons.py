"""Why a file is not an image, in words: what it really is, or how it is damaged."""

from __future__ import annotations

import re

from PIL import Image, UnidentifiedImageError

_CONVERT = "save it as JPEG or PNG"
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "is a Git LFS pointer and not the image itself; fetch the images with 'git lfs pull'"),
    (b"/annex/objects/", "is a git-annex pointer and not the image itself; fetch the images with 'git annex get'"),
    (b"%PDF", f"is a PDF document; {_CONVERT}"),
    (b"\xff\x0a", f"is a JPEG XL image, which Pillow cannot read; {_CONVERT}"),
    (b"\x00\x00\x00\x0cJXL ", f"is a JPEG XL image, which Pillow cannot read; {_CONVERT}"),
    (b"PK\x03\x04", "is a zip archive; unpack it, or give it as a source of its own"),
    (b"\x1f\x8b", "is a gzip archive; unpack it"),
    (b"Rar!", "is a RAR archive; unpack it"),
    (b"7z\xbc\xaf", "is a 7z archive; unpack it"),
    (b"II*\x00", "is a TIFF that is damaged or of a kind that Pillow cannot read; save its colour bands as 8-bit RGB"),
    (b"MM\x00*", "is a TIFF that is damaged or of a kind that Pillow cannot read; save its colour bands as 8-bit RGB"),
    (b"\x89PNG", "is a damaged PNG"),
    (b"\xff\xd8\xff", "is a damaged JPEG"),
    (b"GIF8", "is a damaged GIF"),
    (b"RIFF", "is a damaged WebP or no image at all"),
)
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"})
_WEB = (b"<!doctype html", b"<html", b"<head", b"<body")
_DRAWING = (b"<svg", b"<?xml")


def explain(data: bytes, problem: Exception) -> str:
    """One sentence about why these bytes gave no image: what they are, or else what the decoder said."""
    if not data:
        return "is empty (0 bytes)"
    if isinstance(problem, MemoryError):
        return "needs more memory than there is; make it smaller or cut it into tiles first"
    if isinstance(problem, Image.DecompressionBombError):
        claimed = re.search(r"\d[\d×]* pixels", str(problem))
        return f"claims to be too large ({claimed and claimed[0]}); make it smaller or cut it into tiles first"
    if isinstance(problem, UnidentifiedImageError):
        return _what_it_is(data)
    text = " ".join(str(problem).split()) or type(problem).__name__
    if "truncated" in text.lower():
        return f"is cut short or damaged ({text}); get it again"
    return f"is damaged or of a kind that Pillow cannot read ({text})"


def _what_it_is(data: bytes) -> str:
    for magic, words in _MAGIC:
        if data.startswith(magic):
            return words
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        return f"is a HEIC/HEIF image, which Pillow cannot read; {_CONVERT}"
    if start.startswith(_WEB):
        return "is a web page (HTML) and no image; the download went wrong, get it again"
    if start.startswith(_DRAWING):
        return f"is an SVG drawing or other XML; {_CONVERT}"
    if not data.strip(b"\0"):
        return "holds nothing but zero bytes; get it again"
    return "is a text file and no image" if _is_text(data[:1024]) else "is not an image that Pillow knows"


def _is_text(start: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\r\n" for byte in start) and _decodes(start)


def _decodes(start: bytes) -> bool:
    try:
        start[: len(start) - 4 if len(start) > 4 else None].decode()
    except UnicodeDecodeError:
        return False
    return True
