"""What an image file is, by its first bytes, and whether it can only be decoded as a whole."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from PIL import JpegImagePlugin, UnidentifiedImageError

from steadygan.data.reading.reasons import TIFFS, explain, is_heic
from steadygan.errors import DataError

MAX_WHOLE = 256 * 2**20
"""Bytes of decoded image that are held in memory at most, for a file that cannot be decoded in parts."""

# No driver is among them that reads other files than the one it is given (VRT, WMS, …).
_DRIVERS: dict[str, tuple[bytes, ...]] = {
    "GTiff": TIFFS,
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "JP2OpenJPEG": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    "WEBP": (b"RIFF",),
    "BMP": (b"BM",),
    "GIF": (b"GIF8",),
}


def find_driver(start: Callable[[], IO[bytes]]) -> str:
    """GDAL's name of the format of a file, by the bytes that `start` gives: GDAL is to try no other driver.

    Raises DataError if it is none of those that can be cut.
    """
    try:
        with start() as stream:
            head = stream.read(1024)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error) as problem:
        raise DataError(f"cannot be read ({problem})") from problem
    driver = next((name for name, magics in _DRIVERS.items() if head.startswith(magics)), None)
    if is_heic(head):
        raise DataError("is a HEIC/HEIF image, which cannot be cut into tiles; save it as JPEG or PNG")
    if driver is None or (driver == "WEBP" and head[8:12] != b"WEBP"):
        raise DataError(explain(head, UnidentifiedImageError()))
    return driver


def bytes_at_once(driver: str, size: tuple[int, int], start: Callable[[], IO[bytes]]) -> tuple[int, str]:
    """Memory that decoding any part of an image (width, height) takes, and what it is; 0 if it goes by parts.

    A progressive JPEG takes two bytes for each coefficient, a WebP four for each pixel.
    """
    if driver == "WEBP":
        return 4 * size[0] * size[1], "a WebP"
    if driver != "JPEG":
        return 0, ""
    with suppress(Exception), start() as stream:
        jpeg = JpegImagePlugin.JpegImageFile(stream)
        if jpeg.info.get("progressive"):
            across, down = (max(layer[part] for layer in jpeg.layer) for part in (1, 2))
            shares = sum(layer[1] * layer[2] for layer in jpeg.layer) / (across * down)
            return round(2 * size[0] * size[1] * shares), "a progressive JPEG"
    return 0, ""
