"""Whether the colours are right, wherever they are: distances between histograms of all pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from steadygan.errors import DataError
from steadygan.metrics.pictures import check_pictures

_LEVELS = 256


def colour_histograms(images: Tensor) -> Tensor:
    """How many pixels of each image have each grey level, on each axis: int16 (N, A, 256), of large ones int32.

    `images`: uint8 (N, C, S, S). The first C axes are the channels. For three channels or more two follow, R - G and
    (R + G)/2 - B of the first three, shifted and halved from -255..255 to 0..255, so that grey is at 127: they see
    which values meet in a pixel, as the channels alone do not.
    """
    check_pictures(images)
    axes = _axes(images)
    kind = torch.int16 if images[0, 0].numel() < 2**15 else torch.int32
    count, number = axes.shape[:2]
    rows = torch.arange(count * number, device=axes.device, dtype=torch.int32).mul_(_LEVELS)
    places = axes.flatten(0, 1).flatten(1).add_(rows[:, None])
    return places.flatten().bincount(minlength=count * number * _LEVELS).to(kind).view(count, number, _LEVELS)


def colour_distance(real: Tensor, fake: Tensor) -> float:
    """How far the colours of all fakes together are from those of all reals, in grey levels; lower is better.

    `real`, `fake`: rows of `colour_histograms`, (N, A, 256) and (M, A, 256). The mean over the axes of the
    Wasserstein-1 distance of the pooled histograms (the earth mover's distance of Rubner et al. 2000 on a line: the sum
    of absolute differences of the cumulative shares). 0 to 255; all pixels brighter by 3 levels is 3 on the channels
    and 0 on the opponent axes. A step of an opponent axis is two levels of difference. Symmetric, and a metric of
    pooled colours: it does not see which image has which colour, nor where.
    """
    if not len(real) or not len(fake):
        raise DataError("colours need at least one real and one generated picture to be compared")
    if real.shape[1:] != fake.shape[1:]:
        raise DataError(
            f"colour histograms on {real.shape[1]} and on {fake.shape[1]} axes cannot be compared; "
            "real and generated pictures need the same channels"
        )
    shares = (rows.sum(0, dtype=torch.float64) for rows in (real, fake))
    reals, fakes = (pooled.cumsum(1) / pooled.sum(1, keepdim=True) for pooled in shares)
    return float((reals - fakes).abs().sum(1).mean())


def _axes(images: Tensor) -> Tensor:
    """(N, C, S, S) -> int32 (N, A, S, S), all in 0..255."""
    levels = images.to(torch.int32)
    if levels.shape[1] < 3:
        return levels
    red, green, blue = levels[:, 0], levels[:, 1], levels[:, 2]
    opponent = torch.stack([(red - green + 255) >> 1, (red + green - 2 * blue + 510) >> 2], dim=1)
    return torch.cat([levels, opponent], dim=1)
