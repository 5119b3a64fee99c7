"""A run folder of which a part may be missing or damaged: the rest is read all the same, and what is not is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from steadygan.errors import SteadyganError, os_errors
from steadygan.records import DatedScore, Finding, Note, Signals, Tick

if TYPE_CHECKING:
    from steadygan.runs.run import Run

T = TypeVar("T")


class Missing(list[str]):
    """Sentences on what could not be read of a run."""

    def read(self, wanted: Callable[[], T], otherwise: T) -> T:
        """What `wanted` gives; `otherwise`, and a sentence here, if it cannot be read."""
        try:
            with os_errors():
                return wanted()
        except SteadyganError as problem:
            self.say(str(problem))
        return otherwise

    def say(self, sentence: str) -> None:
        """Add a sentence, once."""
        if sentence not in self:
            self.append(sentence)


@dataclass(frozen=True)
class ReadableRun:
    """All that a run wrote, read once and as far as it can be read; `missing` says what cannot."""

    run: Run
    missing: Missing = field(default_factory=Missing, kw_only=True)

    @cached_property
    def log(self) -> list[Tick]:
        """The ticks."""
        return self.missing.read(self.run.log, [])

    @cached_property
    def signals(self) -> list[Signals]:
        """What was measured for the doctor."""
        return self.missing.read(self.run.signals, [])

    @cached_property
    def findings(self) -> list[Finding]:
        """What the doctor found, and the acts of care."""
        return self.missing.read(self.run.findings, [])

    @cached_property
    def scores(self) -> list[DatedScore]:
        """The scores."""
        return self.missing.read(self.run.scores, [])

    @cached_property
    def notes(self) -> list[Note]:
        """The observation log."""
        return self.missing.read(self.run.notes, [])

    @cached_property
    def best(self) -> int | None:
        """Images seen at the best checkpoint; None if there is none yet."""
        there = self.run.files.best.exists()
        return self.missing.read(lambda: self.run.checkpoint("best").images, None) if there else None

    @property
    def images(self) -> int:
        """Images seen, as far as anything tells."""
        return max([line.images for line in (*self.log[-1:], *self.signals[-1:], *self.notes[-1:])], default=0)
