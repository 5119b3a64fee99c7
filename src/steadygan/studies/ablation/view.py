"""What the user sees while a study runs: bars and the table so far on a terminal, a line for each run elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from steadygan.doctor.budget import duration
from steadygan.names import shown
from steadygan.studies.ablation.answer import so_far
from steadygan.studies.ablation.records import Outcome
from steadygan.studies.ablation.runner import Standing
from steadygan.studies.ablation.study import BASE
from steadygan.studies.ablation.table import as_rich
from steadygan.terminal import Stream

_TELLING_SECONDS = 60.0


class StudyLines:
    """A line for each run that ends, and now and then one of how far it is."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.next_time = Stream(stream), time.monotonic() + _TELLING_SECONDS

    def say(self, text: str) -> None:
        print(shown(text), file=self.stream, flush=True)

    def look(self, state: Standing) -> None:
        if time.monotonic() >= self.next_time:
            self.next_time = time.monotonic() + _TELLING_SECONDS
            self.say(f"{', '.join(f'{task} {share:.0%}' for task, share in state.running.items())}; {_far(state)}")

    def ended(self, outcome: Outcome, state: Standing) -> None:
        self.say(f"{line(outcome, state)}; {_far(state)}")

    def close(self) -> None:
        pass


class Board:
    """The table so far, the runs in progress, and how far the study is, in place."""

    def __init__(self, stream: TextIO) -> None:
        self.console = Console(file=cast(TextIO, Stream(stream)), markup=False, emoji=False)
        self.live = Live(console=self.console, refresh_per_second=2, transient=True)
        self.table: object = Text("")
        self.live.start()

    def say(self, text: str) -> None:
        self.live.console.print(shown(text), highlight=False, soft_wrap=True)

    def look(self, state: Standing) -> None:
        self.live.update(Group(cast(Text, self.table), self._bars(state)))

    def ended(self, outcome: Outcome, state: Standing) -> None:
        self.say(line(outcome, state))
        self.table = as_rich(so_far(state.study, state.outcomes), self.console.width)
        self.look(state)

    def close(self) -> None:
        self.live.stop()

    def _bars(self, state: Standing) -> Progress:
        bars = Progress(TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[text]}"))
        for task, share in state.running.items():
            bars.add_task(str(task), total=100, completed=round(100 * share), text=f"{share:.0%}")
        total = len(state.study.runs())
        bars.add_task("study", total=total, completed=len(state.outcomes), text=_far(state))
        return bars


def board() -> StudyLines | Board:
    """In place if the standard error is a terminal, else in lines."""
    return Board(sys.stderr) if sys.stderr.isatty() else StudyLines(sys.stderr)


def line(outcome: Outcome, state: Standing) -> str:
    """What came of a run, beside the base of its seed."""
    base = next((one for one in state.outcomes if (one.variant, one.seed) == (BASE, outcome.seed)), None)
    who = f"{outcome.variant}, seed {outcome.seed}"
    if outcome.value is None:
        return f"{who}: {outcome.state}: {outcome.reason}"
    beside = f" (base {base.value:.4g})" if base and outcome.variant != BASE and base.value is not None else ""
    fell = ", collapsed" if outcome.collapsed else ""
    return f"{who}: {state.study.score.metric} {outcome.value:.4g}{beside}{fell}, {duration(outcome.seconds)}"


def _far(state: Standing) -> str:
    return f"{len(state.outcomes)} of {len(state.study.runs())} runs, about {duration(state.seconds_left)} left"
