"""Numbers that say how each image of a set looks, computed in blocks over an array that may lie on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from steadygan.data.health.hashing import hashes

Images = NDArray[np.uint8]
"""Images as on disk: (N, S, S, C) in [0, 255]."""

Numbers = NDArray[np.float32]

GREY_LEVELS = 2.0
"""Mean distance of red, green and blue, in levels, below which a picture in colour counts as grey."""

_RED, _GREEN, _BLUE = 77, 150, 29  # of 256: the weights of luminance (ITU-R BT.601) as whole numbers
_BLOCK_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class Measures:
    """One number per image for each measure, all arrays of length N.

    `brightness` and `contrast` are mean and standard deviation of the luminance in [0, 255], `colour` (N, 3) the mean
    of red, green and blue, `saturation` the mean distance of the largest from the smallest of them (0 is grey),
    `sharpness` the standard deviation of the Laplacian of the luminance divided by its contrast, so that neither
    the size of the image nor its lighting matters (0 where there is no contrast), `hash` and `mirrored`
    the perceptual hashes of the image and of its mirror image, `checksum` a number that equal images share.
    """

    brightness: Numbers
    contrast: Numbers
    colour: Numbers
    saturation: Numbers
    sharpness: Numbers
    hash: NDArray[np.uint64]
    mirrored: NDArray[np.uint64]
    checksum: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.brightness)


def measure(images: Images) -> Measures:
    """All measures of a batch or memory map (N, S, S, C); beyond the result it takes a few megabytes."""
    blocks = [_measured(block) for block in in_blocks(images)] or [_measured(images)]
    return Measures(**{it.name: np.concatenate([getattr(block, it.name) for block in blocks]) for it in fields(Measures)})


def in_blocks(images: Images) -> Iterator[Images]:
    """The images some at a time, read into memory, as many as stay in a processor's cache."""
    length = max(1, _BLOCK_BYTES // (max(1, images[:1].size) * 4))
    return (np.ascontiguousarray(images[start : start + length]) for start in range(0, len(images), length))


def luminance(images: Images) -> NDArray[np.uint16]:
    """Grey of each pixel (N, S, S) in steps of 1/256 level, exact: 256 times a level of a grey picture.

    The first channel if there are fewer than three; of more than three, the first three are red, green and blue.
    """
    if images.shape[3] < 3:
        return images[..., 0].astype(np.uint16) * np.uint16(256)
    grey = images[..., 0] * np.uint16(_RED)
    grey += images[..., 1] * np.uint16(_GREEN)
    grey += images[..., 2] * np.uint16(_BLUE)
    return grey


def laplacian(grey: Numbers) -> Numbers:
    """Four times each inner pixel less its four neighbours: (N, H, W) becomes (N, H-2, W-2)."""
    edges = 4 * grey[:, 1:-1, 1:-1]
    edges -= grey[:, :-2, 1:-1]
    edges -= grey[:, 2:, 1:-1]
    edges -= grey[:, 1:-1, :-2]
    edges -= grey[:, 1:-1, 2:]
    return edges


def _measured(images: Images) -> Measures:
    number, side, _, channels = images.shape
    grey = luminance(images).astype(np.float32) / np.float32(256)
    contrast = _spread(grey)
    plain, mirrored = hashes(grey)
    return Measures(
        brightness=_mean(grey),
        contrast=contrast,
        colour=_colours(images),
        saturation=_saturation(images) if channels >= 3 else np.zeros(number, np.float32),
        sharpness=_relative(_spread(laplacian(grey)), contrast) if side > 2 else np.zeros(number, np.float32),
        hash=plain,
        mirrored=mirrored,
        checksum=_checksums(images),
    )


def _mean(values: Numbers) -> Numbers:
    return values.reshape(len(values), -1).mean(axis=1)


def _spread(values: Numbers) -> Numbers:
    """Standard deviation of each image, by two sums: half the passes of `std`."""
    flat = values.reshape(len(values), -1)
    mean = flat.mean(axis=1)
    squares = np.einsum("ij,ij->i", flat, flat, dtype=np.float64) / flat.shape[1]
    return np.sqrt(np.maximum(squares - mean.astype(np.float64) ** 2, 0)).astype(np.float32)


def _relative(values: Numbers, to: Numbers) -> Numbers:
    return np.divide(values, to, out=np.zeros_like(values), where=to > 0.5)


def _colours(images: Images) -> Numbers:
    means = images[..., :3].mean(axis=(1, 2), dtype=np.float32)
    return means if means.shape[1] == 3 else means[:, :1].repeat(3, axis=1)


def _saturation(images: Images) -> Numbers:
    red, green, blue = images[..., 0], images[..., 1], images[..., 2]
    most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return (most - least).reshape(len(images), -1).mean(axis=1, dtype=np.float32)


def _checksums(images: Images) -> NDArray[np.uint64]:
    """Sum of all pixels in groups of eight, each group times its own odd number, modulo 2**64."""
    flat = images.reshape(len(images), -1)
    if flat.shape[1] % 8:
        flat = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 8)))
    words = np.ascontiguousarray(flat).view(np.uint64)
    factors = np.random.default_rng(0).integers(0, 2**63, words.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    return (words * factors).sum(axis=1, dtype=np.uint64)
