"""Reading through a file mapped into memory without keeping it there."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def blocks(array: NDArray[np.uint8], length: int) -> Iterator[NDArray[np.uint8]]:
    """Copies of `length` rows at a time.

    What was read of a mapped file is given up, else it would count as memory of this process until another needs it.
    """
    for start in range(0, len(array), length):
        yield np.array(array[start : start + length])
        let_go(array)


def let_go(array: NDArray[np.uint8]) -> None:
    """Give up the pages of a mapped file, if `array` is one and the system knows how; they can be read again."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
