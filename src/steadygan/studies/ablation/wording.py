"""What an effect means, in plain words and short cells."""

from __future__ import annotations

from steadygan.runs.study import Arm, Effect, Question
from steadygan.studies.ablation.statistics import FEWEST

__all__ = ["amount", "how_to_read", "interval_words", "ratio", "sentence", "share", "signed", "verdict"]

_ALIKE = 0.02  # of time or memory
_MANY = 100  # more seeds than anybody would add


def sentence(effect: Effect, base: Arm, question: Question) -> str:
    """What a variant did, with the numbers, its cost, and what went wrong on the way."""
    parts = [_finding(effect, base, question), _further(effect), _cost(effect), *_troubles(effect, base)]
    return f"{question.title(effect.variant)}{' '.join(filter(None, parts))}"


def _finding(effect: Effect, base: Arm, question: Question) -> str:
    metric, pairs = question.metric, len(effect.dots)
    if effect.verdict != "not decided":
        best, word = (effect.better_at, "better") if effect.verdict == "helped" else (effect.worse_at, "worse")
        change, percent = _change(effect), _percent(effect, base)
        told = "; ".join(filter(None, (percent, f"interval {interval_words(effect)}")))
        return f" {effect.verdict}: {metric} is {change} ({told}), {word} at {best} of {pairs} seeds."
    percent = f" ({_percent(effect, base)})" if _percent(effect, base) else ""
    seen = f"{metric} is {_change(effect)}{percent}"
    so_far = f"So far {seen}." if pairs else ""
    return {
        "chance": f": not decided at this budget. On average {seen}, but anything from {interval_words(effect)} fits.",
        "few seeds": f": not decided, since {_number(pairs)} too few (at least {FEWEST}). {so_far}",
        "unfinished": f": not decided yet, since runs are still to come. {so_far}".rstrip(),
        "stopped early": ": stopped early, as it was far behind, and therefore not judged.",
        "no pairs": f": nothing to compare, since at no seed is there a {metric} of both this and the base.",
        "no spread": f": {_same(effect, metric)}",
    }[effect.undecided or "chance"]


def _number(pairs: int) -> str:
    return "one seed is" if pairs == 1 else f"{pairs} seeds are"


def _change(effect: Effect) -> str:
    mean = effect.mean or 0.0
    return f"{amount(abs(mean))} {'lower' if mean < 0 else 'higher'}" if mean else "the same"


def _percent(effect: Effect, base: Arm) -> str:
    """The difference as a part of the base's mean."""
    return f"{abs(effect.mean / base.mean):.0%}" if base.mean and effect.mean else ""


def _same(effect: Effect, metric: str) -> str:
    if not effect.mean:
        return f"no difference at any of {len(effect.dots)} seeds. It changes nothing here."
    return (
        f"not decided. {metric} differs by {signed(effect.mean)} at every single seed, which chance does not do; "
        "see whether these runs are what they should be."
    )


def _further(effect: Effect) -> str:
    """How many more seeds it would take."""
    more = effect.more_seeds
    if more is None:
        return ""
    if more > _MANY:
        return f"To decide about so small a difference would take more than {_MANY} more seeds."
    return (
        f"About {more} more {'seed' if more == 1 else 'seeds'} would decide, if the difference is as large as it looks."
    )


def _cost(effect: Effect) -> str:
    """Time and memory against the base."""
    told = {name: _more(value) for name, value in (("time", effect.time), ("memory", effect.memory)) if value}
    if not told:
        return ""
    words = "as much time and memory" if [*told.values()] == ["as much"] * 2 else ""
    return f"It takes {words or ' and '.join(f'{more} {name}' for name, more in told.items())}."


def _more(value: float) -> str:
    if abs(value - 1) < _ALIKE:
        return "as much"
    if value >= 2:
        return f"{value:.1f} times the"
    return f"{abs(value - 1):.0%}" + (" more" if value > 1 else " less")


def _troubles(effect: Effect, base: Arm) -> list[str]:
    arm, found = effect.arm, []
    if arm.collapsed or (base.collapsed and arm.examined):
        found.append(f"Collapsed: {share(arm)} runs (base {share(base)}).")
    if arm.diverged or base.diverged:
        counted = "; such a run counts as the worst score of the two variants" if effect.dots else ""
        found.append(f"Diverged: {arm.diverged} of {arm.runs} runs (base {base.diverged} of {base.runs}){counted}.")
    if arm.failed:
        found.append(f"Failed: {arm.failed} of {arm.runs} runs, left out with their pairs.")
    if effect.outlier is not None:
        found.append(f"Seed {effect.outlier} lies far from the others: look at its runs before you believe the mean.")
    return found


def how_to_read(question: Question) -> str:
    """What the numbers are and are not, for below a table."""
    return (
        "How to read it: runs of one seed share their data order, their start and their held-out pictures, so that "
        "only the variant differs within a pair. Intervals and verdicts are of the mean of these differences (paired "
        f"t), corrected for {len(question.titles)} comparisons (Holm): where no variant does anything, 19 studies in "
        f"20 call none helped or hurt. Below {FEWEST} seeds nothing is. A diverged run counts as the worst score of "
        "the two variants compared, so that such a difference is the least that it may be; a failed run is left out "
        "with its pair. A mean says little of a variant that is often a little better and seldom much worse: look at "
        "the dots."
    )


def amount(value: float) -> str:
    """Three digits, without powers of ten where one can do without."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def signed(value: float) -> str:
    """With its sign, a true minus."""
    return f"{'−' if value < 0 else '+'}{amount(abs(value))}"


def interval_words(effect: Effect) -> str:
    """The interval, or nothing where there is none."""
    return "" if effect.low is None or effect.high is None else f"{signed(effect.low)} to {signed(effect.high)}"


def verdict(effect: Effect) -> str:
    """The verdict in one or two words, with what there is instead of one."""
    return {"stopped early": "stopped early", "unfinished": "not yet"}.get(effect.undecided, effect.verdict)


def ratio(value: float | None) -> str:
    """A ratio to the base as a percentage more or less, of a large one how many times."""
    if value is None:
        return ""
    return f"× {value:.1f}" if value >= 2 else f"{signed(round(100 * (value - 1)))}%"


def share(arm: Arm) -> str:
    """How many runs collapsed, of those that were looked at."""
    return f"{arm.collapsed} of {arm.examined}" if arm.examined else ""
