"""What a study of ablations found, as table.json in its folder holds it: written by studies, read by everyone."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from steadygan.errors import DataError
from steadygan.names import from_json
from steadygan.part import Value

__all__ = ["FEWEST", "Arm", "Dot", "Effect", "Question", "StudyTable", "read_study", "run_name"]

FEWEST = 5
"""Pairs of runs below which a study decides nothing."""

_LONGEST = 80  # characters of a folder's name that come from a variant's

Better = Literal["lower", "higher"]
Verdict = Literal["helped", "hurt", "not decided"]
Undecided = Literal["", "chance", "few seeds", "unfinished", "stopped early", "no pairs", "no spread"]


class Arm(Value):
    """The runs of one variant, whichever of them can be compared with the base.

    `runs` is how many ended in any way; of these `diverged`, `failed` and were `stopped` early; `collapsed` of the
    `examined`, which are those of which anybody could tell. `mean` and `spread` (standard deviation) are of the scores
    there are. `seconds`, `images` and `peak_memory_bytes` are means of the finished runs.
    """

    variant: str
    runs: int
    diverged: int = 0
    failed: int = 0
    stopped: int = 0
    collapsed: int = 0
    examined: int = 0
    mean: float | None = None
    spread: float | None = None
    floor: float | None = None
    seconds: float | None = None
    images: float | None = None
    peak_memory_bytes: float | None = None


class Dot(Value):
    """One seed: the `difference` of the scores, variant less base. `diverged` says which of the two has none.

    What diverged then counts as the worst score that either variant got at any seed; if both did, they are equal.
    """

    seed: int
    difference: float
    value: float | None
    base: float | None
    diverged: Literal["", "variant", "base", "both"] = ""


class Effect(Value):
    """What a variant did to the score, against the base, seed by seed.

    `mean` and `median` are of the differences, in the score's own units, and `low` to `high` is the paired t interval
    of the mean at `level`, which is the level at which Holm's procedure tested it: zero lies outside exactly if the
    difference was decided by the test. `p_value` is two-sided, and `p_holm` adjusted for all variants. `undecided` says
    why there is no decision. `more_seeds`, about so many, would decide with power 0.8 if the difference is as large,
    beside its spread, as it looks. `outlier` is a seed whose difference is too far from the others to be of the same
    bell-shaped kind. `time` (of an image) and `memory` are ratios to the base, paired by seed too.
    """

    variant: str
    better: Better
    arm: Arm
    dots: tuple[Dot, ...]
    verdict: Verdict = "not decided"
    undecided: Undecided = ""
    mean: float | None = None
    median: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = Field(default=0.95, gt=0, lt=1)
    p_value: float | None = None
    p_holm: float | None = None
    more_seeds: int | None = None
    outlier: int | None = None
    time: float | None = None
    memory: float | None = None

    @property
    def better_at(self) -> int:
        """At how many seeds the variant was the better one."""
        return sum(dot.difference < 0 if self.better == "lower" else dot.difference > 0 for dot in self.dots)

    @property
    def worse_at(self) -> int:
        """At how many seeds it was the worse one."""
        return sum(dot.difference != 0 for dot in self.dots) - self.better_at


class Question(Value):
    """What a study asks: variants by name with what people call them, but the base, all in the order of the plan.

    `budget` says what each run has, `protocol` how it is scored by `metric`, both in words.
    """

    metric: str
    titles: dict[str, str]
    seeds: tuple[int, ...]
    base: str = "base"
    recipe: str = ""
    data: str = ""
    budget: str = ""
    protocol: str = ""

    @property
    def runs(self) -> int:
        """How many runs it takes."""
        return (len(self.titles) + 1) * len(self.seeds)

    def title(self, variant: str) -> str:
        """What a variant is called."""
        return self.titles.get(variant) or variant


class StudyTable(Value):
    """The answer of a study, as far as it has got: `ended` of its runs have ended in any way.

    `effects` are the variants, best first, and `sentences` say of each, by its name, what came out in plain words.
    """

    question: Question
    better: Better
    base: Arm
    effects: tuple[Effect, ...]
    sentences: dict[str, str]
    ended: int

    def __str__(self) -> str:
        return "\n".join(self.sentences[effect.variant] for effect in self.effects)

    def reach(self) -> float:
        """How far to either side of zero a picture shows all dots but single ones far out, and intervals as they fit.

        What lies beyond is drawn at the border.
        """
        dots = sorted(abs(dot.difference) for one in self.effects for dot in one.dots if dot.difference)
        if not dots:
            return 1.0
        farthest = min(dots[-1], 2 * dots[int(0.9 * (len(dots) - 1))])
        ends = [
            max(abs(one.low), abs(one.high)) for one in self.effects if one.low is not None and one.high is not None
        ]
        return 1.08 * max(farthest, min(max(ends, default=0.0), 1.5 * farthest))


def read_study(folder: Path) -> StudyTable | None:
    """What the study in a folder found so far; None if it is none. DataError if it has no answer that can be read."""
    file = folder / "table.json"
    if not file.exists():
        if (folder / "study.json").exists():
            raise DataError(f"{folder} is a study of which no run has ended yet; wait for the first")
        return None
    try:
        return from_json(StudyTable, file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise DataError(f"{file} is damaged; `steadygan ablate` with the same -o writes it again") from problem


def run_name(variant: str, seed: int) -> str:
    """The folder of a run among a study's `runs`, a name that every system takes; a digest keeps two variants apart."""
    plain = re.sub(r"[^A-Za-z0-9_.+=-]+", "-", variant)[:_LONGEST].strip("-.") or "variant"
    digest = "" if plain == variant else f"-{hashlib.sha256(variant.encode()).hexdigest()[:6]}"
    return f"{plain}{digest}-seed{seed}"
