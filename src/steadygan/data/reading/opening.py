"""Opening an image file: which formats, how large, and without a word to the user."""

from __future__ import annotations

import io
import logging
import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from types import TracebackType
from typing import IO, NamedTuple

from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from steadygan.data.reading.reasons import TIFFS
from steadygan.data.reading.tiff import Tiff, TiffPage, read_page
from steadygan.errors import DataError

MAX_PIXELS = 89_478_485
"""Larger images are refused before any pixel is decoded: the size at which Pillow suspects a decompression bomb."""

MAX_JPEG_PIXELS = 2**29
"""A JPEG that is not progressive may be so large if it can be decoded at a fraction: that takes little memory."""

_COMMON = ("JPEG", "PNG", "GIF", "BMP", "PPM")
# EPS and WMF would run another program, the others hold no picture that Pillow itself can decode
_REFUSED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"})

# without any handler Python prints what Pillow reports about damaged files
logging.getLogger("PIL").addHandler(logging.NullHandler())
_STDERR = threading.Lock()


class quiet:  # noqa: N801  a context manager by the name of what it does
    """Keep Pillow's warnings about odd files from the user; what matters becomes a reason."""

    def __init__(self) -> None:
        self._warnings = warnings.catch_warnings()

    def __enter__(self) -> None:
        self._warnings.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self._warnings.__exit__(kind, problem, at)


@contextmanager
def speechless() -> Iterator[None]:
    """Keep what C libraries print from the terminal. All that this process writes to standard error is lost."""
    with _STDERR:
        try:
            terminal = os.dup(2)
        except OSError:  # standard error is closed, so nobody listens
            yield
            return
        try:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def open_known(stream: IO[bytes]) -> Image.Image:
    """What Pillow takes the stream for. Raises UnidentifiedImageError, or whatever a damaged header leads to."""
    try:
        return Image.open(stream, formats=_COMMON)
    except UnidentifiedImageError:
        stream.seek(0)
        return open_tiff(stream) if stream.read(4) in TIFFS else Image.open(stream, formats=_others())


def open_tiff(stream: IO[bytes]) -> Tiff:
    """A TIFF, even of a kind that Pillow alone does not open. Raises UnidentifiedImageError if it is damaged."""
    stream.seek(0)
    try:
        return Tiff(stream)
    except SyntaxError as problem:
        raise UnidentifiedImageError(str(problem)) from problem


@lru_cache(maxsize=1)
def _others() -> tuple[str, ...]:
    Image.init()
    with suppress(ImportError):  # the extra "heic"
        from pillow_heif import register_heif_opener

        register_heif_opener(thumbnails=False, decode_threads=1)
    return tuple(name for name in Image.ID if name not in _REFUSED and name not in _COMMON)


class Opened(NamedTuple):
    """A picture that is not yet decoded. It will be decoded `times` smaller (1, 2, 4 or 8) than `size`, its own."""

    image: Image.Image
    size: tuple[int, int]
    times: int


def open_image(data: bytes, smallest: int | None = None, only_first: bool = True) -> Opened:
    """The first picture; if it is a JPEG, as small as it can be with `smallest` pixels along the shorter side.

    Unless `only_first` is wanted, a JPEG that holds several pictures is not decoded smaller.

    Raises DataError if it has no pixels, DecompressionBombError if it has too many.
    """
    try:
        image = open_known(io.BytesIO(data))
    except Image.DecompressionBombError:
        if not (smallest and data.startswith(b"\xff\xd8")):
            raise
        image = JpegImagePlugin.jpeg_factory(io.BytesIO(data))
    size = width, height = image.size
    if not width or not height:
        raise DataError("has no pixels")
    reducible = image.format == "JPEG" or (only_first and image.format == "MPO")
    if smallest and reducible and min(size) >= 2 * smallest:
        # `draft` goes by whole divisions, so that the shorter side never falls below
        image.draft(None, (smallest, smallest))
    check_size(image)
    if width * height > (MAX_PIXELS if image.info.get("progressive") else MAX_JPEG_PIXELS):
        raise Image.DecompressionBombError(f"{width}×{height} pixels")
    return Opened(image, size, next(times for times in (1, 2, 4, 8) if math.ceil(width / times) == image.width))


def check_size(image: Image.Image) -> None:
    """Raise DecompressionBombError if what is to be decoded has too many pixels."""
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError(f"{image.width}×{image.height} pixels")


def load(image: Image.Image, data: bytes, number: int) -> TiffPage | None:
    """Decode the picture number `number` of the file, at which `image` stands.

    What Pillow would misread, or fails to read, is given as GDAL reads it, and not turned upright; else None.
    """
    if not isinstance(image, Tiff):
        image.load()
        return None
    if image.foreign:
        return read_page(data, number, image)
    try:
        with speechless():  # libtiff prints what it thinks of damaged files
            image.load()
    except MemoryError:
        raise
    except Exception:
        with suppress(Exception):  # then the first reason is the better one
            return read_page(data, number, image)
        raise
    return None
