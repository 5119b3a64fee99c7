"""Reading through a file mapped into memory without keeping it there."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
"""Images in memory: (N, S, S, C) in [0, 255]."""

Chosen = slice | NDArray[np.int64]


class Pixels(Protocol):
    """Images (N, S, S, C) of which some at a time are read: an array, a memory map, or what reduces them."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, chosen: Chosen) -> Images: ...


def blocks(array: Pixels, length: int) -> Iterator[Images]:
    """Copies of `length` rows at a time.

    What was read of a mapped file is given up, else it would count as memory of this process until another needs it.
    """
    for start in range(0, len(array), length):
        yield np.array(array[start : start + length])
        let_go(array)


def let_go(array: object) -> None:
    """Give up the pages of a mapped file, if `array` is one and the system knows how; they can be read again."""
    while isinstance(array, np.ndarray):
        array = array.base
    if isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.madvise(mmap.MADV_DONTNEED)
