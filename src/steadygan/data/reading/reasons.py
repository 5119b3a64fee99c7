"""Why a file is not an image, in words: what it really is, or how it is damaged."""

from __future__ import annotations

import re
from importlib.util import find_spec

from PIL import Image, UnidentifiedImageError

_CONVERT = "save it as JPEG or PNG"
_MORE = "" if find_spec("rasterio") else "rasterio reads more kinds: pip install 'steadygan[geo]'; "
_WAYS = "get it again, save it as 8-bit RGB, or cut it with --tile"
_TIFF = f"is a TIFF that is damaged or of a kind that cannot be read; {_MORE}{_WAYS}"
TIFFS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
"""How TIFF and BigTIFF begin, with either order of bytes."""

_HEIC = "is a HEIC/HEIF image, which Pillow reads with pillow-heif: pip install 'steadygan[heic]', or save it as JPEG"
_DAMAGED_HEIC = "is a HEIC/HEIF image that is damaged or of a kind that pillow-heif cannot read; get it again"
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "is a Git LFS pointer and not the image itself; fetch the images with 'git lfs pull'"),
    (b"/annex/objects/", "is a git-annex pointer and not the image itself; fetch the images with 'git annex get'"),
    (b"%PDF", f"is a PDF document; {_CONVERT}"),
    (b"%!PS", f"is a PostScript (EPS) drawing; {_CONVERT}"),
    (b"\xc5\xd0\xd3\xc6", f"is a PostScript (EPS) drawing; {_CONVERT}"),
    (b"\xd7\xcd\xc6\x9a", f"is a Windows metafile drawing; {_CONVERT}"),
    (b"\x01\0\0\0\x6c\0\0\0", f"is a Windows metafile drawing; {_CONVERT}"),
    (b"\xff\x0a", f"is a JPEG XL image, which Pillow cannot read; {_CONVERT}"),
    (b"\x00\x00\x00\x0cJXL ", f"is a JPEG XL image, which Pillow cannot read; {_CONVERT}"),
    (b"II\xbc", f"is a JPEG XR image, which Pillow cannot read; {_CONVERT}"),
    (b"v/1\x01", f"is an OpenEXR image, which Pillow cannot read; {_CONVERT}"),
    (b"#?RADIANCE", f"is a Radiance HDR image, which Pillow cannot read; {_CONVERT}"),
    (b"gimp xcf", f"is a GIMP drawing with layers; {_CONVERT}"),
    (b"8BPS", "is a Photoshop document that is damaged or of a kind that Pillow cannot read; save it as JPEG or PNG"),
    (b"FUJIFILMCCD-RAW", f"is a raw photograph; develop it and {_CONVERT}"),
    (b"IIRO", f"is a raw photograph; develop it and {_CONVERT}"),
    (b"IIU\0", f"is a raw photograph; develop it and {_CONVERT}"),
    (b"PK\x03\x04", "is a zip archive; unpack it, or give it as a source of its own"),
    (b"\x1f\x8b", "is a gzip archive; unpack it"),
    (b"BZh", "is a bzip2 archive; unpack it"),
    (b"\xfd7zXZ", "is an xz archive; unpack it"),
    (b"(\xb5/\xfd", "is a Zstandard archive; unpack it"),
    (b"Rar!", "is a RAR archive; unpack it"),
    (b"7z\xbc\xaf", "is a 7z archive; unpack it"),
    (b"\x93NUMPY", "is a NumPy array and no image; save what it holds as PNG"),
    (b"\x89HDF", "is an HDF5 file and no image; save the images in it as PNG"),
    (b"GRIB", "is a GRIB file and no image; save what it holds as PNG"),
    (b"BUFR", "is a BUFR file and no image"),
    (b"SQLite format 3", "is an SQLite database and no image"),
    (b"Salted__", "is encrypted; decrypt it first"),
    (b"-----BEGIN PGP", "is encrypted; decrypt it first"),
    (b"[InternetShortcut]", "is a link to a web page and no image; download what it leads to"),
    (b"\x1aE\xdf\xa3", "is a video; save its frames as images"),
    (b"\0\0\x01\xba", "is a video; save its frames as images"),
    (b"\0\0\x01\xb3", "is a video; save its frames as images"),
    *((magic, _TIFF) for magic in TIFFS),
    (b"\x89PNG", "is a damaged PNG; get it again"),
    (b"\xff\xd8\xff", "is a damaged JPEG; get it again"),
    (b"GIF8", "is a damaged GIF; get it again"),
    (b"BM", "is a BMP that is damaged or of a kind that Pillow cannot read, or no image at all"),
    (b"\0\0\x01\0", "is an icon that is damaged or of a kind that Pillow cannot read"),
    (b"RIFF", "is a damaged WebP or no image at all"),
)
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
_BRANDS: tuple[tuple[frozenset[bytes], str], ...] = (
    (_HEIC_BRANDS, _DAMAGED_HEIC),
    (frozenset({b"avif", b"avis"}), "is an AVIF image that is damaged or that Pillow cannot read here; get it again"),
    (frozenset({b"crx "}), f"is a raw photograph; develop it and {_CONVERT}"),
)
_TEXTS: tuple[tuple[str, str], ...] = (
    (r"<!doctype html|<html|<head|<body", "is a web page (HTML) and no image; the download went wrong, get it again"),
    (r"(<\?xml[^>]*>\s*)?<(error|\w+:error)\b", "is an error message of a web server (XML) and no image; get it again"),
    (r"<svg|<\?xml", f"is an SVG drawing or other XML; {_CONVERT}"),
    (r'[{\[]\s*["{\[\]}]', "is JSON text and no image, perhaps an error message of a web server; get it again"),
)


def is_readable_elsewhere(start: bytes) -> bool:
    """Whether a file that Pillow does not know is a picture nevertheless: HEIC, or an odd TIFF (its first 12 bytes)."""
    return start.startswith(TIFFS) or is_heic(start)


def is_heic(data: bytes) -> bool:
    """Whether these are the first bytes of a HEIC or HEIF picture."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS


def explain(data: bytes, problem: Exception) -> str:
    """One sentence about why these bytes gave no image: what they are, or else what the decoder said."""
    if not data:
        return "is empty (0 bytes)"
    if isinstance(problem, MemoryError):
        return "needs more memory than there is; make it smaller, or cut it into tiles with --tile"
    if isinstance(problem, Image.DecompressionBombError):
        claimed = re.search(r"\d[\d×]* pixels", str(problem))
        return f"claims to be too large ({claimed and claimed[0]}); cut it into tiles with --tile, or make it smaller"
    if isinstance(problem, UnidentifiedImageError):
        return _what_it_is(data)
    return _what_was_said(data, " ".join(str(problem).split())[:200] or type(problem).__name__)


def _what_was_said(data: bytes, text: str) -> str:
    if "truncated" in text.lower():
        return f"is cut short or damaged ({text}); get it again"
    if data.startswith(TIFFS):
        return f"{_TIFF} ({text})"
    return f"is damaged or of a kind that Pillow cannot read ({text}); get it again, or {_CONVERT}"


def _what_it_is(data: bytes) -> str:
    if not data.strip(b"\0"):
        return "holds nothing but zero bytes; get it again"
    for magic, words in _MAGIC:
        if data.startswith(magic):
            return words
    if data[4:8] == b"ftyp":
        return _container(data)
    if data[128:132] == b"DICM":
        return "is a DICOM file; save its picture as PNG"
    if data[257:262] == b"ustar":
        return "is a tar archive; unpack it"
    return _text(data[:1024]) or "is not an image that Pillow knows"


def _container(data: bytes) -> str:
    if is_heic(data) and "HEIF" not in Image.OPEN:
        return _HEIC
    return next((words for brands, words in _BRANDS if data[8:12] in brands), "is a video; save its frames as images")


def _text(start: bytes) -> str | None:
    readable = start.decode(errors="ignore").lstrip("\ufeff \t\r\n").lower()
    for pattern, words in _TEXTS:
        if re.match(pattern, readable):
            return words
    return "is a text file and no image" if _is_text(start) else None


def _is_text(start: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\r\n" for byte in start) and _decodes(start)


def _decodes(start: bytes) -> bool:
    try:
        start[: len(start) - 4 if len(start) > 4 else None].decode()
    except UnicodeDecodeError:
        return False
    return True
