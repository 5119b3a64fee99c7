"""How far a score of finitely many images can be trusted."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from steadygan.errors import DataError

Statistic = Callable[[Tensor, Tensor], float]

MOST = 1000
"""Images in a subsample at most, so that an interval takes no longer for many images than for some."""


class Subsamples(NamedTuple):
    """Indices of some reals and some fakes, int64 on the processor, in random order; `share` of each side."""

    draws: Sequence[tuple[Tensor, Tensor]]
    share: float


class Interval(NamedTuple):
    """Ends of a confidence interval, in the units of the score."""

    low: float
    high: float


def subsamples(real: int, fake: int, repeats: int, rng: torch.Generator, most: int = MOST) -> Subsamples:
    """Random halves of `real` reals and `fake` fakes, or `most` of the larger side and the same share of the other.

    A side that is not looked at may be 0. The same ones serve all statistics of the same sides. DataError for a side
    of 1 to 3 images, for two empty sides, or for fewer than 2 repeats.
    """
    if min(real or 4, fake or 4) < 4 or not real + fake:
        raise DataError(f"{real:,} reals and {fake:,} generated images have no halves to compare; give 4 or more")
    if repeats < 2:
        raise DataError(f"{repeats} subsamples do not tell how a score varies; draw 25 or more")
    share = min(0.5, most / max(real, fake))
    draws = [(_some(real, share, rng), _some(fake, share, rng)) for _ in range(repeats)]
    return Subsamples(draws, share)


def interval(statistic: Statistic, samples: Subsamples, value: float, level: float = 0.95) -> Interval:
    """Confidence interval `value` ± z · `deviation`, z being the normal quantile of `level`.

    `value` is the statistic of all images. The deviation is known to about 1 / √(2 repeats) of itself, and too few
    repeats cover less than `level`: take 25 or more. The interval is of the score of this many images: the bias of a
    score, as the Fréchet distance has it, is not in it.
    """
    reach = statistics.NormalDist().inv_cdf((1 + level) / 2) * deviation(statistic, samples)
    return Interval(value - reach, value + reach)


def deviation(statistic: Statistic, samples: Subsamples) -> float:
    """Standard error of a statistic of all images: its deviation over subsamples, times √(s / (1 - s)) of share s.

    Shao and Wu (1989), the jackknife that deletes many; Politis and Romano (1994), section 2. `statistic` takes the
    indices of some of the reals and of some of the fakes. A half has twice the variance of the whole, and half of that
    is not seen because halves share their images: what is left is the variance of the whole. Drawn without
    replacement, since the copies of a bootstrap are neighbours at distance 0 and raise kernel and Fréchet distances.

    Right for statistics that vary like a mean. Where two sides hardly differ, kernel and Fréchet distances vary like
    a square, and this is too large (up to √3 times for halves), so that intervals are then wide rather than false.
    """
    values = [statistic(real, fake) for real, fake in samples.draws]
    scale = math.sqrt(samples.share / (1 - samples.share))
    return scale * float(torch.tensor(values, dtype=torch.float64).std())


def _some(count: int, share: float, rng: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=rng)[: int(count * share)]
