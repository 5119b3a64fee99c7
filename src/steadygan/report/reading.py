"""What a report tells of: a run that can be read, and what `run.json` says of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from steadygan.care.acts import ended
from steadygan.config import flatten
from steadygan.doctor.case import Case, case_from
from steadygan.doctor.history import FindingHistory, history_of
from steadygan.runs import ReadableRun, RunInfo
from steadygan.runs.ending import ending_of


@dataclass(frozen=True)
class Story(ReadableRun):
    """A run with what it is made of."""

    info: RunInfo

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All settings by their places."""
        return flatten(self.info.config)

    @cached_property
    def history(self) -> FindingHistory:
        """What of the findings still holds, and what does not."""
        return history_of(self.findings, [one.name for one in self.run.checkpoints()])

    @property
    def case(self) -> Case:
        """What the doctor looks at."""
        return case_from(self.info, self.log, self.signals, self.scores, self.findings)

    @property
    def unfinished(self) -> bool:
        """Whether its budget is not spent."""
        return ending_of(self.notes) != "finished" or bool(ended(self.findings, self.images))
