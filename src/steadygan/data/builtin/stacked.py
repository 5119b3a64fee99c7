"""Three pictures in the channels of one: ten classes become a thousand modes, whose loss can be counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steadygan.rundir import atomic_path

_BLOCK = 4096


def triples(count: int, pool: int, seed: int = 0) -> NDArray[np.int64]:
    """Three random indices below `pool` for each of `count` images: (count, 3), the same for the same arguments.

    From the raw output of Philox (Salmon et al. 2011), which NumPy promises to keep.
    """
    raw = np.random.Philox(key=seed).random_raw(3 * count) % np.uint64(pool)
    return raw.astype(np.int64).reshape(count, 3)


def stack(images: NDArray[np.uint8], which: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The pictures (M, H, W) at indices (N, 3) as channels of N images, (N, H, W, 3). Metz et al. (2017), 3.3.1."""
    return np.ascontiguousarray(np.moveaxis(images[which], 1, -1))


def write_stacked(images: NDArray[np.uint8], path: Path, count: int, seed: int = 0) -> NDArray[np.int64]:
    """Write `count` random stacks of the pictures (M, H, W) as one idx file, and return their `triples`.

    `path` is called like an idx file, as `stacked-idx4-ubyte`, so that `prepare` reads it; it holds no labels.
    """
    which = triples(count, len(images), seed)
    sizes = (count, *images.shape[1:], 3)
    with atomic_path(path) as part, part.open("wb") as file:
        file.write(bytes((0, 0, 8, len(sizes))) + b"".join(size.to_bytes(4, "big") for size in sizes))
        for start in range(0, count, _BLOCK):
            file.write(stack(images, which[start : start + _BLOCK]).tobytes())
    return which
