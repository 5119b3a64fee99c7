"""Questions of a visual Turing test, drawn from a seed. They hold their truth, so none goes to a rater."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from steadygan.errors import DataError
from steadygan.part import Value
from steadygan.turing.glyphs import COLUMNS, LETTERS, ROWS, dots

SIDE = 7
"""A letter's sheet has as many rows and columns."""

Index = Annotated[int, Field(ge=0)]


class PairQuestion(Value):
    """Which of two pictures is real? `real` and `fake` are indices, `truth` is the side on which the real one stands.

    The two-alternative forced choice of Green and Swets (1966), chapter 2: it needs no threshold of the rater's own.
    """

    choices: ClassVar[tuple[str, ...]] = ("left", "right")

    kind: Literal["pair"] = "pair"
    real: Index
    fake: Index
    truth: Literal["left", "right"]


class SingleQuestion(Value):
    """Is this one picture real or generated? `image` is an index among the reals or the fakes, as `truth` says.

    A sheet of mixed pictures is as many of these.
    """

    choices: ClassVar[tuple[str, ...]] = ("real", "fake")

    kind: Literal["single"] = "single"
    image: Index
    truth: Literal["real", "fake"]


class LetterQuestion(Value):
    """Which letter do the generated pictures form among the real ones, on a sheet of 7 × 7?

    `truth` is the letter, `column` where it begins; `reals` and `fakes` are indices, each from left to right and from
    top to bottom. The sheet at the end of "Fake satellite images: 39 mistakes".
    """

    choices: ClassVar[tuple[str, ...]] = LETTERS

    kind: Literal["letter"] = "letter"
    truth: str
    column: int = Field(ge=0, le=SIDE - COLUMNS)
    reals: tuple[Index, ...]
    fakes: tuple[Index, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.truth not in LETTERS:
            raise ValueError(f"there is no letter {self.truth!r}")
        places = letter_places(self.truth, self.column)
        if (len(self.reals), len(self.fakes)) != (places.count(False), places.count(True)):
            raise ValueError(f"{len(self.reals)} real and {len(self.fakes)} generated pictures do not form this letter")
        return self


Question = Annotated[PairQuestion | SingleQuestion | LetterQuestion, Field(discriminator="kind")]


def letter_places(letter: str, column: int) -> list[bool]:
    """Whether a place of the sheet belongs to the letter, from left to right and from top to bottom."""
    sheet = [[False] * SIDE for _ in range(ROWS)]
    for row, there in zip(sheet, dots(letter), strict=True):
        row[column : column + COLUMNS] = there
    return [place for row in sheet for place in row]


def make_pairs(reals: int, fakes: int, count: int, seed: int) -> tuple[PairQuestion, ...]:
    """`count` pairs from so many `reals` and `fakes`, each used at most once; the real one left as often as right.

    Reals should be held-out ones: a generator that copies what it was trained on would pass with these.
    """
    _enough(count, reals, fakes)
    rng = np.random.default_rng(seed)
    sides = _balanced(rng, count, PairQuestion.choices)
    chosen = (rng.permutation(reals)[:count].tolist(), rng.permutation(fakes)[:count].tolist())
    drawn = zip(*chosen, sides, strict=True)
    return tuple(PairQuestion.model_validate({"real": r, "fake": f, "truth": side}) for r, f, side in drawn)


def make_singles(reals: int, fakes: int, count: int, seed: int) -> tuple[SingleQuestion, ...]:
    """`count` pictures, half of them real, in random order, each used at most once; an odd one falls to either side."""
    _enough((count + 1) // 2, reals, fakes)
    rng = np.random.default_rng(seed)
    truths = _balanced(rng, count, SingleQuestion.choices)
    left = {"real": rng.permutation(reals).tolist(), "fake": rng.permutation(fakes).tolist()}
    return tuple(SingleQuestion.model_validate({"image": left[truth].pop(), "truth": truth}) for truth in truths)


def make_letters(reals: int, fakes: int, count: int, seed: int) -> tuple[LetterQuestion, ...]:
    """`count` sheets whose letters and their places are drawn evenly, with repetition; each picture is used once.

    No letter is likelier than another whatever was shown before, so a guess is right in one case of 34.
    """
    if count < 1:
        raise DataError("a Turing test needs at least one question")
    rng = np.random.default_rng(seed)
    drawn = [(LETTERS[rng.integers(len(LETTERS))], int(rng.integers(SIDE - COLUMNS + 1))) for _ in range(count)]
    places = [letter_places(*one) for one in drawn]
    needed = {fake: sum(one.count(fake) for one in places) for fake in (False, True)}
    _there(needed[False], "real", reals, " for these letters")
    _there(needed[True], "generated", fakes, " for these letters")
    left = {False: rng.permutation(reals).tolist(), True: rng.permutation(fakes).tolist()}
    questions: list[dict[str, Any]] = []
    for (letter, column), sheet in zip(drawn, places, strict=True):
        taken = {fake: [left[fake].pop() for _ in range(sheet.count(fake))] for fake in (False, True)}
        questions.append({"truth": letter, "column": column, "reals": taken[False], "fakes": taken[True]})
    return tuple(LetterQuestion.model_validate(one) for one in questions)


def _enough(count: int, reals: int, fakes: int) -> None:
    if count < 1:
        raise DataError("a Turing test needs at least one question")
    for name, there in (("real", reals), ("generated", fakes)):
        _there(count, name, there)


def _there(needed: int, name: str, there: int, what_for: str = "") -> None:
    if there < needed:
        raise DataError(
            f"a Turing test needs {needed} {name} pictures{what_for} and there are {there}; ask fewer questions"
        )


def _balanced(rng: np.random.Generator, count: int, choices: tuple[str, ...]) -> list[str]:
    first = int(rng.integers(2))
    return [choices[(first + place) % 2] for place in rng.permutation(count)]
