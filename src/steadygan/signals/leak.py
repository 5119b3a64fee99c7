"""Whether pictures begin to look augmented."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from steadygan.metrics.frechet import Gaussian, gaussian_distance

_SIDE = 6  # with many more areas than that, a few hundred pictures are too few to know how these vary together


def areas(pictures: Tensor) -> Tensor:
    """Mean levels of 6×6 areas of uint8 (N, C, S, S), float32 (N, D) in 0..1: what moves, cuts and recolours shows."""
    return adaptive_avg_pool2d(pictures.float(), min(_SIDE, pictures.shape[-1])).flatten(1) / 255


def leak(fake: Tensor, augmented: Tensor, real: Tensor) -> float | None:
    """How far fakes have moved on the way from reals (0) to augmented reals (1).

    `areas` (N, D) of each; None if reals and augmented ones differ no more than halves of the reals do. The foot of
    the perpendicular from the fakes on that way, by the law of cosines with Fréchet distances, which are squares:
    (d(f, r) - d(f, a) + d(r, a)) / (2 d(r, a)), clipped to 0..1. What is wrong with fakes otherwise lies mostly beside
    the way.
    """
    reals, fakes, changed = (Gaussian.of(rows) for rows in (real, fake, augmented))
    halves = gaussian_distance(Gaussian.of(real[::2]), Gaussian.of(real[1::2]))
    whole = gaussian_distance(reals, changed)
    if whole <= halves:
        return None
    along = gaussian_distance(reals, fakes) - gaussian_distance(changed, fakes) + whole
    return min(max(along / (2 * whole), 0.0), 1.0)
