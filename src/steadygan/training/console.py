"""What the user sees while something long is going on: bars on a terminal, lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from steadygan.doctor.budget import duration
from steadygan.names import shown
from steadygan.terminal import Stream
from steadygan.training.budget import spent

if TYPE_CHECKING:
    from steadygan.training.session import Session

_COUNTING_SECONDS = 5.0


class Reporter(Protocol):
    """Receives sentences, the state of preparation, and each step of training."""

    def say(self, text: str) -> None: ...

    def preparing(self, done: int, total: int) -> None: ...

    def counting(self, what: str, done: int, total: int) -> None: ...

    def step(self, session: Session) -> None: ...

    def close(self) -> None: ...


class Silent:
    """Says nothing: for the processes that are not the first, and for callers that want none of it."""

    def say(self, text: str) -> None:
        pass

    def preparing(self, done: int, total: int) -> None:
        pass

    def counting(self, what: str, done: int, total: int) -> None:
        pass

    def step(self, session: Session) -> None:
        pass

    def close(self) -> None:
        pass


class _Clock:
    """Rate and time left of a count that may begin above nothing, because an earlier attempt got so far."""

    def __init__(self) -> None:
        self.first: tuple[int, float] | None = None

    def read(self, done: int, total: int) -> str:
        """What to add to the count: `, 120/s, 3 min left`, or nothing as long as nothing is known."""
        if self.first is None or done < self.first[0]:
            self.first = done, time.monotonic()
        counted, seconds = done - self.first[0], time.monotonic() - self.first[1]
        if not counted or seconds <= 0:
            return ""
        return f", {counted / seconds:,.0f}/s, {duration((total - done) * seconds / counted)} left"


class Lines:
    """A line per tick, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = Stream(stream)
        self.next_time = 0.0
        self.clock = _Clock()

    def say(self, text: str) -> None:
        print(shown(text), file=self.stream, flush=True)

    def preparing(self, done: int, total: int) -> None:
        self.counting("preparing images", done, total)

    def counting(self, what: str, done: int, total: int) -> None:
        if done == total or time.monotonic() >= self.next_time:
            self.next_time = time.monotonic() + _COUNTING_SECONDS
            self.say(f"{what}: {done:,} of {total:,}{self.clock.read(done, total)}")

    def step(self, session: Session) -> None:
        if session.crossed(session.config.log):
            self.say(f"{session.progress.images:,} images, {_rate(session):,.0f} images/s, {_left(session)} left")

    def close(self) -> None:
        pass


class Bars:
    """Progress bars with rate and time left, for a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.console = Console(file=cast(TextIO, Stream(stream)), markup=False, emoji=False)
        self.bar: Progress | None = None
        self.title = ""
        self.clock = _Clock()

    def say(self, text: str) -> None:
        self.console.print(shown(text), highlight=False, soft_wrap=True)

    def preparing(self, done: int, total: int) -> None:
        self.counting("preparing images", done, total)

    def counting(self, what: str, done: int, total: int) -> None:
        columns = (SpinnerColumn(), TextColumn(what), BarColumn(), MofNCompleteColumn(),
                   TextColumn("{task.fields[text]}"))  # fmt: skip
        self._update(what, columns, completed=done, total=total, text=self.clock.read(done, total))
        if done == total:
            self.close()

    def step(self, session: Session) -> None:
        columns = (TextColumn("training"), BarColumn(), TextColumn("{task.fields[text]}"))
        share = min(spent(session.config.budget, session.progress), 1.0)
        text = f"{session.progress.images:,} images  {_rate(session):,.0f}/s  {_left(session)} left"
        self._update("training", columns, completed=share, total=1.0, text=text)

    def _update(self, title: str, columns: tuple[object, ...], **fields: object) -> None:
        if self.bar is None or self.title != title:
            self.close()
            self.title = title
            self.bar = Progress(*columns, console=self.console, refresh_per_second=4)  # type: ignore[arg-type]
            self.bar.add_task(title, **fields)  # type: ignore[arg-type]
            self.bar.start()
        self.bar.update(self.bar.task_ids[0], **fields)  # type: ignore[arg-type]

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def reporter(main: bool = True) -> Reporter:
    """Bars if the standard error is a terminal, lines if not; silent unless this is the `main` process."""
    if not main:
        return Silent()
    return Bars(sys.stderr) if sys.stderr.isatty() else Lines(sys.stderr)


def _rate(session: Session) -> float:
    """Images per second since the run began."""
    return session.progress.images / max(session.progress.seconds, 1e-9)


def _left(session: Session) -> str:
    share = spent(session.config.budget, session.progress)
    return duration(session.progress.seconds * (1 - share) / share) if 0 < share < 1 else duration(0)
