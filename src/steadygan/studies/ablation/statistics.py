"""What scores of paired runs prove. Pure arithmetic; scipy is loaded when it is used.

Runs of one seed share everything that chance decides, so what is judged is the difference of each pair (Bouthillier et
al. 2021), by a two-sided paired t test (Student 1908), over all variants by Holm (1979). Five pairs are the
fewest that are ever called a decision: below, nothing but an enormous effect could be told from chance, and whether the
differences are bell-shaped cannot be seen at all.

Where a technique does nothing, swapping the two runs of a seed only turns the sign of its difference. Differences are
then symmetric whatever the scores look like, and of symmetric differences with heavy tails the t test is cautious. This
holds with diverged runs too, by the way they count. It does not hold for a technique that is often a little better and
seldom much worse: of differences so lopsided (log-normal, of mean zero) 18 in 100 are decided instead of 5, with five
seeds, and 13 with twenty. No test of few numbers can see that, so every dot is shown beside the mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, median, stdev
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from steadygan.runs.study import Arm, Dot, Effect, Undecided
from steadygan.studies.ablation.records import Outcome

__all__ = ["ALPHA", "FEWEST", "arm", "effects", "holm", "interval", "outlying", "seeds_wanted", "t_test"]

ALPHA = 0.05
"""How often a whole study may decide anything where there is nothing."""

FEWEST = 5
"""Pairs below which nothing is decided."""

POWER = 0.8
_OUTLIER = 0.01
_MOST = 1000  # seeds looked through; beyond, the normal approximation is as good

Floats = NDArray[np.float64]


def effects(
    outcomes: Iterable[Outcome], base: str = "base", *, variants: Sequence[str] = (), seeds: Sequence[int] = ()
) -> tuple[Effect, ...]:
    """What each variant did against the base, in the order of `variants`, then of the outcomes.

    Of several outcomes of one run the last counts. `variants` are all that are to be tested, with or without outcomes:
    the correction is for so many from the first look on. While one of the `seeds` that are planned has no outcome, in
    the variant or in the base, nothing is decided, so that looking in between proves nothing by accident. A diverged
    run counts as the worst score that either variant got at any seed: it can only be worse, so the difference is the
    least that it could be. A run that failed for another reason says nothing of the technique; its pair is left out
    and the failure counted. Raises ValueError if runs do not agree on what is better.
    """
    runs = {(one.variant, one.seed): one for one in outcomes}
    if len({one.better for one in runs.values()}) > 1:
        raise ValueError("runs of one study were scored by scores of which one is better lower, one higher")
    names = [name for name in dict.fromkeys([*variants, *(name for name, _ in runs)]) if name != base]
    found = [_paired(runs, name, base, seeds) for name in names]
    tested = [place for place, one in enumerate(found) if not one.undecided]
    given = np.array([found[place].p_value for place in tested], dtype=float)
    adjusted, alphas = holm(given, len(names))
    rest = ALPHA / max(len(names) - int((adjusted < ALPHA).sum()), 1)
    levels = dict(zip(tested, (1 - alphas).tolist(), strict=True))
    p_holm = dict(zip(tested, adjusted.tolist(), strict=True))
    return tuple(
        _decided(one, levels.get(place, 1 - rest), p_holm.get(place), 1 - rest) for place, one in enumerate(found)
    )


def arm(outcomes: Iterable[Outcome], variant: str) -> Arm:
    """The runs of one variant counted and averaged; of several outcomes of a seed the last."""
    runs = list({one.seed: one for one in outcomes if one.variant == variant}.values())
    finished = [one for one in runs if one.state == "finished"]
    scores = [one.value for one in finished if one.value is not None]
    floors = [one.floor for one in finished if one.floor is not None]
    memory = [one.peak_memory_bytes for one in finished if one.peak_memory_bytes is not None]
    told = [one.collapsed for one in runs if one.collapsed is not None and one.state in ("finished", "diverged")]
    states = [one.state for one in runs]
    return Arm(
        variant=variant,
        runs=len(runs),
        diverged=states.count("diverged"),
        failed=states.count("failed") + len(finished) - len(scores),
        stopped=states.count("stopped early"),
        collapsed=sum(told),
        examined=len(told),
        mean=_mean(scores),
        spread=stdev(scores) if len(scores) > 1 else None,
        floor=_mean(floors),
        seconds=_mean([one.seconds for one in finished]),
        images=_mean([float(one.images) for one in finished]),
        peak_memory_bytes=_mean([float(value) for value in memory]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


Runs = dict[tuple[str, int], Outcome]
Lost = Literal["diverged"]


def _paired(runs: Runs, variant: str, base: str, seeds: Sequence[int]) -> Effect:
    """All but what depends on the other variants."""
    dots = _dots(runs, variant, base)
    differences = np.array([dot.difference for dot in dots])
    own = [one for (name, _), one in runs.items() if name == variant]
    missing = any((name, seed) not in runs for name in (variant, base) for seed in seeds)
    undecided = _why(own, differences, missing)
    time, memory = _costs(runs, variant, base)
    return Effect(
        variant=variant,
        better=next((one.better for one in runs.values()), "lower"),
        arm=arm(own, variant),
        dots=dots,
        undecided=undecided,
        mean=float(differences.mean()) if dots else None,
        median=float(median(differences.tolist())) if dots else None,
        p_value=float(t_test(differences)[2]) if not undecided else None,
        outlier=_outlier(dots),
        time=time,
        memory=memory,
    )


def _dots(runs: Runs, variant: str, base: str) -> tuple[Dot, ...]:
    """The pairs that can be compared, by seed."""
    seeds = sorted(seed for name, seed in runs if name == variant and (base, seed) in runs)
    pairs = {seed: (_scored(runs[variant, seed]), _scored(runs[base, seed])) for seed in seeds}
    scores = [score for both in pairs.values() for score in both if isinstance(score, float)]
    if not scores:
        return ()
    worst = max(scores) if next(iter(runs.values())).better == "lower" else min(scores)
    return tuple(_dot(seed, *both, worst) for seed, both in pairs.items() if None not in both)


def _dot(seed: int, own: float | Lost | None, other: float | Lost | None, worst: float) -> Dot:
    value, reference = (score if isinstance(score, float) else None for score in (own, other))
    diverged: dict[tuple[bool, bool], Literal["", "variant", "base", "both"]] = {
        (False, False): "",
        (True, False): "variant",
        (False, True): "base",
        (True, True): "both",
    }
    return Dot(
        seed=seed,
        difference=(worst if value is None else value) - (worst if reference is None else reference),
        value=value,
        base=reference,
        diverged=diverged[value is None, reference is None],
    )


def _scored(one: Outcome) -> float | Lost | None:
    """The score of a run, or that it is lost to divergence; None if the run says nothing of the technique."""
    if one.state == "diverged":
        return "diverged"
    return one.value if one.state == "finished" else None


def _why(own: Sequence[Outcome], differences: Floats, missing: bool) -> Undecided:
    """Why nothing can be decided from these pairs, whatever the test says; "" if something can."""
    reasons: dict[Undecided, bool] = {
        "stopped early": any(one.state == "stopped early" for one in own),
        "unfinished": missing,
        "no pairs": not len(differences),
        "few seeds": len(differences) < FEWEST,
        "no spread": len(differences) > 1 and not _spread(differences) > 0,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _spread(differences: Floats) -> float:
    """Standard deviation; zero where only rounding makes it more."""
    spread = float(differences.std(ddof=1))
    return spread if spread > 1e-12 * float(np.abs(differences).max()) else 0.0


def _costs(runs: Runs, variant: str, base: str) -> tuple[float | None, float | None]:
    """Time of an image and memory as ratios to the base: geometric means over the seeds at which both finished."""
    times, memories = [], []
    for (name, seed), one in runs.items():
        other = runs.get((base, seed))
        if name != variant or other is None or {one.state, other.state} != {"finished"}:
            continue
        if one.seconds and other.seconds and one.images and other.images:
            times.append(np.log(one.seconds / one.images) - np.log(other.seconds / other.images))
        if one.peak_memory_bytes and other.peak_memory_bytes:
            memories.append(np.log(one.peak_memory_bytes) - np.log(other.peak_memory_bytes))
    time, memory = (float(np.exp(np.mean(logs))) if logs else None for logs in (times, memories))
    return time, memory


def _outlier(dots: Sequence[Dot]) -> int | None:
    """The seed that stands apart; none if its run diverged, which is said anyway."""
    if len(dots) < FEWEST:
        return None
    differences = np.array([dot.difference for dot in dots])
    place = int(np.abs(differences - differences.mean()).argmax())
    return dots[place].seed if outlying(differences) and not dots[place].diverged else None


def _decided(one: Effect, level: float, p_holm: float | None, rest: float) -> Effect:
    """The effect with its interval and the decision. `level` is its own, `rest` that of all that is not decided."""
    differences = np.array([dot.difference for dot in one.dots])
    told: dict[str, Any] = {"level": level, "p_holm": p_holm}
    if len(differences) > 1 and one.undecided != "stopped early":
        low, high = interval(differences, level)
        told |= {"low": float(low), "high": float(high)}
    if p_holm is not None and p_holm < ALPHA:
        told["verdict"] = "helped" if (float(differences.mean()) < 0) == (one.better == "lower") else "hurt"
    elif not one.undecided:
        told["undecided"] = "chance"
    if "verdict" not in told and one.undecided in ("", "few seeds") and len(differences) > 2:
        wanted = seeds_wanted(_effect_size(differences), rest)
        told["more_seeds"] = None if wanted is None else max(wanted - len(differences), 1)
    return one.model_copy(update=told)


def _effect_size(differences: Floats) -> float:
    """Mean over standard deviation, less what few pairs overstate it by (Hedges 1981, equation 6e)."""
    from scipy.special import gammaln

    spread, half = _spread(differences), (len(differences) - 1) / 2
    if not spread:
        return 0.0
    correction = float(np.exp(gammaln(half) - gammaln(half - 0.5)) / np.sqrt(half))
    return abs(float(differences.mean())) / spread * correction


def t_test(differences: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, standard error and two-sided p-value of paired differences (…, pairs), two or more: Student (1908).

    Without any spread p is 1: such differences are no sample to judge by.
    """
    from scipy.special import stdtr

    pairs = differences.shape[-1]
    mean, error = differences.mean(-1), differences.std(-1, ddof=1) / np.sqrt(pairs)
    spread = error > 1e-12 * np.abs(differences).max(-1)
    t = np.abs(mean) / np.where(spread, error, 1.0)
    return mean, error, np.where(spread, 2 * stdtr(pairs - 1, -t), 1.0)


def holm(p_values: Floats, family: int) -> tuple[Floats, Floats]:
    """Adjusted p-values, and the alpha at which each was tested: Holm (1979), for p-values (…, tests).

    `family` counts the tests that could have been made; those without a p-value stand behind all others.
    """
    tests = p_values.shape[-1]
    order = p_values.argsort(-1, kind="stable")
    left = (family - np.arange(tests)).astype(float)
    sorted_p = np.take_along_axis(p_values, order, -1)
    climbing = np.minimum(np.maximum.accumulate(sorted_p * left, -1), 1.0)
    rejected = (climbing < ALPHA).sum(-1, keepdims=True)
    alphas = ALPHA / np.maximum(family - np.minimum(np.arange(tests), rejected), 1)
    adjusted, own = np.empty_like(p_values), np.empty_like(p_values)
    np.put_along_axis(adjusted, order, climbing, -1)
    np.put_along_axis(own, order, alphas, -1)
    return adjusted, own


def interval(differences: Floats, level: float | Floats) -> tuple[Floats, Floats]:
    """The paired t interval of the mean of differences (…, pairs) at a level such as 0.95.

    At the levels of `holm` each covers the true mean at least 95 times in 100, and all of a study together do where no
    variant differs; where several do, 92 to 95 times in 100 (simulated, 12 variants). Intervals that agree with Holm's
    decisions, say more than the sign, and always cover together are not to be had (Strassburger and Bretz 2008).
    """
    from scipy.special import stdtrit

    mean, error, _ = t_test(differences)
    reach = stdtrit(differences.shape[-1] - 1, (1 + np.asarray(level)) / 2) * error
    return mean - reach, mean + reach


def seeds_wanted(effect_size: float, level: float) -> int | None:
    """Pairs at which a paired t test at a `level` such as 0.95 sees an effect with power 0.8; None if it has no size.

    `effect_size` is the mean over the standard deviation of the differences: Cohen (1988), section 2.4, with the exact
    noncentral t distribution.
    """
    from scipy.special import nctdtr, ndtri, stdtrit

    if effect_size <= 0:
        return None
    pairs = np.arange(FEWEST, _MOST)
    t = stdtrit(pairs - 1, (1 + level) / 2)
    enough = nctdtr(pairs - 1, effect_size * np.sqrt(pairs), t) <= 1 - POWER
    if enough.any():
        return int(pairs[enough.argmax()])
    return int(np.ceil(((ndtri((1 + level) / 2) + ndtri(POWER)) / effect_size) ** 2))


def outlying(differences: Floats) -> NDArray[np.bool_]:
    """Whether the farthest of differences (…, pairs) is no draw from the same bell: Grubbs (1950), at 1 in 100."""
    from scipy.special import stdtrit

    pairs = differences.shape[-1]
    mean, spread = differences.mean(-1, keepdims=True), differences.std(-1, ddof=1)
    farthest = np.abs(differences - mean).max(-1)
    t = stdtrit(pairs - 2, 1 - _OUTLIER / (2 * pairs))
    bound = (pairs - 1) / np.sqrt(pairs) * np.sqrt(t**2 / (pairs - 2 + t**2))
    found: NDArray[np.bool_] = farthest > bound * spread
    return found
