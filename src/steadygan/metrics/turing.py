"""A visual Turing test: questions drawn from a seed, answers, and what they prove. Needs no tensors."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from steadygan.errors import DataError
from steadygan.part import Value
from steadygan.records import now

Side = Literal["left", "right"]
Choice = Literal["left", "right", "real", "fake"]

SURE = 0.05
"""Below this p-value a difference is called one."""

_LEVEL = 0.95


class PairQuestion(Value):
    """Which of two pictures is real? `real` and `fake` are indices, `truth` is the side on which the real one stands.

    The two-alternative forced choice of Green and Swets (1966), chapter 2: it needs no threshold of the rater's own.
    """

    kind: Literal["pair"] = "pair"
    real: int = Field(ge=0)
    fake: int = Field(ge=0)
    truth: Side


class SingleQuestion(Value):
    """Is this one picture real or generated? `image` is an index among the reals or the fakes, as `truth` says.

    A sheet of mixed pictures is as many of these.
    """

    kind: Literal["single"] = "single"
    image: int = Field(ge=0)
    truth: Literal["real", "fake"]


Question = Annotated[PairQuestion | SingleQuestion, Field(discriminator="kind")]

_CHOICES: dict[str, tuple[Choice, Choice]] = {"pair": ("left", "right"), "single": ("real", "fake")}


class Answer(Value):
    """What one rater said to one question: the side or the kind taken for the true one, after `seconds`."""

    question: Question
    rater: str = Field(min_length=1)
    choice: Choice
    seconds: float = Field(ge=0)
    time: str = Field(default_factory=now)

    @model_validator(mode="after")
    def _fits(self) -> Answer:
        choices = _CHOICES[self.question.kind]
        if self.choice not in choices:
            raise ValueError(f"a {self.question.kind} is answered by {choices[0]} or {choices[1]}, not {self.choice}")
        return self

    @property
    def right(self) -> bool:
        return self.choice == self.question.truth


def make_pairs(reals: int, fakes: int, count: int, seed: int) -> tuple[PairQuestion, ...]:
    """`count` pairs from so many `reals` and `fakes`, each used at most once; the real one left as often as right.

    Reals should be held-out ones: a generator that copies what it was trained on would pass with these.
    """
    _enough(count, reals, fakes)
    rng = np.random.default_rng(seed)
    sides = _balanced(rng, count, _CHOICES["pair"])
    chosen = (rng.permutation(reals)[:count].tolist(), rng.permutation(fakes)[:count].tolist())
    drawn = zip(*chosen, sides, strict=True)
    return tuple(PairQuestion.model_validate({"real": r, "fake": f, "truth": side}) for r, f, side in drawn)


def make_singles(reals: int, fakes: int, count: int, seed: int) -> tuple[SingleQuestion, ...]:
    """`count` pictures, half of them real, in random order, each used at most once; an odd one falls to either side."""
    _enough((count + 1) // 2, reals, fakes)
    rng = np.random.default_rng(seed)
    truths = _balanced(rng, count, _CHOICES["single"])
    left = {"real": rng.permutation(reals).tolist(), "fake": rng.permutation(fakes).tolist()}
    return tuple(SingleQuestion.model_validate({"image": left[truth].pop(), "truth": truth}) for truth in truths)


def _enough(count: int, reals: int, fakes: int) -> None:
    if count < 1:
        raise DataError("a Turing test needs at least one question")
    for name, there in (("real", reals), ("generated", fakes)):
        if there < count:
            raise DataError(f"a Turing test needs {count} {name} pictures and there are {there}; ask fewer questions")


def _balanced(rng: np.random.Generator, count: int, choices: tuple[Choice, Choice]) -> list[Choice]:
    first = int(rng.integers(2))
    return [choices[(first + place) % 2] for place in rng.permutation(count)]


class Tally(Value):
    """Right answers among all, against a coin.

    `accuracy` is 0..1, and 1/2 is the best that a generator can wish for. `low` to `high` is the 95% interval of
    Clopper and Pearson (1934), which covers at least as often as it says. `p_value` is two-sided: how often as uneven
    an outcome is chance alone; `p_better` counts only outcomes as good for the raters. Median `seconds` of an answer.
    """

    answers: int
    right: int
    accuracy: float
    low: float
    high: float
    p_value: float
    p_better: float
    seconds: float


class RaterTally(Tally):
    """The answers of one rater."""

    rater: str


class TuringResult(Tally):
    """All answers together, and how much the raters differ.

    The p-values are exact in any case: without a difference between real and generated pictures the truth of each
    question is a coin, whatever all raters say to it (Fisher 1935, chapter 2). Several answers to one question
    therefore share its coin. The interval counts answers of one question, or of one rater, as related: it is that of
    answers / design effect independent ones (Korn and Graubard 1998), the larger effect of the two and no less than 1.
    `error` is the standard error from the same effect. With two or three raters their effect is itself uncertain.

    `differ` is the p-value of Pearson's chi-square test of one accuracy for all raters (an approximation, from about
    ten answers each), `kappa` Fleiss's agreement on the questions that all of them answered: 1 if always of one mind,
    0 as by chance. Each is None where it does not exist, as with a single rater.
    """

    error: float
    differ: float | None
    kappa: float | None
    raters: tuple[RaterTally, ...]

    def describe(self) -> str:
        """One sentence: the count, its interval, and what may be concluded."""
        head = f"{self.right} of {self.answers} right ({self.low:.0%} to {self.high:.0%}), {_p(self.p_value)}: "
        apart = f"; the raters differ ({_p(self.differ)})" if self.differ is not None and self.differ < SURE else ""
        return head + self._verdict() + apart

    def _verdict(self) -> str:
        if self.p_value >= SURE:
            return f"no proof that the fakes can be told apart, nor that they cannot in up to {self.high:.0%} of cases"
        if self.accuracy > 0.5:
            return "the fakes can be told apart"
        return "the fakes are taken for real more often than the reals are"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def turing_result(answers: Sequence[Answer]) -> TuringResult:
    """What the answers prove. DataError if there are none, of both kinds, or two of one rater to one question."""
    _check(answers)
    by_rater: dict[str, list[Answer]] = {}
    for answer in answers:
        by_rater.setdefault(answer.rater, []).append(answer)
    effect = max(1.0, _design_effect(answers, _question_of), _design_effect(answers, _rater_of))
    pooled = _tally(answers, effect)
    share = pooled["accuracy"]
    return TuringResult(
        **pooled,
        error=math.sqrt(effect * share * (1 - share) / max(1, len(answers) - 1)),
        differ=_differ(list(by_rater.values()), share),
        kappa=_agreement(answers, len(by_rater)),
        raters=tuple(RaterTally(rater=name, **_tally(own, 1.0)) for name, own in sorted(by_rater.items())),
    )


def _check(answers: Sequence[Answer]) -> None:
    if not answers:
        raise DataError("there is no answer to judge by; take the test first")
    if len({answer.question.kind for answer in answers}) > 1:
        raise DataError("answers to pairs and to single pictures are two tests; judge them one by one")
    for (rater, _), times in Counter((answer.rater, answer.question) for answer in answers).items():
        if times > 1:
            raise DataError(f"{rater} answered one question {times} times; keep the first answer")


def _question_of(answer: Answer) -> Question:
    return answer.question


def _rater_of(answer: Answer) -> str:
    return answer.rater


def _tally(answers: Sequence[Answer], effect: float) -> dict[str, Any]:
    right = sum(answer.right for answer in answers)
    scores: Counter[Question] = Counter()
    for answer in answers:
        scores[answer.question] += 1 if answer.right else -1
    low, high = clopper_pearson(right / effect, len(answers) / effect)
    two_sided, better = sign_flip(scores.values())
    return {
        "answers": len(answers),
        "right": right,
        "accuracy": right / len(answers),
        "low": low,
        "high": high,
        "p_value": two_sided,
        "p_better": better,
        "seconds": statistics.median(answer.seconds for answer in answers),
    }


def _design_effect(answers: Sequence[Answer], group_of: Callable[[Answer], object]) -> float:
    """Variance of the accuracy with whole groups drawn, over that of single answers; 1 if each is its own group."""
    share = sum(answer.right for answer in answers) / len(answers)
    surplus: dict[object, float] = {}
    for answer in answers:
        surplus[group_of(answer)] = surplus.get(group_of(answer), 0.0) + answer.right - share
    groups, count = len(surplus), len(answers)
    if groups < 2 or share in (0, 1):
        return 1.0
    clustered = groups / (groups - 1) * sum(value**2 for value in surplus.values()) / count**2
    return clustered / (share * (1 - share) / (count - 1))


def _differ(raters: Sequence[Sequence[Answer]], share: float) -> float | None:
    if len(raters) < 2 or share in (0, 1):
        return None
    off = sum((sum(answer.right for answer in own) - len(own) * share) ** 2 / len(own) for own in raters)
    return chi_square_tail(off / (share * (1 - share)), len(raters) - 1)


def _agreement(answers: Sequence[Answer], raters: int) -> float | None:
    said: dict[Question, list[Choice]] = {}
    for answer in answers:
        said.setdefault(answer.question, []).append(answer.choice)
    counts = [[said.count(c) for c in _CHOICES[q.kind]] for q, said in said.items() if len(said) == raters]
    return fleiss_kappa(counts) if raters > 1 and counts else None


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


def clopper_pearson(right: float, answers: float, level: float = _LEVEL) -> tuple[float, float]:
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


def student_quantile(freedom: int, level: float = _LEVEL) -> float:
    """How many standard errors reach to either side of a mean, estimated with `freedom` degrees, at `level`.

    Student (1908), through the beta distribution.
    """
    x = beta_quantile(1 - level, freedom / 2, 0.5)
    return math.sqrt(freedom * (1 - x) / x)
