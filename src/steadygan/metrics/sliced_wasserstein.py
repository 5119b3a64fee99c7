"""Sliced Wasserstein distance between sets of images, with nothing to download."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from numpy import uint8
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from steadygan.ops.images import from_uint8

_PATCH = 7
_PATCHES_PER_IMAGE = 16
_DIRECTIONS = 128
_SMALLEST = 16


def sliced_wasserstein(real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Mean Wasserstein-1 distance of one-dimensional projections. Rabin et al. (2011), equation 2.

    `real`, `fake`: (N, D), as many of each; projections on `_DIRECTIONS` random unit vectors. Returns a scalar >= 0.
    """
    directions = torch.randn(real.shape[1], _DIRECTIONS, generator=rng)
    directions /= directions.norm(dim=0)
    ordered_real, ordered_fake = ((x @ directions).sort(dim=0).values for x in (real, fake))
    return (ordered_real - ordered_fake).abs().mean()


def laplacian_levels(images: Tensor) -> Iterator[Tensor]:
    """Levels of a Laplacian pyramid (N, C, S, S), finest first, down to 16 pixels. Burt and Adelson (1983).

    Box filter down, bilinear up; the last level is the small image itself.
    """
    while images.shape[-1] >= 2 * _SMALLEST:
        smaller = avg_pool2d(images, 2)
        yield images - interpolate(smaller, size=images.shape[-2:], mode="bilinear", align_corners=False)
        images = smaller
    yield images


def patches(images: Tensor, rng: torch.Generator) -> Tensor:
    """Random 7×7 patches of every image. (N, C, S, S) -> (16 N, 49, C); images smaller than a patch: (N, S S, C)."""
    count, channels, size, _ = images.shape
    if size < _PATCH:
        return images.permute(0, 2, 3, 1).reshape(count, -1, channels)
    picked = torch.randint(size - _PATCH + 1, (2, count * _PATCHES_PER_IMAGE, 1), generator=rng)
    offsets = torch.arange(_PATCH)
    ys, xs = (picked[0] + offsets)[:, :, None], (picked[1] + offsets)[:, None, :]
    which = torch.arange(count).repeat_interleave(_PATCHES_PER_IMAGE)[:, None, None]
    return images.permute(0, 2, 3, 1)[which, ys, xs].flatten(1, 2)


class SlicedWassersteinToReals:
    """Distance of generated images to a fixed set of real ones, mean over the levels of a pyramid; lower is better.

    Karras et al. (2018), section 5, with fewer patches and projections, so that it can be asked often, and with both
    sides normalised by the reals' mean and deviation, so that a wrong colour counts. In units of that deviation.
    `real`: uint8 (N, H, W, C); a call takes as many fakes in the same form.
    """

    name = "swd"
    says = "how far what is generated is from the training data, in units of their deviation"

    def __init__(self, real: NDArray[uint8]) -> None:
        self.count = len(real)
        self.protocol = f"swd-1 train n={self.count} patches={_PATCHES_PER_IMAGE} directions={_DIRECTIONS}"
        levels = list(_levels(real, seed=0))
        self.scales = [(level.mean((0, 1)), level.std((0, 1)) + 1e-8) for level in levels]
        self.real = self._normalised(levels)

    def __call__(self, fake: NDArray[uint8]) -> float:
        rng = torch.Generator().manual_seed(2)
        pairs = zip(self.real, self._normalised(_levels(fake, seed=1)), strict=True)
        return float(torch.stack([sliced_wasserstein(real, fake, rng) for real, fake in pairs]).mean())

    def _normalised(self, levels: Iterable[Tensor]) -> list[Tensor]:
        scaled = zip(levels, self.scales, strict=True)
        return [((level - mean) / std).flatten(1) for level, (mean, std) in scaled]


def _levels(images: NDArray[uint8], seed: int) -> Iterator[Tensor]:
    rng = torch.Generator().manual_seed(seed)
    pixels = from_uint8(torch.tensor(images).permute(0, 3, 1, 2))
    return (patches(level, rng) for level in laplacian_levels(pixels))
