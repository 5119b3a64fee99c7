"""Whether the pictures get better: a quantity lately, before that, at first and at its best, as medians."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steadygan.doctor.case import Case, Series
from steadygan.doctor.trends import RECENT, level, past_beginning, quality

BETTER = 0.97  # of the level before: distances of a few hundred pictures repeat within 2 to 3 %
LITTLE = 0.8  # of the first distance, that of an untrained generator: a fifth is soon gained by colour alone
WORSE = 1.5  # times the best level: the distance of 64 pictures swings by a third in health
ENOUGH = 2 * RECENT  # measurements, for two levels
YOUNG = 200  # steps, in which a DCGAN leaves the grey it begins with whatever the budget; 100 are usual
LONG = 10  # measurements: batches of 16 at 128 pixels had a discriminator lose its way for five, and recover


@dataclass(frozen=True)
class Improvement:
    """A quality, lower is better: the level lately (a quarter of the run so far), before, at first, at its best."""

    called: str
    now: float
    before: float
    first: float
    best: float

    @property
    def stalled(self) -> bool:
        """Whether it no longer improves."""
        return self.now > BETTER * self.before

    @property
    def little(self) -> bool:
        """Whether it has hardly improved since the beginning."""
        return self.now >= LITTLE * self.first

    @property
    def worse(self) -> bool:
        """Whether it has been clearly better."""
        return self.now >= WORSE * self.best

    def __str__(self) -> str:
        past = f"{self.before:.3g} before, {self.first:.3g} at first, {self.best:.3g} at its best"
        return f"{self.called} is {self.now:.3g} ({past})"


def grown(case: Case) -> bool:
    """Whether the pictures can be judged: an untrained generator's look like every failure there is."""
    return case.steps_learned >= YOUNG and past_beginning(case)


def progress(case: Case) -> Improvement | None:
    """How the pictures' quality goes, by the distance measured most often; None if too little was measured."""
    found = quality(case, ENOUGH, first="signals.distance")
    if found is None:
        return None
    values = found.series.values
    width = max(RECENT, len(values) // 4)
    now, before = np.median(values[-width:]), np.median(values[-2 * width : -width])
    return Improvement(found.called, float(now), float(before), float(values[0]), float(medians(values).min()))


def medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each three values in turn: a run's course without single jumps."""
    found: NDArray[np.float64] = np.median(np.lib.stride_tricks.sliding_window_view(values, RECENT), axis=1)
    return found


def lately(series: Series) -> float:
    """The median of the last tenth of the values, but three at least; NaN if there are fewer."""
    return level(series, _latest(series))


def for_long(series: Series) -> float:
    """What three quarters of the last tenth of the values exceed, but of ten at least; NaN if there are fewer than 20.

    For records that do not show the pictures, where nothing else tells growth from a spell that passes.
    """
    values = series.finite().values
    return float(np.percentile(values[-max(LONG, len(values) // 10) :], 25)) if len(values) >= 2 * LONG else math.nan


def formerly(series: Series) -> float:
    """The median of what was before that; NaN if it is too little."""
    values = series.finite().values[: -_latest(series)]
    return float(np.median(values)) if len(values) >= RECENT else math.nan


def _latest(series: Series) -> int:
    return max(RECENT, len(series.finite()) // 10)


def first_known(case: Case, *names: str) -> Series:
    """The first of these series that has been written; else an empty one."""
    return next((case[name] for name in names if len(case[name])), case[names[-1]])
