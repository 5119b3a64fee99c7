"""Numbers that say how each image of a set looks, computed in blocks over an array that may lie on disk."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from steadygan.data.health.hashing import hashes
from steadygan.data.mapped import Images, Pixels, blocks

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


def measure(images: Pixels) -> Measures:
    """All measures of a batch or memory map (N, S, S, C); beyond the result it takes a few megabytes."""
    length = max(1, _BLOCK_BYTES // (max(1, int(np.prod(images.shape[1:]))) * 4))  # which stays in a processor's cache
    parts = [_measured(block) for block in blocks(images, length)] or [_measured(np.zeros((1, 8, 8, 1), np.uint8))]
    whole = {it.name: np.concatenate([getattr(part, it.name) for part in parts]) for it in fields(Measures)}
    return Measures(**{name: values[: len(images)] for name, values in whole.items()})


def laplacian(grey: Numbers) -> Numbers:
    """Four times each inner pixel less its four neighbours: (N, H, W) becomes (N, H-2, W-2), at least 1×1."""
    if min(grey.shape[1:]) < 3:
        return np.zeros((len(grey), 1, 1), np.float32)
    left, right, up, down = grey[:, 1:-1, :-2], grey[:, 1:-1, 2:], grey[:, :-2, 1:-1], grey[:, 2:, 1:-1]
    edges: Numbers = 4 * grey[:, 1:-1, 1:-1] - up - down - left - right
    return edges


def _measured(images: Images) -> Measures:
    planes = _planes(images)
    grey = _luminance(planes)
    contrast, edges = _spread(grey), _spread(laplacian(grey))
    plain, mirrored = hashes(grey)
    return Measures(
        brightness=grey.reshape(len(grey), -1).mean(axis=1),
        contrast=contrast,
        colour=_colours(planes),
        saturation=_means(planes.max(axis=0) - planes.min(axis=0)),
        sharpness=np.divide(edges, contrast, out=np.zeros_like(edges), where=contrast > 0.5),
        hash=plain,
        mirrored=mirrored,
        checksum=_checksums(images),
    )


def _planes(images: Images) -> Images:
    """Each channel by itself (1 or 3, N, S, S): NumPy is several times faster on values that lie side by side.

    The first channel if there are fewer than three; of more than three, the first three are red, green and blue.
    """
    return np.ascontiguousarray(images[..., : 1 if images.shape[3] < 3 else 3].transpose(3, 0, 1, 2))


def _luminance(planes: Images) -> Numbers:
    """Grey of each pixel (N, S, S) in [0, 255]: sums of whole numbers, hence exact whatever their order."""
    grey: Numbers = planes[0].astype(np.float32)
    if len(planes) == 1:
        return grey
    grey *= _RED
    for plane, weight in zip(planes[1:], (_GREEN, _BLUE), strict=True):
        grey += plane * np.float32(weight)
    return np.divide(grey, 256, out=grey)


def _spread(values: Numbers) -> Numbers:
    """Standard deviation of each image, by two sums: half the passes of `std`."""
    flat = values.reshape(len(values), -1)
    mean = flat.mean(axis=1)
    squares = np.einsum("ij,ij->i", flat, flat, dtype=np.float64) / flat.shape[1]
    spread: Numbers = np.sqrt(np.maximum(squares - mean.astype(np.float64) ** 2, 0)).astype(np.float32)
    return spread


def _colours(planes: Images) -> Numbers:
    means = _means(planes).T
    return np.broadcast_to(means, (len(means), 3)) if means.shape[1] == 1 else means


def _means(images: Images) -> Numbers:
    """The mean over the last two axes, from sums of whole numbers."""
    sums = images.reshape(*images.shape[:-2], -1).sum(axis=-1, dtype=np.uint32)
    means: Numbers = (sums / np.float32(images.shape[-1] * images.shape[-2])).astype(np.float32)
    return means


def _checksums(images: Images) -> NDArray[np.uint64]:
    """Sum of all pixels in groups of eight, each group times its own odd number, modulo 2**64."""
    flat = images.reshape(len(images), -1)
    if flat.shape[1] % 8:
        flat = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 8)))
    words = np.ascontiguousarray(flat).view(np.uint64)
    factors = np.random.default_rng(0).integers(0, 2**63, words.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    sums: NDArray[np.uint64] = (words * factors).sum(axis=1, dtype=np.uint64)
    return sums
