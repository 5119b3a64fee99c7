"""Sliced Wasserstein distance between patches of Laplacian pyramids: whether textures are right, scale by scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steadygan.errors import DataError
from steadygan.metrics.pictures import check_pictures
from steadygan.metrics.sliced_wasserstein import laplacian_levels

Places = NDArray[np.int64]
Projections = NDArray[np.float32]
Distances = NDArray[np.float64]

_SIDE = 7
_MOST_PATCHES = 131_072
_DIRECTIONS_AT_ONCE = 32
_PATCHES_AT_ONCE = 8_192
_ROUNDING = 12**-0.5
"""The deviation of rounding to whole grey levels; a channel of the reals that varies less counts as if by this much."""


def patches_per_image(count: int) -> int:
    """How many patches of each of `count` images: 128 as Karras et al. (2018), fewer from 1,025 images on.

    131,072 of a set in all, or one of each image if there are more. They take 39 MB for each level of coloured images:
    of 10,000 with 64 pixels, three levels of 13 patches, 115 MB.
    """
    return min(max(_MOST_PATCHES // count, 1), 128)


def pyramid_patches(images: Tensor, per_image: int, seed: int, first: int = 0) -> list[Tensor]:
    """Random 7×7 patches of each level of the Laplacian pyramid, finest first: float16 (N, per_image, C, 49) each.

    `images`: uint8 (N, C, S, S), of which the first is number `first` of its set. Levels down to 16 pixels (the last
    has 16 to 31, or S if that is less), in grey levels, the last about mid-grey. Karras et al. (2018),
    arXiv:1710.10196, section 5. Where patches lie depends on `seed`, on an image's number, on the level and on nothing
    else. Join the levels of all batches of a set by torch.cat.
    """
    check_pictures(images)
    numbers = np.arange(first, first + len(images))
    # grey levels, not -1..1: means and differences of whole numbers are exact in float32, in batches of any size
    levels = laplacian_levels(images.to(torch.float32).sub_(127.5))
    return [
        _cut(level, _places(numbers, per_image, level.shape[-1] - _SIDE + 1, (seed, depth)))
        for depth, level in enumerate(levels)
    ]


def sliced_distance(real: Sequence[Tensor], fake: Sequence[Tensor], directions: int = 128, seed: int = 0) -> Distances:
    """Sliced Wasserstein distance of patches at each level, finest first: (levels,), of which the mean is the score.

    `real`, `fake`: levels of `pyramid_patches`, of all images. 0 or more, lower is better, in units of the reals'
    deviation. The mean over random directions of the Wasserstein-1 distance of what is projected on them (Rabin et al.
    2011, equation 2). Both sides are divided by the deviation of the REALS for each level and channel: Karras et al.
    (2018) normalise each side by its own mean and deviation, and so do not see wrong colours and contrasts. Symmetric
    but for that. Sets of different numbers of images can be compared. Two samples of the same images are not 0 apart
    but by about what halving them changes: compare with a part of the reals held back.
    """
    _check_levels(real, fake)
    result = []
    for depth, (reals, fakes) in enumerate(zip(real, fake, strict=True)):
        parts = _axes(reals, directions, (seed, depth)).split(_DIRECTIONS_AT_ONCE)
        found = [_wasserstein(_projected(part, reals), _projected(part, fakes)) for part in parts]
        result.append(np.concatenate(found).mean())
    return np.array(result)


def project(
    real: Sequence[Tensor], fake: Sequence[Tensor], directions: int = 16, seed: int = 0
) -> tuple[Projections, Projections]:
    """The projections that `sliced_distance` sorts, kept to ask for many subsets: (levels, directions, N, per_image).

    The first `directions` of those that `sliced_distance` takes with the same seed. A subset is `real[:, :, which]`.
    16 directions of 131,072 patches on three levels take 25 MB for each side.
    """
    _check_levels(real, fake)
    shapes = [(len(real), directions, *side[0].shape[:2]) for side in (real, fake)]
    projections = np.empty(shapes[0], np.float32), np.empty(shapes[1], np.float32)
    for depth, sides in enumerate(zip(real, fake, strict=True)):
        axes = _axes(sides[0], directions, (seed, depth))
        for kept, level in zip(projections, sides, strict=True):
            kept[depth] = _projected(axes, level).reshape(kept.shape[1:])
    return projections


def projected_distance(real: Projections, fake: Projections) -> Distances:
    """`sliced_distance` of what `project` gives, or of a subset of its images: (levels,)."""
    levels = zip(real, fake, strict=True)
    return np.array([_wasserstein(_flat(reals), _flat(fakes)).mean() for reals, fakes in levels])


def _check_levels(real: Sequence[Tensor], fake: Sequence[Tensor]) -> None:
    if not real or not fake or not all(len(level) for level in (*real, *fake)):
        raise DataError("the sliced Wasserstein distance needs patches of at least one real and one generated picture")
    if len(real) != len(fake):
        raise DataError(
            f"pyramids of {len(real)} and of {len(fake)} levels cannot be compared; "
            "real and generated pictures need the same size"
        )
    channels = real[0].shape[2], fake[0].shape[2]
    if channels[0] != channels[1]:
        raise DataError(f"patches of {channels[0]} and of {channels[1]} channels cannot be compared; convert one side")


def _places(numbers: Places, per_image: int, span: int, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Rows and columns (N, per_image) in 0..span - 1 of the patches' corners: a hash of key, number and patch."""
    state = np.zeros(1, np.uint64)
    for word in key:
        state = _mixed(state, np.array([word], np.uint64))
    state = _mixed(state, numbers.astype(np.uint64))
    state = _mixed(state[:, None], np.arange(per_image, dtype=np.uint64))
    rows, columns = (state >> np.uint64(32)) % np.uint64(span), (state & np.uint64(0xFFFFFFFF)) % np.uint64(span)
    return torch.from_numpy(rows.astype(np.int64)), torch.from_numpy(columns.astype(np.int64))


def _mixed(state: NDArray[np.uint64], word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Step number `word` of a SplitMix64 generator in `state`. Steele, Lea and Flood (2014).

    Randomness without a state of its own, so that it is the same for an image in any batch, and for many at once.
    """
    state = state + (word + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _cut(level: Tensor, places: tuple[Tensor, Tensor]) -> Tensor:
    """The patches of (N, C, S, S) with corners at `places`: float16 (N, per_image, C, 49)."""
    rows, columns = (place.to(level.device) for place in places)
    windows = level.unfold(2, _SIDE, 1).unfold(3, _SIDE, 1)
    images = torch.arange(len(level), device=level.device)[:, None]
    return windows[images, :, rows, columns].flatten(3).to(torch.float16)


def _axes(level: Tensor, directions: int, key: tuple[int, int]) -> Tensor:
    """Random unit vectors (directions, C·49), each coordinate divided by the deviation of its channel in the reals.

    Their mean is not subtracted: it would move both sides alike.
    """
    channels = level.shape[2]
    vectors = np.random.default_rng(key).standard_normal((directions, channels, _SIDE**2), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=(1, 2), keepdims=True)
    deviations = [float(level[:, :, channel].float().std(correction=0)) for channel in range(channels)]
    vectors /= np.maximum(deviations, _ROUNDING).astype(np.float32)[:, None]
    return torch.from_numpy(vectors).flatten(1)


def _projected(axes: Tensor, level: Tensor) -> Projections:
    """(directions, C·49) and (N, per_image, C, 49) -> (directions, N·per_image)."""
    patches = level.flatten(2).flatten(0, 1)
    result = np.empty((len(axes), len(patches)), np.float32)
    axes = axes.to(level.device)
    for start in range(0, len(patches), _PATCHES_AT_ONCE):
        part = patches[start : start + _PATCHES_AT_ONCE].float()
        result[:, start : start + len(part)] = (axes @ part.T).cpu().numpy()
    return result


def _wasserstein(real: Projections, fake: Projections) -> Distances:
    """Wasserstein-1 distance of each row of (directions, n) from that of (directions, m): (directions,)."""
    # NumPy sorts rows of float32 several times as fast as torch does
    real, fake = np.sort(real, axis=1), np.sort(fake, axis=1)
    count, other = real.shape[1], fake.shape[1]
    if count == other:
        return np.abs(real - fake).mean(1, dtype=np.float64)
    # both quantile functions are constant between multiples of 1/n and of 1/m; counted in units of 1/nm
    steps = np.union1d(np.arange(count + 1) * other, np.arange(other + 1) * count)
    widths, starts = np.diff(steps) / (count * other), steps[:-1]
    return np.abs(real[:, starts // other] - fake[:, starts // count]) @ widths


def _flat(projections: Projections) -> Projections:
    return projections.reshape(len(projections), -1)
