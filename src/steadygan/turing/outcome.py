"""What a visual Turing test found: the result, the pictures that convinced most and least, and it in sentences."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from pydantic import Field

from steadygan.errors import DataError
from steadygan.part import Value
from steadygan.turing.exact import answers_needed
from steadygan.turing.folder import Kind, TuringFolder, TuringTest
from steadygan.turing.questions import LetterQuestion, PairQuestion, SingleQuestion
from steadygan.turing.tally import SURE, Answer, TuringResult, p_text, turing_result

_PLAIN = 0.05  # nearer to chance than this an accuracy is no plan for more answers
_WORDS: dict[Kind, tuple[str, str]] = {
    "pairs": ("pair", "pairs"),
    "sheets": ("picture", "pictures"),
    "letters": ("sheet", "sheets"),
}
_KAPPA = ((0.8, "almost always"), (0.6, "mostly"), (0.4, "often"), (0.2, "a little more than by chance"))


class PictureVotes(Value):
    """How one picture did: of so many `answers` about it how many took it for `real`; median seconds of them."""

    name: str
    truth: str
    answers: int
    real: int
    seconds: float

    @property
    def share(self) -> float:
        """In which share of answers it passed for real."""
        return self.real / self.answers


class SheetGuesses(Value):
    """A letter's sheet: its number, its letter and what each rater read."""

    question: int
    letter: str
    guesses: dict[str, str]


class Verdict(Value):
    """The result of one test. `unfinished` are answers that raters who began did not give.

    `fakes` begin with those taken for real most, `reals` with those taken for real least; both are empty for letters,
    whose answers are about no single picture and stand in `sheets`.
    """

    name: str
    kind: Kind
    created: str
    run: str
    checkpoint: str
    images: int
    data: str
    data_digest: str
    seed: int
    questions: int
    result: TuringResult
    sentences: tuple[str, ...]
    unfinished: dict[str, int] = Field(default_factory=dict)
    fakes: tuple[PictureVotes, ...] = ()
    reals: tuple[PictureVotes, ...] = ()
    sheets: tuple[SheetGuesses, ...] = ()


def outcome(folder: TuringFolder) -> Verdict:
    """What the answers so far show; DataError if there are none."""
    test, answers = folder.test, folder.answers()
    if not answers:
        raise DataError(f"nobody has answered {folder.path.name} yet; take the test first")
    result, unfinished = turing_result(answers), folder.unfinished()
    votes = _votes(test, answers)
    fakes = [one for one in votes if one.truth == "fake"]
    reals = [one for one in votes if one.truth == "real"]
    return Verdict(
        name=folder.path.name,
        **test.model_dump(include={"kind", "created", "run", "checkpoint", "images", "data", "data_digest", "seed"}),
        questions=len(test.questions),
        result=result,
        sentences=(*sentences(test.kind, result, unfinished), *map(_ended, test.remarks)),
        unfinished=unfinished,
        fakes=tuple(sorted(fakes, key=lambda one: (-one.share, -one.answers, one.seconds))),
        reals=tuple(sorted(reals, key=lambda one: (one.share, -one.answers, one.seconds))),
        sheets=tuple(_sheets(test, answers)),
    )


def _ended(remark: str) -> str:
    """A remark as a sentence of its own."""
    return f"{remark[:1].upper()}{remark[1:]}."


def _votes(test: TuringTest, answers: Sequence[Answer]) -> list[PictureVotes]:
    said: dict[tuple[str, str], list[tuple[bool, float]]] = {}
    for answer in answers:
        for name, truth, real in _judged(test, answer):
            said.setdefault((name, truth), []).append((real, answer.seconds))
    return [
        PictureVotes(
            name=name,
            truth=truth,
            answers=len(votes),
            real=sum(real for real, _ in votes),
            seconds=statistics.median(seconds for _, seconds in votes),
        )
        for (name, truth), votes in said.items()
    ]


def _judged(test: TuringTest, answer: Answer) -> Iterable[tuple[str, str, bool]]:
    """The pictures that an answer is about: name, truth, and whether it was taken for real."""
    question = answer.question
    if isinstance(question, PairQuestion):
        yield test.reals[question.real], "real", answer.right
        yield test.fakes[question.fake], "fake", not answer.right
    elif isinstance(question, SingleQuestion):
        yield test.shown(question)[0], question.truth, answer.choice == "real"


def _sheets(test: TuringTest, answers: Sequence[Answer]) -> Iterable[SheetGuesses]:
    for number, question in enumerate(test.questions):
        guesses = {answer.rater: answer.choice for answer in answers if answer.question == question}
        if isinstance(question, LetterQuestion) and guesses:
            yield SheetGuesses(question=number, letter=question.truth, guesses=guesses)


def sentences(kind: Kind, result: TuringResult, unfinished: dict[str, int] | None = None) -> list[str]:
    """What it means, for people: the count, chance, what is certain, what more answers would bring, the raters."""
    one, many = _WORDS[kind]
    guessing = f"by guessing it would be about {round(result.answers * result.chance, 1):g}"
    said = [
        f"{result.right} of {result.answers} answers are right; {guessing}.",
        f"{_luck(kind, result)} ({p_text(result.p_value)}): {result.verdict()}.",
        f"With 95 % certainty raters like these are right about {result.low:.0%} to {result.high:.0%} of all {many}.",
        _more(one, many, result),
    ]
    if result.kappa is not None:
        word = next((word for least, word in _KAPPA if result.kappa > least), "no more than by chance")
        said.append(f"The raters agree {word} (Fleiss's kappa {result.kappa:.2f}).")
    if result.differ is not None and result.differ < SURE:
        said.append(f"Some raters see more than others ({p_text(result.differ)}); look at each of them.")
    if unfinished:
        who = ", ".join(f"{name} ({count} left)" for name, count in unfinished.items())
        said.append(f"Not finished: {who}.")
    return said


def _luck(kind: Kind, result: TuringResult) -> str:
    far = "as many right answers" if kind == "letters" else "an outcome as far from half"
    if result.p_value < 0.001:
        return f"Guessing gives {far} in fewer than 1 of 1,000 such tests"
    share = f"{result.p_value * 100:.0f} of 100" if result.p_value >= 0.01 else f"{result.p_value * 1000:.0f} of 1,000"
    return f"Guessing gives {far} in {share} such tests"


def _more(one: str, many: str, result: TuringResult) -> str:
    if result.p_value < SURE:
        return "That is enough to decide; more answers only tell more exactly how often."
    apart = abs(result.accuracy - result.chance) >= _PLAIN and 0 < result.accuracy < 1
    supposed = result.accuracy if apart and (result.chance == 0.5 or result.accuracy > result.chance) else None
    share = supposed or (0.6 if result.chance == 0.5 else 0.2)
    whose = "If they go on like this" if supposed else f"If they can be told apart {share:.0%} of the time"
    needed = answers_needed(share, result.chance)
    return f"{whose}, about {needed:,} {many} would show it in four tests of five; a {one} counts once."
