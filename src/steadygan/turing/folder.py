"""The folder of a visual Turing test, `RUN/turing/NAME`: `test.json`, pictures of opaque names, `answers.jsonl`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from steadygan.errors import ConfigError, DataError, os_errors
from steadygan.names import shown, to_json
from steadygan.part import Value
from steadygan.records import now
from steadygan.rundir import RunDir, append_line, atomic_write
from steadygan.turing.questions import LetterQuestion, PairQuestion, Question, SingleQuestion, letter_places
from steadygan.turing.tally import Answer

Kind = Literal["pairs", "sheets", "letters"]
PictureName = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

QUESTIONS: Mapping[Kind, type[PairQuestion | SingleQuestion | LetterQuestion]] = {
    "pairs": PairQuestion,
    "sheets": SingleQuestion,
    "letters": LetterQuestion,
}
"""What each kind of test asks."""

_LONGEST_NAME = 60
_LARGEST = 2**26  # bytes of a file of ours; a foreign one may be anything


class TuringTest(Value):
    """The contents of `test.json`: everything about a test, its truth among it.

    `reals` names the pictures of held-out images by their numbers among these, `fakes` those of latents by theirs;
    `digests` are the SHA-256 of all files by their names. `per_sheet` is how many questions are asked at once.
    `remarks` say why the reals may not be unknown to the generator.
    """

    kind: Kind
    created: str = Field(default_factory=now)
    seed: int = Field(ge=0, lt=2**63)
    run: str
    checkpoint: str
    images: int
    data: str
    data_digest: str
    size: int = Field(ge=1)
    channels: int = Field(ge=1)
    per_sheet: int = Field(default=1, ge=1, le=100)
    reals: dict[int, PictureName]
    fakes: dict[int, PictureName]
    digests: dict[PictureName, Digest]
    questions: tuple[Question, ...] = Field(min_length=1, max_length=10_000)
    remarks: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if any(not isinstance(question, QUESTIONS[self.kind]) for question in self.questions):
            raise ValueError(f"a test of {self.kind} asks something else")
        if sorted(self.digests) != sorted([*self.reals.values(), *self.fakes.values()]):
            raise ValueError("not every picture has one name and one digest")
        try:
            for question in self.questions:
                self.shown(question)
        except KeyError as problem:
            raise ValueError(f"picture {problem} is asked for, and there is none") from problem
        return self

    def shown(self, question: Question) -> list[str]:
        """Names of a question's pictures, from left to right and from top to bottom."""
        if isinstance(question, PairQuestion):
            pair = [self.reals[question.real], self.fakes[question.fake]]
            return pair if question.truth == "left" else pair[::-1]
        if isinstance(question, SingleQuestion):
            return [(self.reals if question.truth == "real" else self.fakes)[question.image]]
        left = {False: iter(question.reals), True: iter(question.fakes)}
        places = letter_places(question.truth, question.column)
        return [(self.fakes if fake else self.reals)[next(left[fake])] for fake in places]

    @cached_property
    def screens(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the questions that are asked at once."""
        numbers = range(len(self.questions))
        return tuple(tuple(numbers[start : start + self.per_sheet]) for start in numbers[:: self.per_sheet])

    def order(self, rater: str) -> tuple[tuple[int, ...], ...]:
        """The screens in the order in which this rater sees them, the same every time."""
        key = int.from_bytes(hashlib.blake2b(rater.encode(), digest_size=8).digest(), "big")
        order = np.random.default_rng([self.seed, key]).permutation(len(self.screens))
        return tuple(self.screens[place] for place in order)


class TestSummary(Value):
    """What may be said of a test before it is answered."""

    folder: Path
    kind: Kind
    screens: int
    questions: int


class Given(Value):
    """A line of `answers.jsonl`: what a rater chose at the question of this number."""

    question: int = Field(ge=0)
    rater: str = Field(min_length=1, max_length=_LONGEST_NAME)
    choice: str
    seconds: float = Field(ge=0, le=1e9)
    time: str = Field(default_factory=now)


def rater_named(text: str) -> str:
    """The name that a rater goes by; ConfigError for one that is empty, too long or unprintable."""
    name = " ".join(text.split())
    if not name:
        raise ConfigError("say who answers: a name of your choice")
    if len(name) > _LONGEST_NAME or shown(name) != name:
        raise ConfigError(f"a rater's name has up to {_LONGEST_NAME} plain characters; choose another")
    return name


@dataclass(frozen=True)
class TuringFolder:
    """A test in its folder. Every method reads answers anew; the test itself never changes."""

    TEST: ClassVar = "test.json"
    ANSWERS: ClassVar = "answers.jsonl"
    ENDED: ClassVar = "ended"

    path: Path

    @cached_property
    def test(self) -> TuringTest:
        """What is asked; DataError if this is no test or a damaged one."""
        file = self.path / self.TEST
        try:
            if file.stat().st_size > _LARGEST:
                raise DataError(f"{file} is larger than any test; is it one?")
            return TuringTest.model_validate_json(file.read_bytes())
        except OSError as problem:
            raise DataError(f"{self.path} holds no Turing test: its {self.TEST} cannot be read") from problem
        except ValidationError as problem:
            first = problem.errors()[0]
            where = ".".join(map(str, first["loc"])) or "it"
            raise DataError(f"{file} is no Turing test: {where}: {first['msg']}; make a new one") from problem

    def summary(self) -> TestSummary:
        """How much it asks."""
        test = self.test
        return TestSummary(folder=self.path, kind=test.kind, screens=len(test.screens), questions=len(test.questions))

    def picture(self, name: str) -> Path:
        """The file of a picture; DataError if the test has none of this name."""
        if name not in self.test.digests:
            raise DataError(f"this test has no picture {name}")
        return self.path / f"{name}.png"

    @property
    def ended(self) -> bool:
        """Whether it takes no more answers, whoever has not finished."""
        return (self.path / self.ENDED).exists()

    def end(self) -> None:
        """Take no more answers."""
        atomic_write(self.path / self.ENDED, now() + "\n")

    @os_errors()
    def given(self) -> list[Given]:
        """The answers so far, oldest first; of two by one rater to one question the first.

        A last line cut short by a crash is passed over; DataError names any other that is no answer to this test.
        """
        file = self.path / self.ANSWERS
        if not file.exists():
            return []
        if file.stat().st_size > _LARGEST:
            raise DataError(f"{file} is larger than the answers to any test; is it one?")
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
        found: dict[tuple[str, int], Given] = {}
        for number, line in enumerate(filter(None, lines[:-1]), start=1):
            try:
                given = Given.model_validate_json(line)
                self._answer(given)
            except (ValueError, IndexError) as problem:
                raise DataError(f"{file}, line {number} is no answer to this test; delete that line") from problem
            found.setdefault((given.rater, given.question), given)
        return list(found.values())

    def answers(self) -> list[Answer]:
        """The answers so far, with their questions."""
        return [self._answer(given) for given in self.given()]

    def _answer(self, given: Given) -> Answer:
        return Answer(question=self.test.questions[given.question], **given.model_dump(exclude={"question"}))

    def raters(self) -> dict[str, int]:
        """How many questions each rater has answered, in the order in which they came."""
        counts: dict[str, int] = {}
        for given in self.given():
            counts[given.rater] = counts.get(given.rater, 0) + 1
        return counts

    def unfinished(self) -> dict[str, int]:
        """How many answers each rater who began still owes."""
        owed = {name: len(self.test.questions) - count for name, count in self.raters().items()}
        return {name: count for name, count in owed.items() if count}

    @property
    def open_for_all(self) -> bool:
        """Whether truth may be shown: it was ended, or somebody has answered all and nobody is in the middle."""
        raters = self.raters()
        return bool(raters) and (self.ended or set(raters.values()) == {len(self.test.questions)})

    def next_screen(self, rater: str) -> tuple[int, ...]:
        """The questions that this rater is to answer next, without those already answered; () at the end."""
        done = {given.question for given in self.given() if given.rater == rater}
        rest = (tuple(number for number in screen if number not in done) for screen in self.test.order(rater))
        return next(filter(None, rest), ())

    def give(self, rater: str, choices: Mapping[int, str], seconds: float) -> None:
        """Write down a rater's answers to one screen, `seconds` for all of them together, before this returns.

        What was answered before stays as it was. ConfigError if the test has ended, or if these are not the answers to
        the questions that come next.
        """
        if self.ended:
            raise ConfigError("this test has ended and takes no more answers; look at its result")
        wanted, known = self.next_screen(rater), {given.question for given in self.given() if given.rater == rater}
        if set(choices) <= known:  # sent twice
            return
        if set(choices) != set(wanted):
            raise ConfigError("these are not the questions that come next; load the page again")
        lines = [self._line(number, rater, choices[number], seconds / len(wanted)) for number in wanted]
        append_line(self.path / self.ANSWERS, "\n".join(lines), durable=True)

    def _line(self, number: int, rater: str, choice: str, seconds: float) -> str:
        question = self.test.questions[number]
        if choice not in question.choices:
            raise ConfigError(f"'{shown(choice)}' is no answer here; choose {' or '.join(question.choices)}")
        return to_json(Given(question=number, rater=rater, choice=choice, seconds=seconds))


def turing_folders(run: Path) -> list[TuringFolder]:
    """The tests of a run, oldest name first, readable or not."""
    files = sorted(RunDir(run).turing.glob(f"[!.]*/{TuringFolder.TEST}"))  # one that begins with a dot is being made
    return [TuringFolder(file.parent) for file in files]


def write_test(folder: Path, test: TuringTest) -> None:
    """Write what is asked into a new folder, with a file for the answers."""
    (folder / TuringFolder.TEST).write_text(json.dumps(json.loads(to_json(test))) + "\n", encoding="utf-8")
    (folder / TuringFolder.ANSWERS).touch()


def digest(content: bytes) -> str:
    """The digest of a picture's file."""
    return hashlib.sha256(content).hexdigest()


def named(folders: Sequence[TuringFolder], name: str) -> TuringFolder:
    """The test of this name; DataError tells which there are."""
    for folder in folders:
        if folder.path.name == name:
            return folder
    there = ", ".join(folder.path.name for folder in folders) or "none yet"
    raise DataError(f"there is no Turing test '{shown(name)}'; there are: {there}")
