"""How values of more than 8 bits become 0 to 255, the same for all tiles of an image."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadygan.data.indices import evenly
from steadygan.data.reading.levels import spread
from steadygan.data.tiles.scene import Limits

MAX_SAMPLES = 4_000_000
"""Pixels looked at to find the limits of a band: evenly spaced over the whole image."""

_PIECE_BYTES = 16 * 2**20

Piece = tuple[int, int, int, int]
"""Left, top, right, bottom of a part of an image."""


def spacing(size: tuple[int, int], at_most: int = MAX_SAMPLES) -> int:
    """Every how many pixels, across and down, an image (width, height) is looked at."""
    return max(1, math.ceil(math.sqrt(size[0] * size[1] / at_most)))


def pieces(data: Any, bands: int, at_most: int | None = None) -> list[Piece]:
    """An open image in parts of some megabytes that begin and end with its blocks; evenly taken if `at_most` are."""
    across, down = data.block_shapes[0][1], data.block_shapes[0][0]
    pixel = bands * np.dtype(data.dtypes[0]).itemsize
    if at_most is None:
        across *= max(1, _PIECE_BYTES // (across * down * pixel))
        across = min(across, data.width)
        down *= max(1, _PIECE_BYTES // (across * down * pixel))
    found = [
        (left, top, min(left + across, data.width), min(top + down, data.height))
        for top in range(0, data.height, down)
        for left in range(0, data.width, across)
    ]
    if at_most is None or len(found) <= at_most:
        return found
    return [found[index] for index in evenly(len(found), at_most)]


def limits(values: NDArray[Any], percentiles: tuple[float, float]) -> Limits:
    """The values between which a band is shown: its percentiles, or its range where the percentiles are equal.

    `values` are all that count, finite and in any order; without any the limits are 0 and 0.
    """
    if not values.size:
        return 0.0, 0.0
    low, high = (float(limit) for limit in np.percentile(values, percentiles))
    return (low, high) if low < high else (float(values.min()), float(values.max()))


def to_bytes(values: NDArray[Any], limit: Limits) -> NDArray[np.uint8]:
    """Values from `limit` as 0 to 255, as `spread` gives them; those of up to 16 bits are looked up."""
    if values.dtype.itemsize > 2 or values.dtype.kind not in "iu":
        return spread(values, *limit)
    looked_up: NDArray[np.uint8] = _table(values.dtype, limit)[values.view(f"u{values.dtype.itemsize}")]
    return looked_up


@lru_cache(maxsize=16)
def _table(dtype: np.dtype[Any], limit: Limits) -> NDArray[np.uint8]:
    """What each possible value of up to 16 bits becomes, in the order of its bits read as a number without sign."""
    return spread(np.arange(256**dtype.itemsize, dtype=f"u{dtype.itemsize}").view(dtype), *limit)
