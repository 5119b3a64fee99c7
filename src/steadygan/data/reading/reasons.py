"""Why a file is not an image, in words: what it really is, or how it is damaged."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from importlib.util import find_spec

from PIL import Image, UnidentifiedImageError

_CONVERT = "save it as JPEG or PNG"
_MORE = "" if find_spec("rasterio") else "rasterio reads more kinds: pip install 'steadygan[geo]'; "
_WAYS = "get it again, save it as 8-bit RGB, or cut it with --tile"
_TIFF = f"is a TIFF that is damaged or of a kind that cannot be read; {_MORE}{_WAYS}"
_RAW = f"is a raw photograph; develop it and {_CONVERT}"
_VIDEO = "is a video; save its frames as images"
TIFFS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
"""How TIFF and BigTIFF begin, with either order of bytes."""

_HEIC = "is a HEIC/HEIF image, which Pillow reads with pillow-heif: pip install 'steadygan[heic]', or save it as JPEG"
_DAMAGED_HEIC = "is a HEIC/HEIF image that is damaged or of a kind that pillow-heif cannot read; get it again"
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_AVIF = "is an AVIF image that is damaged or that Pillow cannot read here; get it again"
_BRANDS = {b"avif": _AVIF, b"avis": _AVIF, b"crx ": _RAW} | dict.fromkeys(_HEIC_BRANDS, _DAMAGED_HEIC)

_BEGINS: dict[str, tuple[bytes, ...]] = {
    "is a Git LFS pointer and not the image itself; fetch the images with 'git lfs pull'": (b"version https://git",),
    "is a git-annex pointer and not the image itself; fetch the images with 'git annex get'": (b"/annex/objects/",),
    "is a link to a web page and no image; download what it leads to": (b"[InternetShortcut]",),
    "is encrypted; decrypt it first": (b"Salted__", b"-----BEGIN PGP"),
    f"is a PDF document; {_CONVERT}": (b"%PDF",),
    f"is a PostScript (EPS) drawing; {_CONVERT}": (b"%!PS", b"\xc5\xd0\xd3\xc6"),
    f"is a Windows metafile drawing; {_CONVERT}": (b"\xd7\xcd\xc6\x9a", b"\x01\0\0\0\x6c\0\0\0"),
    f"is a JPEG XL image, which Pillow cannot read; {_CONVERT}": (b"\xff\x0a", b"\0\0\0\x0cJXL "),
    f"is an OpenEXR or Radiance image, which Pillow cannot read; {_CONVERT}": (b"v/1\x01", b"#?RADIANCE"),
    f"is a Photoshop or GIMP document that Pillow cannot read; {_CONVERT}": (b"8BPS", b"gimp xcf"),
    _RAW: (b"FUJIFILMCCD-RAW", b"IIRO", b"IIU\0"),
    _VIDEO: (b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3"),
    "is a zip archive; unpack it, or give it as a source of its own": (b"PK\x03\x04",),
    "is a gzip archive; unpack it": (b"\x1f\x8b",),
    "is an archive; unpack it": (b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd", b"Rar!", b"7z\xbc\xaf"),
    "holds an array of numbers and no image; save it as PNG": (b"\x93NUMPY", b"\x89HDF", b"GRIB"),
    _TIFF: TIFFS,
    "is a damaged PNG; get it again": (b"\x89PNG",),
    "is a damaged JPEG; get it again": (b"\xff\xd8\xff",),
    "is a damaged GIF; get it again": (b"GIF8",),
    "is damaged or of a kind that Pillow cannot read, or no image at all": (b"BM", b"\0\0\x01\0", b"RIFF"),
}
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
    for words, magics in _BEGINS.items():
        if data.startswith(magics):
            return words
    if data[4:8] == b"ftyp":
        missing = is_heic(data) and "HEIF" not in Image.OPEN
        return _HEIC if missing else _BRANDS.get(data[8:12], _VIDEO)
    if data[128:132] == b"DICM":
        return "is a DICOM file; save its picture as PNG"
    if data[257:262] == b"ustar":
        return "is a tar archive; unpack it"
    return _text(data[:1024]) or "is not an image that Pillow knows"


def _text(start: bytes) -> str | None:
    readable = start.decode(errors="ignore").lstrip("\ufeff \t\r\n").lower()
    for pattern, words in _TEXTS:
        if re.match(pattern, readable):
            return words
    with suppress(UnicodeDecodeError):
        codecs.getincrementaldecoder("utf-8")().decode(start)  # which may end within a letter
        return "is a text file and no image" if all(byte >= 32 or byte in b"\t\r\n" for byte in start) else None
    return None
