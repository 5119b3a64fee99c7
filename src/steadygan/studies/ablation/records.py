"""What a study notes of each of its runs: one line of results.jsonl."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from steadygan.part import Value

__all__ = ["Outcome"]


class Outcome(Value):
    """What came of one run of a study.

    `value` is its score and `floor` what reals score against other reals, None where there is none, as after a
    divergence. `collapsed` is None where nobody could tell. `peak_memory_bytes` is of the whole process, or of the GPU
    where it had one. `reason` says why the run did not finish.
    """

    variant: str
    seed: int
    value: float | None
    better: Literal["lower", "higher"]
    floor: float | None
    seconds: float = Field(ge=0)
    peak_memory_bytes: int | None
    collapsed: bool | None
    images: int = Field(ge=0)
    state: Literal["finished", "failed", "stopped early", "diverged"]
    reason: str = ""
