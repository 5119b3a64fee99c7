"""What the user sees while something long is going on: bars on a terminal, a notebook's cell, lines, or nothing."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from multiprocessing import parent_process
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from steadygan import cards
from steadygan.doctor.budget import duration
from steadygan.names import shown
from steadygan.terminal import Stream
from steadygan.training.budget import spent

if TYPE_CHECKING:
    from steadygan.runs import Run
    from steadygan.training.session import Session

_COUNTING_SECONDS = 5.0
_SOON = 1.0  # seconds after which a count has a speed
_TELLING_SECONDS = 0.5  # between two texts in a notebook
_CARD_SECONDS = 2.0  # between two cards there, which are up to half a megabyte
_CARD_SHARE = 0.01  # of the run's time at most goes into cards
_SAID = 12  # sentences that stay in view


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
        if not counted or seconds < _SOON:  # the first come together, and what follows at once tells no speed
            return ""
        return f", {counted / seconds:,.0f}/s, {duration((total - done) * seconds / counted)} left"


class Lines:
    """A line per tick, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = Stream(stream)
        self.next_time = 0.0
        self.counted = ""
        self.clock = _Clock()

    def say(self, text: str) -> None:
        print(shown(text), file=self.stream, flush=True)

    def preparing(self, done: int, total: int) -> None:
        self.counting("preparing images", done, total)

    def counting(self, what: str, done: int, total: int) -> None:
        if done == total or time.monotonic() >= self.next_time:
            self.next_time = time.monotonic() + _COUNTING_SECONDS
            counted, rate = f"{what}: {done:,} of {total:,}", self.clock.read(done, total)
            if counted != self.counted:
                self.say(counted + rate)
            self.counted = counted

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


class _Output:
    """One output of a notebook's cell, which is replaced in place."""

    def __init__(self, publish: Callable[..., None]) -> None:
        self.publish, self.name, self.there = publish, token_hex(8), False

    def show(self, html: str, plain: str) -> None:
        data = {"text/html": html, "text/plain": plain}
        self.publish(data, transient={"display_id": self.name}, update=self.there)
        self.there = True


class Live:
    """Two outputs of a notebook's cell: what was said, with a bar below, and the card of the run that trains.

    The card is made of what the run has written, when there is a new tick, grid or score, and once more at the end.
    """

    def __init__(self, publish: Callable[..., None]) -> None:
        self.words, self.card = _Output(publish), _Output(publish)
        self.said: list[str] = []
        self.run: Run | None = None
        self.clock = _Clock()
        self.next_time = self.next_card = 0.0
        self.stale = True
        self.seconds = self.last_seconds = 0.0

    def say(self, text: str) -> None:
        self.said = [*self.said, shown(text)][-_SAID:]
        self._tell()

    def preparing(self, done: int, total: int) -> None:
        self.counting("preparing images", done, total)

    def counting(self, what: str, done: int, total: int) -> None:
        if done == total:
            self.say(f"{what}: {done:,} of {total:,}")
        elif time.monotonic() >= self.next_time:
            self._tell(f"{what}: {done:,} of {total:,}{self.clock.read(done, total)}", done / max(total, 1))

    def step(self, session: Session) -> None:
        self.run, config = session.run, session.config
        self.stale |= any(map(session.crossed, (config.log, config.samples, config.checkpoint)))
        if time.monotonic() < self.next_time:
            return
        line = f"{session.progress.images:,} images, {_rate(session):,.0f} images/s, {_left(session)} left"
        self._tell(line, min(spent(config.budget, session.progress), 1.0))
        affordable = self.seconds + self.last_seconds < _CARD_SHARE * session.progress.seconds
        if self.stale and affordable and time.monotonic() >= self.next_card:
            self._draw(session.run)

    def close(self) -> None:
        if self.said or self.words.there:
            self._tell()
        if self.run:
            self._draw(self.run)
        self.run = None

    def _tell(self, line: str = "", share: float = 0.0) -> None:
        """What was said and, while something goes on, how far it is."""
        bar = f'<progress value="{share:.4f}" max="1" style="width:16em"></progress> {cards.text(line)}' if line else ""
        html = f'<div style="font-size:13px;line-height:1.5">{cards.lines(self.said)}{bar}</div>'
        self.words.show(html, "\n".join(filter(None, (*self.said, line))))
        self.next_time = time.monotonic() + _TELLING_SECONDS

    def _draw(self, run: Run) -> None:
        start = time.perf_counter()
        self.card.show(run._repr_html_(), repr(run))
        self.stale, self.next_card = False, time.monotonic() + _CARD_SECONDS
        self.last_seconds = time.perf_counter() - start
        self.seconds += self.last_seconds


def reporter(main: bool = True) -> Reporter:
    """A live display in a notebook, bars if the standard error is a terminal, lines if neither; silent unless this is
    the `main` process.
    """
    if not main:
        return Silent()
    if hasattr(shell := _ipython(), "kernel") and parent_process() is None:
        return Live(shell.display_pub.publish)
    return Bars(sys.stderr) if sys.stderr.isatty() else Lines(sys.stderr)


def again(run: Path) -> str:
    """What to type to go on with a run, in Python where IPython reads it."""
    return f"sg.resume({str(run)!r})" if _ipython() else f"steadygan resume {shlex.quote(str(run))}"


def _ipython() -> Any:
    """The IPython that this process runs in, of which a notebook's has a `kernel`; None elsewhere. It loads nothing."""
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()


def _rate(session: Session) -> float:
    """Images per second since the run began."""
    return session.progress.images / max(session.progress.seconds, 1e-9)


def _left(session: Session) -> str:
    share = spent(session.config.budget, session.progress)
    return duration(session.progress.seconds * (1 - share) / share) if 0 < share < 1 else duration(0)
