"""What the numbers of a series say together: their level, their noise, their trend, and when they can be judged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steadygan.doctor.case import SIGNALS, Case, Series

RECENT = 3
"""Measurements whose median is a level: a single one may be an accident."""

# An untrained generator has odd colours, grids and copies of grey; nothing of that is a fault yet. It is over when the
# pictures' distance to the reals has levelled, or after this share of the budget whatever the distance does.
_BEGINNING = 0.12
_LEVELLED = 0.9  # of the third before: what the median distance of the last third then still is
_THIRD = 4  # measurements, fewer of which say nothing of a level

# From the standard normal quantile to Student's: Abramowitz and Stegun (1964), 26.7.5, the first three terms.
_Z = 1.959964


@dataclass(frozen=True)
class Trend:
    """How a positive quantity goes with the images seen: to value · 2^slope when they double.

    `low` to `high` holds the slope with 95 % probability if the noise is independent; `points` is how many were fitted.
    """

    slope: float
    low: float
    high: float
    points: int

    def after(self, times: float) -> tuple[float, float, float]:
        """By what the value is multiplied once there are so many times the images: likely, least, most."""
        likely, least, most = (float(times**slope) for slope in (self.slope, self.low, self.high))
        return likely, least, most


def level(series: Series, last: int = RECENT) -> float:
    """The median of the last so many finite values; NaN if there are fewer."""
    values = series.finite().values
    return float(np.median(values[-last:])) if len(values) >= last else math.nan


def start(series: Series, first: int = RECENT) -> float:
    """As `level`, of the first values."""
    values = series.finite().values
    return float(np.median(values[:first])) if len(values) >= first else math.nan


def smooth(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Running medians of `width`, an odd number, values; at both ends of fewer."""
    half = width // 2
    return np.array([np.median(values[max(0, place - half) : place + half + 1]) for place in range(len(values))])


def noise(values: NDArray[np.float64]) -> float:
    """Standard deviation of values from their smooth course, from their second differences; NaN for fewer than 4.

    These are 0 on a straight line, and of independent values have 6 times the variance.
    """
    bends = np.abs(np.diff(values, 2))
    return float(np.median(bends)) / (0.6745 * math.sqrt(6)) if len(bends) > 1 else math.nan


def trend(series: Series) -> Trend | None:
    """A straight line through the logarithms of value and images; None for fewer than 4 values or one not above 0."""
    good = series.finite()
    if len(good) < 4 or good.values.min() <= 0 or good.images[0] <= 0 or good.images[0] == good.images[-1]:
        return None
    x, y = np.log(good.images), np.log(good.values)
    x = x - x.mean()
    slope = float((x * y).sum() / (x * x).sum())
    freedom = len(y) - 2
    error = math.sqrt(float(((y - y.mean() - slope * x) ** 2).sum()) / freedom / float((x * x).sum()))
    reach = _student(freedom) * error
    return Trend(slope, slope - reach, slope + reach, len(y))


def _student(freedom: int) -> float:
    """The 97.5 % point of Student's distribution, for 2 degrees of freedom or more within 3 %."""
    first = (_Z**3 + _Z) / 4
    second = (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / 96
    third = (3 * _Z**7 + 19 * _Z**5 + 17 * _Z**3 - 15 * _Z) / 384
    return _Z + first / freedom + second / freedom**2 + third / freedom**3


def used(case: Case) -> float:
    """Share of the budget used so far; NaN if it is unknown."""
    return case.images / case.budget_images if case.budget_images else math.nan


def lived(case: Case) -> float:
    """Share of the budget that these weights have learned for; NaN if it is unknown."""
    return (case.images - case.began_images) / case.budget_images if case.budget_images else math.nan


def past_beginning(case: Case) -> bool:
    """Whether the pictures can be judged: their distance has levelled, or much of the budget is used."""
    distance = case["signals.distance"].finite().values
    third = len(distance) // 3
    levelled = third >= _THIRD and np.median(distance[-third:]) > _LEVELLED * np.median(distance[-2 * third : -third])
    return bool(levelled) or lived(case) >= _BEGINNING


class Quality(NamedTuple):
    """What says how good the pictures are, lower is better; `cheap` if it is of the generator as it trains."""

    called: str
    series: Series
    cheap: bool


def quality(case: Case, least: int, first: str = "") -> Quality | None:
    """The score that picks the best, another, or the cheap distance: the first with so many values; None if none has.

    `first` goes before all.
    """
    for name in (first, *_QUALITY):
        series = case[name].finite()
        if len(series) >= least:
            return Quality(_QUALITY[name], series, name.startswith(SIGNALS))
    return None


_QUALITY = {
    "scores.fd-training": "the score that picks the best (fd-training)",
    "scores.swd": "the sliced Wasserstein distance",
    "signals.distance": "the pictures' distance to the training images",
    "scores.fid": "the score FID",  # other programs' own
}
