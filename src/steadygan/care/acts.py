"""What a policy is told of a run, and what it may have done: acts as values, with what is written down of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from steadygan.doctor.case import Case
from steadygan.records import Finding

Changes = Mapping[str, Any]
"""Settings by their places, as behind `--set`: {"optimizer.generator.lr": 1e-4}."""


@dataclass(frozen=True)
class Moment:
    """A run at a checkpoint, or where a value was not finite, after so many images seen.

    `case` has the settings in force, and leaves out what a run was set back from. `checkpoints` are those there are, by
    images seen, oldest first; `best` is the one whose pictures score best. `changes` are the settings changed so far.
    `broken` says which value was not finite where. `allowed` tells whether settings may change in the middle of this
    run, `fresh` whether it can begin anew with other weights than those of a trained run. `advised` is what the audit
    warned of before the first step, `found` what the doctor has found since, in these weights.
    """

    images: int
    case: Case
    checkpoints: tuple[int, ...] = ()
    best: int | None = None
    changes: Changes = field(default_factory=dict)
    broken: str = ""
    allowed: Callable[[Changes], bool] = lambda changes: True
    fresh: bool = True
    advised: tuple[Finding, ...] = ()
    found: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Continue:
    """The run goes on. `reason` is what was decided all the same, if anything was."""

    rule: ClassVar[str] = "care-kept"
    sentence: ClassVar[str] = "kept what was changed"
    reason: str = ""


@dataclass(frozen=True)
class Stop:
    """The run ends before its budget, with everything saved as at its end."""

    rule: ClassVar[str] = "care-ended"
    sentence: ClassVar[str] = "ended the run before its budget, long past its best, which is kept"
    reason: str = ""


@dataclass(frozen=True)
class RollBack:
    """The run goes on from an earlier checkpoint, under `changes`, which are all that are in force from then on.

    `to_images` is that checkpoint by its images seen; None are fresh weights. Images are counted on.
    """

    rule: ClassVar[str] = "care-set-back"
    to_images: int | None
    changes: Changes = field(default_factory=dict)
    reason: str = ""

    @property
    def sentence(self) -> str:
        fresh = self.to_images is None
        return f"set the run back to {'fresh weights' if fresh else f'its state after {self.to_images:,} images'}"


Act = Continue | Stop | RollBack


def ended(findings: Sequence[Finding], images: int) -> Finding | None:
    """The act that ended a run which has seen so many images; None if none did, or if it went on since."""
    return next((one for one in findings if one.rule == Stop.rule and one.images >= images), None)
