"""Answers to a visual Turing test, and what they prove."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import Field, model_validator

from steadygan.errors import DataError
from steadygan.part import Value
from steadygan.records import now
from steadygan.turing.exact import chi_square_tail, clopper_pearson, fleiss_kappa, guess_tail, sign_flip
from steadygan.turing.questions import LetterQuestion, Question

SURE = 0.05
"""Below this p-value a difference is called one."""


class Answer(Value):
    """What one rater said to one question: the side, the kind or the letter taken for the true one, after `seconds`."""

    question: Question
    rater: str = Field(min_length=1)
    choice: str
    seconds: float = Field(ge=0)
    time: str = Field(default_factory=now)

    @model_validator(mode="after")
    def _fits(self) -> Answer:
        choices = self.question.choices
        if self.choice not in choices:
            said = " or ".join(choices) if len(choices) == 2 else f"one of {' '.join(choices)}"
            raise ValueError(f"a {self.question.kind} is answered by {said}, not {self.choice}")
        return self

    @property
    def right(self) -> bool:
        return self.choice == self.question.truth


class Tally(Value):
    """Right answers among all, against guesses.

    `accuracy` is 0..1, and `chance`, 1/2 or of letters 1/34, the best that a generator can wish for. `low` to `high` is
    the 95% interval of Clopper and Pearson (1934), which covers at least as often as it says. `p_value` is two-sided:
    how often as uneven an outcome is chance alone; `p_better` counts only outcomes as good for the raters. Of letters
    both are that: too few right ones mean nothing. Median `seconds` of an answer.
    """

    answers: int
    right: int
    accuracy: float
    chance: float
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
    question is a coin (of letters: a die), whatever all raters say to it (Fisher 1935, chapter 2). Several answers to
    one question therefore share it. The interval counts answers of one question, or of one rater, as related: it is
    that of answers / design effect independent ones (Korn and Graubard 1998), the larger effect of the two and no less
    than 1. `error` is the standard error from the same effect. With two or three raters their effect is itself
    uncertain.

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
        head = f"{self.right} of {self.answers} right ({self.low:.0%} to {self.high:.0%}), {p_text(self.p_value)}: "
        apart = f"; the raters differ ({p_text(self.differ)})" if self.differ is not None and self.differ < SURE else ""
        return head + self.verdict() + apart

    def verdict(self) -> str:
        """What may be concluded."""
        if self.p_value >= SURE:
            return f"no proof that the fakes can be told apart, nor that they cannot in up to {self.high:.0%} of cases"
        if self.accuracy > self.chance:
            return "the fakes can be told apart"
        return "the fakes are taken for real more often than the reals are"


def p_text(value: float) -> str:
    """A p-value as articles write it."""
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
        raise DataError("answers to pairs, to single pictures and to letters are two tests; judge them one by one")
    for (rater, _), times in Counter((answer.rater, answer.question) for answer in answers).items():
        if times > 1:
            raise DataError(f"{rater} answered one question {times} times; keep the first answer")


def _question_of(answer: Answer) -> Question:
    return answer.question


def _rater_of(answer: Answer) -> str:
    return answer.rater


def _tally(answers: Sequence[Answer], effect: float) -> dict[str, Any]:
    right = sum(answer.right for answer in answers)
    low, high = clopper_pearson(right / effect, len(answers) / effect)
    two_sided, better = _p_values(answers)
    return {
        "answers": len(answers),
        "right": right,
        "accuracy": right / len(answers),
        "chance": 1 / len(answers[0].question.choices),
        "low": low,
        "high": high,
        "p_value": two_sided,
        "p_better": better,
        "seconds": statistics.median(answer.seconds for answer in answers),
    }


def _p_values(answers: Sequence[Answer]) -> tuple[float, float]:
    """Two-sided and one-sided; of letters one-sided both times."""
    first = answers[0].question
    if isinstance(first, LetterQuestion):
        guesses: dict[Question, Counter[str]] = {}
        for answer in answers:
            guesses.setdefault(answer.question, Counter())[answer.choice] += 1
        tail = guess_tail(guesses.values(), len(first.choices), sum(answer.right for answer in answers))
        return tail, tail
    scores: Counter[Question] = Counter()
    for answer in answers:
        scores[answer.question] += 1 if answer.right else -1
    return sign_flip(scores.values())


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
    said: dict[Question, list[str]] = {}
    for answer in answers:
        said.setdefault(answer.question, []).append(answer.choice)
    counts = [[said.count(c) for c in q.choices] for q, said in said.items() if len(said) == raters]
    return fleiss_kappa(counts) if raters > 1 and counts else None
