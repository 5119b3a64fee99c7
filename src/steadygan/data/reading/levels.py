"""Grey of more than 8 bits as 0 to 255."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from steadygan.errors import DataError

WIDE = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
"""Modes of one band with more than 8 bits."""

_STEPS = (8, 10, 12, 14, 16)
_FULL_STEPS = (8, 10, 12, 16)
_FULL = frozenset({"PNG", "PPM", "JPEG2000"})
_TAG_BITS, _TAG_PHOTOMETRIC, _TAG_NODATA = 258, 262, 42113
_HUGE = 1e38
_DARK = 32
_SAMPLES = 1_000_000
_OUTLIERS = (0.1, 99.9)


@dataclass(frozen=True)
class Levels:
    """What is shown as 0 (`low`) and what as 255 (`high`), both included; `shift` if it is bits that are left out.

    `hole` stands for "no value" and is shown as 0, like all that is not finite. `inverted` exchanges black and white.
    """

    low: float = 0
    high: float = 255
    shift: int | None = None
    hole: float | None = None
    inverted: bool = False

    def apply(self, image: Image.Image) -> Image.Image:
        """The picture, or a part of it, as "L"."""
        values: NDArray[Any] = np.asarray(image)
        if self.shift is not None:
            grey = np.clip(values, 0, None).astype(np.uint32) >> self.shift
            grey = np.minimum(grey, 255).astype(np.uint8)
        else:
            span = self.high - self.low
            scaled = (values.astype(np.float64) - self.low) * (255 / span if span > 0 else 0)
            grey = np.rint(np.clip(np.nan_to_num(scaled, nan=0, posinf=0, neginf=0), 0, 255)).astype(np.uint8)
        if self.inverted:
            grey = 255 - grey
        seen = _seen(values, self.hole)
        return Image.fromarray(grey if seen is None else np.where(seen, grey, 0).astype(np.uint8))


def levels(image: Image.Image, file_format: str) -> Levels:
    """How the values of a picture with one of the modes `WIDE` become 0 to 255.

    - Whole numbers from 0 to 65535: the highest 8 of 8, 10, 12, 14 or 16 bits, whichever is the first to hold
      the largest value (a TIFF may say how many it has). So black stays black, and pictures of one camera or
      sensor stay comparable. The standards of PNG, PGM and JPEG 2000 give the full range to white: 14 bits are
      not considered there, and a dim photograph stays dim.
    - Floats from 0 to 1 are multiplied by 255; others from 0 to 255 stay if one in a thousand is above 32.
    - All others have no range that is agreed on. What lies between the 0.1th and the 99.9th percentile fills 0 to 255.

    Raises DataError if no value is finite.
    """
    tags = getattr(image, "tag_v2", {})
    hole = _hole(tags)
    inverted = file_format == "TIFF" and tags.get(_TAG_PHOTOMETRIC) == 0
    low, high = _extremes(image, hole)
    whole = image.mode != "F"
    if whole and low >= 0 and high < 2**16:
        steps: tuple[int, ...] = _FULL_STEPS if file_format in _FULL else _STEPS
        if high > 255 and (bits := _declared(tags)) and high < 2**bits:
            steps = (bits,)
        shift = next(bits for bits in steps if high < 2**bits) - 8
        return Levels(0, 256 * 2**shift - 1, shift, hole, inverted)
    if not whole and low >= 0 and high <= 1:
        return Levels(0, 1, None, hole, inverted)
    darkest, brightest = _percentiles(image, hole)
    if not whole and low >= 0 and high <= 255 and brightest >= _DARK:
        return Levels(hole=hole, inverted=inverted)
    if darkest == brightest:
        darkest, brightest = low, high
    return Levels(darkest, brightest, None, hole, inverted)


def _declared(tags: Any) -> int | None:
    bits = tags.get(_TAG_BITS)
    first = bits[0] if isinstance(bits, tuple) and bits else None
    return first if first in (9, 10, 11, 12, 13, 14, 15) else None


def _hole(tags: Any) -> float | None:
    """The value that GDAL's tag declares to be none."""
    with suppress(ValueError, TypeError):
        value = float(str(tags.get(_TAG_NODATA)).strip("\0 "))
        return value if math.isfinite(value) else None
    return None


def _seen(values: NDArray[Any], hole: float | None) -> NDArray[np.bool_] | None:
    """Which values count; None if all do."""
    seen: NDArray[np.bool_] | None = np.abs(values) < _HUGE if values.dtype.kind == "f" else None
    if hole is None:
        return seen
    there: NDArray[np.bool_] = np.not_equal(values, hole)
    return there if seen is None else seen & there


def _parts(image: Image.Image) -> Iterator[Image.Image]:
    """The picture in strips of some megabytes."""
    rows = max(1, _SAMPLES // image.width)
    if rows >= image.height:
        yield image
        return
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _counting(values: NDArray[Any], hole: float | None) -> NDArray[Any]:
    seen = _seen(values, hole)
    return values.ravel() if seen is None else values[seen]


def _extremes(image: Image.Image, hole: float | None) -> tuple[float, float]:
    counting = (_counting(np.asarray(part), hole) for part in _parts(image))
    found = [(float(part.min()), float(part.max())) for part in counting if part.size]
    if found:
        return min(low for low, _ in found), max(high for _, high in found)
    if image.mode == "F" and hole is None:
        raise DataError("holds no finite value")
    return 0.0, 0.0


def _percentiles(image: Image.Image, hole: float | None) -> tuple[float, float]:
    """Of evenly spaced pixels."""
    step = max(1, math.ceil(math.sqrt(image.width * image.height / _SAMPLES)))
    values = _counting(np.asarray(image)[::step, ::step], hole)
    if not values.size:
        return 0.0, 0.0
    low = np.percentile(values, _OUTLIERS[0], method="lower")
    high = np.percentile(values, _OUTLIERS[1], method="higher")
    return float(low), float(high)
