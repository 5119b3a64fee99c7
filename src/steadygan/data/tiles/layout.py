"""Image files that can only be decoded as a whole, found out from their first bytes."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import IO

from PIL import UnidentifiedImageError

from steadygan.data.reading.reasons import explain, is_heic
from steadygan.errors import DataError

MAX_WHOLE = 256 * 2**20
"""Bytes of decoded image that are held in memory at most, for a file that cannot be decoded in parts."""

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
# No driver is among them that reads other files than the one it is given (VRT, WMS, …).
_DRIVERS = (
    *((magic, "GTiff") for magic in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (_PNG, "PNG"),
    (_JPEG, "JPEG"),
    *((magic, "JP2OpenJPEG") for magic in (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
    (b"RIFF", "WEBP"),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
)
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


def find_driver(start: Callable[[], IO[bytes]]) -> str:
    """GDAL's name of the format of a file, by the bytes that `start` gives: GDAL is to try no other driver.

    Raises DataError if it is none of those that can be cut, or an interlaced PNG, a progressive JPEG or a WebP that
    would take too much memory.
    """
    try:
        with start() as stream:
            head = stream.read(1024)
            needed, kind = bytes_at_once(head, stream)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error) as problem:
        raise DataError(f"cannot be read ({problem})") from problem
    driver = next((name for magic, name in _DRIVERS if head.startswith(magic)), None)
    if is_heic(head):
        raise DataError("is a HEIC/HEIF image, which cannot be cut into tiles; save it as JPEG or PNG")
    if driver is None or (driver == "WEBP" and head[8:12] != b"WEBP"):
        raise DataError(explain(head, UnidentifiedImageError()))
    if needed > MAX_WHOLE:
        raise DataError(
            f"is {kind}, which cannot be read in parts and needs {needed / 1e6:,.0f} MB; "
            "save it as a tiled GeoTIFF, or as an ordinary PNG or JPEG"
        )
    return driver


def bytes_at_once(head: bytes, stream: IO[bytes]) -> tuple[int, str]:
    """Memory that decoding any part of a file takes, and the kind of file; 0 if it can be decoded line by line.

    `head` are its first bytes, `stream` gives those that follow.
    """
    if head.startswith(_PNG) and len(head) > 28:
        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head[16:29])
        values = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 4)
        needed = width * height * values * max(1, depth // 8)
        return (needed, "an interlaced PNG") if interlaced else (0, "")
    if head.startswith(_JPEG):
        return _progressive(head[2:], stream), "a progressive JPEG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp(head), "a WebP"
    return 0, ""


def _progressive(rest: bytes, stream: IO[bytes]) -> int:
    """Bytes of all coefficients (two for each) of a progressive JPEG; 0 if it is none."""
    while True:
        rest += stream.read(max(0, 4 - len(rest)))
        if len(rest) < 4 or rest[0] != 0xFF:
            return 0
        marker = rest[1]
        if marker == 0xFF or marker in _BARE:
            rest = rest[1 if marker == 0xFF else 2 :]
            continue
        end = 2 + int.from_bytes(rest[2:4])
        rest += stream.read(max(0, end - len(rest)))
        if marker in _FRAMES:
            return _coefficients(rest[4:end]) if marker in _PROGRESSIVE else 0
        if marker == 0xDA:
            return 0
        rest = rest[end:]


def _coefficients(frame: bytes) -> int:
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        return 0
    height, width, count = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5]), frame[5]
    factors = [divmod(frame[7 + 3 * index], 16) for index in range(count)]
    across, down = max(h for h, _ in factors) or 1, max(v for _, v in factors) or 1
    return round(sum(2 * width * height * h * v / (across * down) for h, v in factors))


def _webp(head: bytes) -> int:
    """Bytes of the whole picture, red, green, blue and alpha; from the header of each of the three kinds of WebP."""
    kind, body = head[12:16], head[20:]
    if kind == b"VP8X":
        width, height = (int.from_bytes(body[at : at + 3], "little") + 1 for at in (4, 7))
    elif kind == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    else:
        width, height = (int.from_bytes(body[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width * height * 4
