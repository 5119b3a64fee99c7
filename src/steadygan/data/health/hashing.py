"""Perceptual hashes: 64 bits that stay nearly the same when a picture is saved, scaled or lit differently."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_SIDE = 32
_BITS = 8
_MARGIN = 0.05  # of the mean coefficient: in symmetric pictures half of them are noise around the median
_LEVEL = 1 / 64  # coefficients are rounded to this many grey levels, so that a flat picture has no bits by chance


def hashes(grey: NDArray[np.float32]) -> tuple[Hashes, Hashes]:
    """The hash of each picture (N, S, S) of luminance in [0, 255], and that of its mirror image (left and right).

    DCT hash of Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", section 3.2.1:
    the picture averaged down to 32×32, its discrete cosine transform (DCT-II), and of the 8×8 coefficients next to
    the constant row and column one bit each, whether it lies above their median. Unlike there, it has to lie above by a
    twentieth of their mean size: of symmetric pictures half the coefficients are zero but for noise, and zero is the
    median. It costs nothing elsewhere: hashes of copies differ by as many bits as before, within one.
    """
    basis = _basis(grey.shape[1])
    waves = np.rint((basis @ grey @ basis.T) / np.float32(_LEVEL))
    flipped = waves * np.where(np.arange(1, _BITS + 1) % 2, -1, 1).astype(np.float32)
    return _packed(waves), _packed(flipped)


def distances(first: Hashes, second: Hashes) -> NDArray[np.uint8]:
    """How many bits differ, 0 to 64."""
    bits = np.unpackbits((first ^ second).reshape(-1, 1).view(np.uint8), axis=1)
    counted: NDArray[np.uint8] = bits.sum(axis=1, dtype=np.uint8)
    return counted


def _packed(waves: NDArray[np.float32]) -> Hashes:
    flat = waves.reshape(len(waves), -1)
    margin = _MARGIN * np.abs(flat).mean(axis=1, keepdims=True)
    bits = flat > np.median(flat, axis=1, keepdims=True) + margin
    return np.packbits(bits, axis=1, bitorder="little").view("<u8")[:, 0].astype(np.uint64)


@lru_cache(maxsize=8)
def _basis(side: int) -> NDArray[np.float32]:
    """Averaging of `side` pixels to 32, then the first eight waves of an orthonormal DCT: (8, side)."""
    position = np.arange(_SIDE) + 0.5
    waves = np.sqrt(2 / _SIDE) * np.cos(np.pi / _SIDE * np.arange(1, _BITS + 1)[:, None] * position)
    basis: NDArray[np.float32] = (waves @ averaging(side, _SIDE)).astype(np.float32)
    return basis


def averaging(side: int, target: int) -> NDArray[np.float64]:
    """The matrix (target, side) that brings a row of pixels to another length by area; each line has the sum 1."""
    edges = np.arange(target + 1) * (side / target)
    start, end = np.maximum(edges[:-1, None], np.arange(side)), np.minimum(edges[1:, None], np.arange(1, side + 1))
    matrix: NDArray[np.float64] = np.maximum(end - start, 0) * (target / side)
    return matrix
