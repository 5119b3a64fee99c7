"""Whether pictures begin to look augmented."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from steadygan.metrics.frechet import Gaussian, gaussian_distance

_SIDE = 6  # with many more areas than that, a few hundred pictures are too few to know how these vary together


def areas(pictures: Tensor) -> Tensor:
    """Mean levels of 6×6 areas of uint8 (N, C, S, S), float32 (N, D) in 0..1: what moves, cuts and recolours shows."""
    return adaptive_avg_pool2d(pictures.float(), min(_SIDE, pictures.shape[-1])).flatten(1) / 255


def leak(fake: Tensor, augmented: Tensor, real: Tensor) -> float | None:
    """How far fakes have moved on the way from reals (0) to augmented reals (1).

    `areas` (N, D) of each; None if reals and augmented ones differ no more than halves of the reals do. By Fréchet
    distances, which are squares, it is the foot of the perpendicular from the fakes on that way, by the law of cosines
    (d(f, r) - d(f, a) + d(r, a)) / (2 d(r, a)); but no more than they are nearer to augmented reals than reals are,
    1 - d(f, a) / d(r, a), or else darker pictures would pass for augmented ones. What so few reals as there are fakes
    are apart from others is taken off d(f, a). In 0..1.
    """
    reals, fakes, changed = (Gaussian.of(rows) for rows in (real, fake, augmented))
    halves = gaussian_distance(Gaussian.of(real[::2]), Gaussian.of(real[1::2]))
    whole = gaussian_distance(reals, changed)
    if whole <= halves:
        return None
    some = torch.arange(len(real)) % max(2, len(real) // len(fake)) == 0
    chance = gaussian_distance(Gaussian.of(real[some]), Gaussian.of(real[~some]))
    beyond = gaussian_distance(fakes, changed)
    along = gaussian_distance(reals, fakes) - beyond + whole
    return min(max(min(along / (2 * whole), 1 - (beyond - chance) / whole), 0.0), 1.0)
