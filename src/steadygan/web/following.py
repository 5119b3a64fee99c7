"""A run as it is written: its files followed line by line, and told to whoever looks at it, by one watcher a run."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from steadygan.errors import DataError
from steadygan.records import DatedScore, Finding, Note, Signals, Tick
from steadygan.report.commands import commands_of
from steadygan.report.curves import axes_of
from steadygan.report.page import LoggedNote
from steadygan.report.reading import Story
from steadygan.report.scores import curves_of
from steadygan.report.story import mark_of, picture_of
from steadygan.report.words import ending, facts
from steadygan.rundir import RunDir
from steadygan.runs import Run
from steadygan.web.glance import Glances, info_of, share_of
from steadygan.web.lines import GrowingLines, Stamp, stamp
from steadygan.web.thumbnails import numbers_of

EVERY = 0.5
"""Seconds between two looks at the files of a run that somebody watches."""
_IDLE = 4  # runs that nobody watches any more and whose records are kept all the same
_WAITING = 200  # events that a browser may be behind
_CHECKPOINTS = 200  # that are named
_RECENT = 20  # ticks over which the present rate is the mean

Event = tuple[str, Any]
"""What changed, by name, and what it is now or what was added."""


class Followed:
    """The files of one run, read once and then only where they grow."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.run_json: Stamp = stamp(run.run_json)
        self.log = GrowingLines(run.log, Tick)
        self.signals = GrowingLines(run.signals, Signals)
        self.findings = GrowingLines(run.findings, Finding)
        self.scores = GrowingLines(run.scores, DatedScore)
        self.notes = GrowingLines(run.notes, Note)

    @property
    def lines(self) -> Sequence[GrowingLines[Any]]:
        """All of them."""
        return self.log, self.signals, self.findings, self.scores, self.notes

    @property
    def replaced(self) -> bool:
        """Whether this has to be read anew, since the run went back or is another."""
        return stamp(self.run.run_json) != self.run_json or any(one.rewritten for one in self.lines)

    def stamps(self) -> tuple[Stamp, ...]:
        """What changes with anything that is shown but by whom the run is written."""
        places = self.run.samples, self.run.checkpoints, self.run.best, self.run.report
        return tuple(map(stamp, (*(one.path for one in self.lines), *places)))

    def read(self) -> bool:
        """Read what is new; whether the curves have grown."""
        return any([bool(one.new()) for one in self.lines][:2])


@dataclass(frozen=True)
class LiveStory(Story):
    """A run with what of it was read so far."""

    files: Followed

    @cached_property
    def log(self) -> list[Tick]:
        return self.files.log.records

    @cached_property
    def signals(self) -> list[Signals]:
        return self.files.signals.records

    @cached_property
    def findings(self) -> list[Finding]:
        return self.files.findings.records

    @cached_property
    def scores(self) -> list[DatedScore]:
        return self.files.scores.records

    @cached_property
    def notes(self) -> list[Note]:
        return self.files.notes.records


class RunWatch:
    """One run that somebody looks at; all of it is told as events, each anew only where it changed."""

    def __init__(self, path: Path, id_: str, glances: Glances) -> None:
        self.run, self.id, self.glances = Run(path), id_, glances
        self.viewers: set[asyncio.Queue[Event | None]] = set()
        self.task: asyncio.Task[None] | None = None
        self.lock = asyncio.Lock()
        self._begin()

    def _begin(self) -> None:
        self.files = Followed(self.run.files)
        self.story = LiveStory(self.run, info_of(self.run.files), self.files)
        self._stamps = self.files.stamps()
        self.files.read()
        self.told = self._now()

    def everything(self) -> list[Event]:
        """What a page needs that knows nothing yet."""
        return [("curves", self.curves()), *self.told.items()]

    def look(self) -> list[Event]:
        """What changed since the last look; DataError if this is no run any more."""
        if not self.run.files.run_json.exists():
            raise DataError(f"{self.run.path} was moved or deleted; go back to the list of runs")
        if self.files.replaced:
            self._begin()
            return self.everything()
        stamps = self.files.stamps()
        if stamps == self._stamps:
            state = self._state()
            if state["state"] == self.told["state"]["state"]:
                return []
            return self._changed(self._now())
        self._stamps = stamps
        before = len(self.story.log), len(self.story.signals)
        grown = self.files.read()
        for name in ("history", "best"):
            self.story.__dict__.pop(name, None)
        events: list[Event] = [("more", self.curves_since(*before))] if grown else []
        return events + self._changed(self._now())

    def _changed(self, now: dict[str, Any]) -> list[Event]:
        events = [(name, value) for name, value in now.items() if value != self.told[name]]
        self.told = now
        return events

    def curves(self, most: int | None = None) -> dict[str, Any]:
        """All curves on one axis."""
        given = (self.story.log, self.story.signals, self.story.findings)
        images, panels = axes_of(*given) if most is None else axes_of(*given, most)
        return {"images": images, "panels": [panel.model_dump() for panel in panels]}

    def curves_since(self, ticks: int, signals: int) -> dict[str, Any]:
        """The end of all curves, from where they are other than with so many ticks and signals: after `from` images.

        Between two measurements what is measured now and then lies on a line, so that a new one changes all after the
        last.
        """
        log, measured = self.story.log, self.story.signals
        if not ticks or bool(measured) != bool(signals):
            return self.curves() | {"from": -1}
        last = measured[max(0, signals - 2) : signals] or log[ticks - 1 : ticks]
        known, earlier = min(last[-1].images, log[ticks - 1].images), last[0].images
        start = next((at for at in range(ticks - 1, 0, -1) if log[at].images <= min(known, earlier)), 0)
        images, panels = axes_of(log[start:], measured[max(0, signals - 2) :], self.story.findings)
        first = next((at for at, place in enumerate(images) if place > known), len(images))
        first -= first > 1 and images[first - 1] == images[first - 2]  # a gap, where the run was set back
        found = [panel.model_dump() for panel in panels]
        for panel in found:
            for curve in panel["curves"]:
                curve["values"] = curve["values"][first:]
        return {"from": known, "images": images[first:], "panels": found}

    def _now(self) -> dict[str, Any]:
        """All but the curves, small enough to be compared and sent as it is."""
        story, samples, state = self.story, numbers_of(self.run.files), self._state()
        damaged = [
            f"{lines.path.name}: {lines.damaged:,} damaged line{'s' * (lines.damaged > 1)}, left out"
            for lines in self.files.lines
            if lines.damaged
        ]
        return {
            "state": state,
            "ended": "" if state["state"] == "running" else ending(story),  # it looks at every record there is
            "facts": facts(story),
            "samples": samples,
            "best": story.best,
            "marks": self._marks(samples),
            "scores": [curve.model_dump() for curve in curves_of(story.scores)],
            "notes": [_note(note) for note in story.notes],
            "commands": commands_of(story),
            "checkpoints": [one.name for one in self.run.checkpoints()][-_CHECKPOINTS:],
            "missing": [*story.missing, *damaged],
            "report": self.run.files.report.is_file(),
        }

    def _state(self) -> dict[str, Any]:
        """How far it is, and whether it still runs."""
        state, config = self.glances.of(self.run.path).state, self.story.info.config
        last = self.story.log[-1] if self.story.log else None
        rates = [tick.images_per_second for tick in self.story.log[-_RECENT:]]
        rate = sum(rates) / len(rates) if rates else None
        return {
            "state": state,
            "images": self.story.images,
            "step": last.step if last else 0,
            "seconds": last.seconds if last else 0,
            "rate": rate,
            "share": share_of(config, last),
            "left": _left(config, last, rate) if state == "running" else None,
            "loss_d": last and last.loss_d,
            "loss_g": last and last.loss_g,
        }

    def _marks(self, samples: Sequence[int]) -> list[dict[str, Any]]:
        """Findings and acts, oldest first, each with the address of a picture that shows it."""
        history = self.story.history
        findings = sorted(chain(*history), key=lambda finding: (finding.images, finding.act))
        shown = any(finding.picture for finding in findings)
        files = [self.run.files.sample(images) for images in samples] if shown else []
        found = []
        for finding in findings:
            file = picture_of(self.story, finding, files)
            folder = "samples/" if file and file.parent == self.run.files.samples else ""
            address = f"/runs/{self.id}/{folder}{file.name}" if file else ""
            found.append(mark_of(finding, address, any(finding is one for one in history.past)).model_dump())
        return found


def _note(note: Note) -> dict[str, Any]:
    return LoggedNote(images=note.images, time=note.time, author=note.author, text=note.text).model_dump()


def _left(config: Mapping[str, Any], last: Tick | None, rate: float | None) -> float | None:
    """Seconds until the budget is spent, if the rate stays as it is."""
    budget = config.get("budget")
    if last is None or not isinstance(budget, Mapping):
        return None
    limits = {name: most for name, most in budget.items() if isinstance(most, int | float) and most > 0}
    batch = last.images / last.step if last.step else 0
    rests = []
    if rate and "images" in limits:
        rests.append((limits["images"] - last.images) / rate)
    if rate and "steps" in limits:
        rests.append((limits["steps"] - last.step) * batch / rate)
    if "minutes" in limits:
        rests.append(limits["minutes"] * 60 - last.seconds)
    return max(0.0, min(rests)) if rests else None


class RunWatches:
    """The runs that are looked at, each followed by one task however many look; the last few stay read."""

    def __init__(self, glances: Glances, closing: asyncio.Event) -> None:
        self.glances, self.closing = glances, closing
        self._kept: OrderedDict[Path, RunWatch] = OrderedDict()
        self._lock = asyncio.Lock()

    async def of(self, run: Run, id_: str) -> RunWatch:
        """A run, read as far as it is written; DataError if it is none."""
        async with self._lock:
            watch = self._kept.pop(run.path, None)
            if watch is None:
                watch = await run_in_threadpool(RunWatch, run.path, id_, self.glances)
            elif watch.task is None:
                try:
                    async with watch.lock:  # or a viewer that comes just now would miss what this look finds
                        await run_in_threadpool(watch.look)
                except DataError:
                    watch = await run_in_threadpool(RunWatch, run.path, id_, self.glances)
            self._kept[run.path] = watch
            idle = [path for path, one in self._kept.items() if not one.viewers and one is not watch]
            for path in idle[: max(0, len(idle) - _IDLE)]:
                del self._kept[path]
            return watch

    @asynccontextmanager
    async def viewing(self, run: Run, id_: str) -> AsyncIterator[asyncio.Queue[Event | None]]:
        """Everything about a run, and then what changes, as long as the block lasts; None at the end of the studio."""
        watch = await self.of(run, id_)
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        async with watch.lock:
            for event in await run_in_threadpool(watch.everything):
                queue.put_nowait(event)
            watch.viewers.add(queue)
        if watch.task is None:
            watch.task = asyncio.create_task(self._follow(watch))
        try:
            yield queue
        finally:
            watch.viewers.discard(queue)

    async def _follow(self, watch: RunWatch) -> None:
        """Look at a run again and again while anybody does."""
        while watch.viewers and not self.closing.is_set():
            async with watch.lock:
                try:
                    events = await run_in_threadpool(watch.look)
                except DataError as problem:
                    events = [("gone", str(problem))]
                except Exception as problem:  # noqa: BLE001 - as of a folder that is being deleted; the next look may see
                    events = [("gone", f"{type(problem).__name__}: {problem}")]
                for queue in [*watch.viewers]:
                    slow = queue.qsize() > _WAITING  # a browser that comes again is told everything
                    for event in (None,) if slow else events:
                        queue.put_nowait(event)
                    if slow:
                        watch.viewers.discard(queue)
            await asyncio.sleep(EVERY)
        watch.task = None
        for queue in watch.viewers:
            queue.put_nowait(None)
