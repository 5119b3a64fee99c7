"""Exact tests of guesses against chance, and what they need: intervals and quantiles. Needs no tensors and no scipy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95

_EXACTLY = 500  # answers


def fleiss_kappa(counts: Sequence[Sequence[int]]) -> float | None:
    """Agreement beyond chance. Fleiss (1971), Psychological Bulletin 76, page 378.

    `counts`: for each question how many raters chose each category, as many raters for all, at least 2. At most 1,
    and 0 by chance; None if all chose the same category throughout, when chance agrees as well.
    """
    table = np.array(counts, np.float64)
    raters = table[0].sum()
    observed = ((table**2).sum(1) - raters).mean() / (raters * (raters - 1))
    chance = ((table.sum(0) / table.sum()) ** 2).sum()
    return None if math.isclose(chance, 1) else float((observed - chance) / (1 - chance))


def sign_flip(scores: Iterable[int]) -> tuple[float, float]:
    """Exact p-values, two-sided and one-sided, of a sum if each score had its sign from a coin. Fisher (1935), § 21.

    Of scores 1 and -1 this is the exact binomial test against 1/2.
    """
    steps = list(scores)
    chances = np.ones(1)
    for step in map(abs, steps):
        flat = np.zeros(2 * step)
        chances = (np.concatenate([chances, flat]) + np.concatenate([flat, chances])) / 2
    middle, total = len(chances) // 2, sum(steps)
    return min(1.0, 2 * float(chances[middle + abs(total) :].sum())), min(1.0, float(chances[middle + total :].sum()))


def guess_tail(guesses: Iterable[Mapping[str, int]], letters: int, right: int) -> float:
    """Exact p-value, one-sided, of `right` guesses or more if each truth was drawn evenly from so many `letters`.

    `guesses` say for each truth how many raters guessed which letter: those share the luck of that one draw. With one
    rater this is the binomial test against 1 / `letters`.
    """
    chances = np.ones(1)
    for counts in guesses:
        hits = np.zeros(max(counts.values()) + 1)
        hits[0] = letters - len(counts)
        for count in counts.values():
            hits[count] += 1
        chances = np.convolve(chances, hits / letters)
    return min(1.0, float(chances[right:].sum()))


def answers_needed(share: float, chance: float = 0.5) -> int:
    """How many answers, to a question each, show in four tests of five that raters right in this `share` do not guess.

    The fewest at which the exact test at 5 %, two-sided of two choices and one-sided of more, has that power; beyond
    500 by its normal approximation (Fleiss, Levin and Paik 2003, chapter 2). `share` is not `chance`.
    """
    two_sided = chance == 0.5
    spread = (1.959964 if two_sided else 1.644854) * math.sqrt(chance * (1 - chance))
    about = math.ceil(((spread + 0.841621 * math.sqrt(share * (1 - share))) / (share - chance)) ** 2)
    if about > _EXACTLY:
        return about
    return next(count for count in range(1, 2 * _EXACTLY) if _power(count, share, chance, two_sided) >= 0.8)


def _power(count: int, share: float, chance: float, two_sided: bool) -> float:
    """How often the exact test at 5 % of so many answers finds that they are right in a `share`."""
    tails = binomial(count, chance)[::-1].cumsum()[::-1]  # at least so many right
    critical = (
        int((tails * (1 + two_sided) < 1 - LEVEL).argmax()) if tails[-1] * (1 + two_sided) < 1 - LEVEL else count + 1
    )
    found = binomial(count, share)
    return float(found[critical:].sum() + (found[: max(0, count - critical + 1)].sum() if two_sided else 0))


def binomial(count: int, share: float) -> NDArray[np.float64]:
    """Probabilities of 0 to `count` right ones, float64 (count + 1,)."""
    ways = [math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) for k in range(count + 1)]
    right = np.arange(count + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.array(ways) + np.where(right, right * np.log(share), 0)
        logs += np.where(count - right, (count - right) * np.log1p(-share), 0)
    found: NDArray[np.float64] = np.exp(logs)
    return found


def clopper_pearson(right: float, answers: float, level: float = LEVEL) -> tuple[float, float]:
    """Exact interval of a share. Clopper and Pearson (1934), by quantiles of the beta distribution.

    Counts need not be whole: effective ones are not.
    """
    tail, wrong = (1 - level) / 2, answers - right
    low = beta_quantile(tail, right, wrong + 1) if right > 0 else 0.0
    high = beta_quantile(1 - tail, right + 1, wrong) if wrong > 0 else 1.0
    return low, high


def beta_quantile(share: float, a: float, b: float) -> float:
    """Where the beta distribution reaches `share`, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if beta_share(middle, a, b) < share else (low, middle)
    return (low + high) / 2


def beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b): the continued fraction 8.17.22 of the DLMF."""
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_share(1 - x, b, a)  # the side on which the fraction converges quickly
    fraction = 1.0
    for m in range(50 + int(5 * math.sqrt(max(a, b))), 0, -1):
        fraction = 1 + m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)) / fraction
        fraction = 1 - (a + m - 1) * (a + b + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1)) / fraction
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / (a * fraction)


def chi_square_tail(value: float, freedom: int) -> float:
    """How often chi-square with `freedom` degrees exceeds `value`; the closed sums 8.4.10 and 8.8.2 of the DLMF."""
    half = value / 2
    if half <= 0:
        return 1.0
    tail = math.exp(-half) if freedom % 2 == 0 else math.erfc(math.sqrt(half))
    start = 1.0 if freedom % 2 == 0 else 0.5
    for order in range((freedom - 1) // 2):
        power = start + order
        tail += math.exp(power * math.log(half) - half - math.lgamma(power + 1))
    return tail


def student_quantile(freedom: int, level: float = LEVEL) -> float:
    """How many standard errors reach to either side of a mean, estimated with `freedom` degrees, at `level`.

    Student (1908), through the beta distribution.
    """
    x = beta_quantile(1 - level, freedom / 2, 0.5)
    return math.sqrt(freedom * (1 - x) / x)
