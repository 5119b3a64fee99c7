"""Whether a run is too short, long enough, or past its best."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from steadygan.doctor.case import Case
from steadygan.doctor.remedies import augment, falling_rates
from steadygan.doctor.rule import Rule
from steadygan.doctor.trends import RECENT, Trend, noise, quality, smooth, trend, used
from steadygan.records import CLOSE, nearly_lowest

ARTICLE_STEPS = 20_000
"""What a founding article trains that names a number: "39 mistakes" 20,000 steps, the one on faces 50,000."""

_FEW_SCORES = 6  # values from which a best and a later level can be told apart
_SINCE = 0.25  # of the run so far must have passed since the best: a dip is shorter
_WORSE = CLOSE - 1  # by which it must be worse now, whatever the noise: below that the newest counts as best
_WORSE_CHEAP = 0.5  # the same of the cheap distance, of the generator as it trains: good runs wander by a third
_SIGMAS = 3.0  # of the noise of a single value, by which it must be worse
_SMOOTHED = 8  # parts of the run, in each of which a median counts as best: the least of many values is luck
_MANY = 12  # values from which they are smoothed
_END = 0.95  # of the budget
_TAIL = 0.5  # of the images so far, since which a trend counts: the last doubling
_FITTED = 4  # values a trend needs
_GAIN = 0.03  # by which twice the images must lower the score, for somebody to wait for it


class Past(NamedTuple):
    """That the best is over: what measures it, the images of the best, its value, the value now, the noise as a share.

    `cheap` as in `Quality`.
    """

    called: str
    images: int
    best: float
    now: float
    scatter: float
    cheap: bool


def past_best(case: Case) -> Past | None:
    """None if it is not. The value now is a median of the last, the best one of neighbours where there are many."""
    found = quality(case, _FEW_SCORES)
    if found is None or found.series.values.min() <= 0:
        return None
    series = found.series
    width = max(RECENT, len(series) // _SMOOTHED | 1)
    values = smooth(series.values, width) if len(series) >= _MANY else series.values
    best = int(values.argmin())
    if not found.cheap and nearly_lowest(series.values)[-1] == len(series) - 1:
        return None
    now, scatter = float(np.median(series.values[-width:])), noise(np.log(series.values))
    long_ago = series.images[-1] - series.images[best] >= _SINCE * series.images[-1] > 0
    worse = _WORSE_CHEAP if found.cheap else _WORSE
    if not long_ago or not math.log(now / values[best]) > max(math.log(1 + worse), _SIGMAS * scatter):
        return None
    return Past(found.called, int(series.images[best]), float(values[best]), now, scatter, found.cheap)


@dataclass(frozen=True)
class Tail:
    """How what measures the pictures went since half as many images: its trend, and its value now as that has it."""

    called: str
    trend: Trend
    now: float

    def __str__(self) -> str:
        likely, least, most = (times - 1 for times in self.trend.after(2))
        return f"{self.called} changes by {likely:+.0%} when the images double (95 %: {least:+.0%} to {most:+.0%})"

    @property
    def improves(self) -> bool:
        """Whether it surely falls, by enough to wait for it."""
        return self.trend.high < 0 and self.trend.after(2)[0] < 1 - _GAIN


def tail(case: Case) -> Tail | None:
    """None while there are too few values."""
    half = _TAIL * case.images - 1
    found = quality(replace(case, series={name: one.since(half) for name, one in case.series.items()}), _FITTED)
    fitted = trend(found.series) if found else None
    if found is None or fitted is None:
        return None
    images, values = np.log(found.series.images), np.log(found.series.values)
    return Tail(found.called, fitted, math.exp(values.mean() + fitted.slope * (images[-1] - images.mean())))


def _past(case: Case) -> str | None:
    found = past_best(case)
    if found is None:
        return None
    return (
        f"{found.called} was {found.best:.3g} after {found.images:,} images and is {found.now:.3g} now, "
        f"{found.now / found.best - 1:.0%} worse where single values scatter by {found.scatter:.0%}; "
        f"{1 - found.images / case.images:.0%} of the run came after its best"
    )


def _improves(case: Case) -> str | None:
    found = tail(case)
    if found is None or not used(case) >= _END or not found.improves:
        return None
    return f"over the last doubling of images {found}, and the budget ends"


def _against_decline(case: Case) -> list[str]:
    found = past_best(case)
    end = f"--images {found.images} (end where it was best)" if found else "--images N (end where it was best)"
    again = augment(case) if case.views > _OFTEN else []
    return ["steadygan sample RUN (it takes the best checkpoint, which was kept)", *again, *falling_rates(case), end]


_OFTEN = 20.0  # times each image was seen, from which over-fitting is the likeliest reason for a decline


def duration(seconds: float) -> str:
    """Seconds in words: 45 s, 12 min, 3 h 20 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


BUDGET: tuple[Rule, ...] = (
    Rule(
        id="past-best",
        severity="warning",
        says="the pictures were better some time ago",
        causes="too few images for so long a training; learning rates that stay as large as at the start; a collapse",
        judge=_past,
        remedies=_against_decline,
        source="Karras et al. (2020), arXiv:2006.06676, figure 1",
        unless="augmentation or a schedule is just changing what the pictures are: then wait until it has ended",
        picture="progress.gif",
    ),
    Rule(
        id="still-improving",
        severity="info",
        says="the run ends while its pictures still improve",
        causes="a budget that was a guess",
        judge=_improves,
        remedies=lambda case: [f"steadygan resume RUN --images {2 * case.images} (what has been learned stays)"],
        source="Huang et al. (2024), arXiv:2501.05441, who train 250 million images",
        unless="schedules with a length of their own have ended with the budget: then begin anew with longer ones",
    ),
)
