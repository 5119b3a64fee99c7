"""Values of more than 8 bits, grey or colour, as 0 to 255."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from steadygan.errors import DataError

STEPS = (8, 10, 12, 14, 16)
"""Numbers of bits that cameras and sensors use, in files that hold 16 and do not say of how many they make use."""

_HUGE = 1e38
_DARK = 32
_SAMPLES = 1_000_000
_OUTLIERS = (0.1, 99.9)
_OPAQUE = (1, *(2**bits - 1 for bits in (8, 10, 12, 14, 15, 16, 31, 32)))


@dataclass(frozen=True, eq=False)
class Values:
    """A picture as its file holds it: `colours` (H, W, 1, 3 or 4) of any real type, `alpha` (H, W) if it has one.

    `bits` are those that the file says it uses of each value, 0 if it does not say; 8 and 16 are certain. `hole`
    stands for "no value". `inverted` says that 0 is white.
    """

    colours: NDArray[Any]
    alpha: NDArray[Any] | None = None
    bits: int = 0
    hole: float | None = None
    inverted: bool = False


@dataclass(frozen=True)
class Levels:
    """What is shown as 0 (`low`) and what as 255 (`high`), both included; `shift` if it is bits that are left out.

    `needed` is the number of bits that the values need, 0 where it says nothing about how they are shown. `hole`
    stands for "no value" and is shown as 0, like all that is not finite. `inverted` exchanges black and white.
    """

    low: float = 0
    high: float = 255
    shift: int | None = None
    needed: int = 0
    hole: float | None = None
    inverted: bool = False

    @property
    def bits(self) -> int:
        """On the scale of how many bits the picture is shown, 0 where that is not the question."""
        return (self.shift or 0) + 8 if self.needed else 0

    def apply(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Values as 0 to 255; the shape stays."""
        if self.shift is not None:
            levels = np.minimum(np.clip(values, 0, None).astype(np.uint32) >> self.shift, 255).astype(np.uint8)
        else:
            levels = spread(values, self.low, self.high)
        if self.inverted:
            levels = 255 - levels
        seen = _seen(values, self.hole)
        return levels if seen is None else np.where(seen, levels, 0).astype(np.uint8)


def spread(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Values brought linearly from `low` to `high` to 0 to 255 and cut off there, rounded; NaN becomes 0.

    All become 0 where the two are equal.
    """
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    scaled = (values.astype(np.float64) - low) * (255 / (high - low))
    return np.rint(np.clip(np.nan_to_num(scaled, nan=0, posinf=255, neginf=0), 0, 255)).astype(np.uint8)


def find_levels(values: Values, bits: int = 0) -> Levels:
    """How the values of a picture become 0 to 255, all its colours alike.

    - Whole numbers from 0 to 65535: the highest 8 of 8, 10, 12, 14 or 16 bits, whichever is the first to hold
      the largest value, or of `bits`, if that is more: what another picture of the set needs. So black stays black,
      and pictures of one camera or sensor stay comparable, in grey and in colour and in any format. A file that says
      how many bits it uses is believed if it needs more than 8.
    - Floats from 0 to 1 are multiplied by 255; others from 0 to 255 stay if one in a thousand is above 32.
    - All others have no range that is agreed on. What lies between the 0.1th and the 99.9th percentile fills 0 to 255.

    Raises DataError if no value is finite.
    """
    colours, hole, inverted = values.colours, values.hole, values.inverted
    low, high = _extremes(colours, hole)
    whole = colours.dtype.kind in "iu"
    if whole and low >= 0 and 0 < values.bits < 8:
        return Levels(0, 2**values.bits - 1, None, 0, hole, inverted)
    if whole and low >= 0 and high < 2**16:
        needed = 0 if values.bits in (8, 16) else _needed(high, values.bits)
        shift = (max(needed, bits) if needed else values.bits) - 8
        return Levels(0, 256 * 2**shift - 1, shift, needed, hole, inverted)
    if not whole and low >= 0 and high <= 1:
        return Levels(0, 1, hole=hole, inverted=inverted)
    darkest, brightest = _percentiles(colours, hole)
    if not whole and low >= 0 and high <= 255 and brightest >= _DARK:
        return Levels(hole=hole, inverted=inverted)
    if darkest == brightest:
        darkest, brightest = low, high
    return Levels(darkest, brightest, hole=hole, inverted=inverted)


def _needed(high: float, said: int) -> int:
    """Bits that the largest value needs, of those that are usual, or that its file says it uses."""
    if 255 < high < 2**said:
        return said
    return next(step for step in STEPS if high < 2**step)


def narrowed(values: Values, levels: Levels) -> Image.Image:
    """The picture as "L", "RGB" or "CMYK", or as "LA" or "RGBA" with its alpha channel."""
    colours: NDArray[np.uint8] = np.empty(values.colours.shape, np.uint8)
    for part, rows in _parts(values.colours):
        colours[rows] = levels.apply(part)
    height, width, bands = colours.shape
    image = Image.frombytes({1: "L", 3: "RGB", 4: "CMYK"}[bands], (width, height), colours.tobytes())
    if values.alpha is not None and image.mode != "CMYK":
        image.putalpha(Image.fromarray(_opacity(values.alpha)))
    return image


def _opacity(alpha: NDArray[Any]) -> NDArray[np.uint8]:
    """Alpha as 0 to 255; 255 is the largest number of 1, 8, 10, 12, 14, 15, 16, 31 or 32 bits that holds it."""
    if alpha.dtype == np.uint8:
        return alpha
    largest = float(np.nan_to_num(alpha).max(initial=0))
    full = next((number for number in _OPAQUE if largest <= number), largest)
    return np.rint(np.clip(np.nan_to_num(alpha.astype(np.float32)), 0, full) * (255 / full)).astype(np.uint8)


def hole_of(text: object) -> float | None:
    """The value that GDAL's tag declares to be none."""
    try:
        value = float(str(text).strip("\0 "))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _seen(values: NDArray[Any], hole: float | None) -> NDArray[np.bool_] | None:
    """Which values count; None if all do."""
    seen: NDArray[np.bool_] | None = np.abs(values) < _HUGE if values.dtype.kind == "f" else None
    if hole is None:
        return seen
    there: NDArray[np.bool_] = np.not_equal(values, hole)
    return there if seen is None else seen & there


def _parts(values: NDArray[Any]) -> Iterator[tuple[NDArray[Any], slice]]:
    """The picture in strips of some megabytes, each with the rows that it has."""
    rows = max(1, _SAMPLES // (values.shape[1] * values.shape[2]))
    for top in range(0, len(values), rows):
        yield values[top : top + rows], slice(top, top + rows)


def _counting(values: NDArray[Any], hole: float | None) -> NDArray[Any]:
    seen = _seen(values, hole)
    return values.ravel() if seen is None else values[seen]


def _extremes(values: NDArray[Any], hole: float | None) -> tuple[float, float]:
    counting = (_counting(part, hole) for part, _ in _parts(values))
    found = [(float(part.min()), float(part.max())) for part in counting if part.size]
    if found:
        return min(low for low, _ in found), max(high for _, high in found)
    if values.dtype.kind == "f" and hole is None:
        raise DataError("holds no finite value")
    return 0.0, 0.0


def _percentiles(values: NDArray[Any], hole: float | None) -> tuple[float, float]:
    """Of evenly spaced pixels."""
    step = max(1, math.ceil(math.sqrt(values.shape[0] * values.shape[1] / _SAMPLES)))
    counting = _counting(values[::step, ::step], hole)
    if not counting.size:
        return 0.0, 0.0
    low = np.percentile(counting, _OUTLIERS[0], method="lower")
    high = np.percentile(counting, _OUTLIERS[1], method="higher")
    return float(low), float(high)
