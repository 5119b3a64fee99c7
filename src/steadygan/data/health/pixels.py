"""Pixels as health looks at them: small, however large the images are."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import reduce

import numpy as np

from steadygan.data.mapped import Chosen, Images, Pixels, blocks

SIDE = 64
"""Images of twice this side and more are reduced by a whole factor, to at least this and less than twice it."""

_READ_BYTES = 2**25


@dataclass(frozen=True, eq=False)
class Reduced:
    """Images reduced when they are read."""

    images: Images

    @property
    def shape(self) -> tuple[int, ...]:
        number, side, _, channels = self.images.shape
        return number, small_side(side), small_side(side), channels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, chosen: Chosen) -> Images:
        where = np.arange(len(self.images))[chosen]
        length = max(1, _READ_BYTES // max(1, self.images[:1].size))
        parts = [reduced(self.images[where[start : start + length]]) for start in range(0, len(where), length)]
        return np.concatenate(parts) if parts else np.zeros((0, *self.shape[1:]), np.uint8)


def small(images: Images) -> Pixels:
    """The images themselves, or if they are large all of them reduced, in memory or in a temporary file.

    Where there is no room for that they are reduced each time they are read, which takes longer.
    """
    if _factor(images.shape[1]) == 1:
        return images
    shape = Reduced(images).shape
    try:
        with tempfile.TemporaryFile() as file:
            for block in blocks(images, max(1, _READ_BYTES // max(1, images[:1].size))):
                file.write(reduced(block).tobytes())
            file.flush()
            return np.memmap(file, np.uint8, "r", shape=shape)  # which keeps the nameless file
    except OSError:
        return Reduced(images)


def small_side(side: int) -> int:
    """The side of an image after `reduced`."""
    return side // _factor(side)


def reduced(images: Images) -> Images:
    """A batch (N, S, S, C) reduced by the mean over squares of pixels, exact; small images stay as they are."""
    factor = _factor(images.shape[1])
    if factor == 1:
        return images
    end = images.shape[1] // factor * factor
    wide = np.uint16 if factor <= 16 else np.uint32  # 255 times the square of the factor must fit
    rows = reduce(np.add, (images[:, start:end:factor].astype(wide) for start in range(factor)))
    sums = reduce(np.add, (rows[:, :, start:end:factor] for start in range(factor)))
    means: Images = ((sums + factor**2 // 2) // factor**2).astype(np.uint8)
    return means


def _factor(side: int) -> int:
    return max(1, side // SIDE)
