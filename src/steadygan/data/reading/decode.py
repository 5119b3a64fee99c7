"""Any file that Pillow reads, brought to 8-bit grey or RGB."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Literal

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from steadygan.data.reading.reasons import explain
from steadygan.errors import DataError

Mode = Literal["L", "RGB"]
Colour = tuple[int, int, int]

MAX_PIXELS = 89_478_485
"""Larger images are refused before any pixel is decoded: the size at which Pillow suspects a decompression bomb."""

WHITE: Colour = (255, 255, 255)
"""What transparent pixels show unless told otherwise: most cut-outs, logos and drawings are made for a light page."""

_DRAFT_MARGIN = 8
_GREY = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_WIDE = _GREY - {"1", "L", "LA", "La"}


@dataclass(frozen=True)
class Decoded:
    """A picture as "L" or "RGB", upright, with what was found in the file and done to it.

    `size` is (width, height) of the upright picture at full resolution; `image` itself may be smaller if it
    was decoded so. `mode` is the mode stored in the file. `changes` lists what was converted.
    """

    image: Image.Image
    size: tuple[int, int]
    mode: str
    format: str
    changes: tuple[str, ...] = ()


def is_image(open_file: Callable[[], IO[bytes]]) -> bool:
    """Whether Pillow recognises the beginning of a file; a damaged or huge image is one, too."""
    try:
        with quiet(), open_file() as stream:
            Image.open(stream).close()
    except UnidentifiedImageError:
        return False
    except Exception:  # noqa: BLE001  whatever a plugin raises, it took the file for its own
        return True
    return True


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's warnings about odd files from the user; what matters becomes a reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode(data: bytes, mode: Mode | None = None, background: Colour = WHITE, smallest: int | None = None) -> Decoded:
    """The first picture in the bytes of an image file, upright, as 8-bit grey or RGB.

    - Rotated as EXIF says; of an animation or several pages the first.
    - Colour profiles are converted to sRGB; one that does not work is left out.
    - Transparent pixels show `background`.
    - Values of more than 8 bits stay as they are if they lie in 0 to 255; floats in [0, 1] are multiplied by
      255; all others are scaled so that the picture's own range fills 0 to 255. What is not finite becomes 0.

    Without `mode`, files that store grey come as "L" and all others as "RGB". `smallest` allows large JPEGs
    to be decoded at a fraction of their size, at least 8 times `smallest` pixels along the shorter side
    (after reduction to that size the mean difference is 0.1 of 255 levels).
    Raises DataError with the reason if there is no usable picture.
    """
    try:
        with quiet():
            return _decode(data, mode, background, smallest)
    except DataError:
        raise
    except Exception as problem:
        raise DataError(explain(data, problem)) from problem


def _decode(data: bytes, mode: Mode | None, background: Colour, smallest: int | None) -> Decoded:
    image = _open(data)
    stored, file_format, full = image.mode, image.format or "", image.size
    changes = []
    if smallest and file_format in ("JPEG", "MPO"):
        _draft(image, smallest * _DRAFT_MARGIN)
    image.load()
    if file_format != "JPEG" and _has_more(data):
        changes.append("first of several pictures")
    profile = image.info.get("icc_profile")
    orientation = _orientation(image)
    if orientation > 1:
        image = ImageOps.exif_transpose(image)
        full = full if orientation < 5 else full[::-1]
        changes.append("turned upright")
    if image.mode in _WIDE:
        image = _eight_bits(image)
        changes.append("brought to 8 bits")
    image, alpha = _split(image)
    if profile and (converted := _to_srgb(image, profile)):
        image = converted
        changes.append("colour profile applied")
    if alpha:
        image = _over(image.convert("RGB"), alpha, background)
        changes.append("transparency filled")
    natural: Mode = "L" if stored in _GREY and len(set(background)) == 1 else "RGB"
    return Decoded(image.convert(mode or natural), full, stored, file_format, tuple(changes))


def _open(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    width, height = image.size
    if not width or not height:
        raise DataError("has no pixels")
    if width * height > MAX_PIXELS:
        raise Image.DecompressionBombError(f"{width}×{height} pixels")
    return image


def _draft(image: Image.Image, side: int) -> None:
    """Let the JPEG decoder leave out detail as long as the shorter side keeps `side` pixels."""
    ratio = side / min(image.size)
    if ratio < 1:
        image.draft(None, (math.ceil(image.width * ratio), math.ceil(image.height * ratio)))


def _has_more(data: bytes) -> bool:
    """Whether the file holds several pictures; asked of a second copy, for asking moves to another picture."""
    with suppress(Exception), _open(data) as image:
        return bool(getattr(image, "is_animated", False))
    return False


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where it is damaged or missing. From 5 on, width and height change places."""
    with suppress(Exception):
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
        return value if value in range(1, 9) else 1
    return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float grey as "L", or "LA" where one value stands for transparency."""
    values = np.asarray(image).astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        raise DataError("holds no finite value")
    low, high = values[finite].min(), values[finite].max()
    if low < 0 or high > 255:
        values = (values - low) * (255 / ((high - low) or 1))
    elif image.mode == "F" and high <= 1:
        values = values * 255
    grey = Image.fromarray(np.rint(np.where(finite, values, 0)).astype(np.uint8))
    key = image.info.get("transparency")
    if key is None:
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.where(np.asarray(image) == key, 0, 255).astype(np.uint8))))


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours as "L", "RGB" or "CMYK", and the alpha channel if anything shines through."""
    if image.has_transparency_data:
        whole = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        alpha = whole.getchannel("A")
        return whole.convert("RGB"), alpha if alpha.getextrema() != (255, 255) else None
    if image.mode in ("L", "RGB", "CMYK"):
        return image, None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _over(image: Image.Image, alpha: Image.Image, background: Colour) -> Image.Image:
    return Image.composite(image, Image.new("RGB", image.size, background), alpha)


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """The colours in sRGB; None if they are so already, or if the profile is damaged or made for another mode."""
    with suppress(ImageCms.PyCMSError, ImportError, OSError, ValueError):
        transform = _transform(profile, image.mode)
        return ImageCms.applyTransform(image, transform) if transform else None
    return None


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if "srgb" in ImageCms.getProfileDescription(source).lower():
        return None
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
