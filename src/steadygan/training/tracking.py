"""What a run writes, told to other people's tools as well: the listener behind `log.to`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import singledispatch
from itertools import groupby

from steadygan.errors import SteadyganError
from steadygan.records import DatedScore, Finding, Note, Record, Signals, Tick
from steadygan.runs import Run
from steadygan.training.config import Cadence
from steadygan.training.listeners import Listener
from steadygan.training.session import Session
from steadygan.training.snapshot import Snapshot
from steadygan.training.trackers import SECONDS, Journal, LogEntry, Tracker

NAMES = {
    "step": "progress/step",
    "seconds": SECONDS,
    "images_per_second": "speed/images_per_second",
    "input_wait_fraction": "speed/input_wait_fraction",
    "threads": "speed/threads",
    "memory_mb": "speed/memory_mb",
    "loss_d": "loss/discriminator",
    "loss_g": "loss/generator",
    "loss_d_real": "loss/discriminator_real",
    "loss_d_fake": "loss/discriminator_fake",
    "penalty": "loss/penalty",
    "generator_terms": "loss/generator_terms",
    "path": "turns/path",
    "d_real": "logits/real",
    "d_fake": "logits/fake",
    "accuracy_real": "accuracy/real",
    "accuracy_fake": "accuracy/fake",
    "grad_norm_d": "gradient_norm/discriminator",
    "grad_norm_g": "gradient_norm/generator",
    "lr_d": "learning_rate/discriminator",
    "lr_g": "learning_rate/generator",
}
"""What the numbers of a tick are called; `shares` are "share/NAME", and one of the user's own keeps its name."""


class Tracking(Listener):
    """Tells the tools of `log.to` what is written of a run, in the first process: numbers, grids, scores, findings,
    notes and settings.

    A tool that has not seen the run, or not all of it, is first told what the run folder holds. One that fails is left
    with a note, and the run goes on. Nothing is computed for it.
    """

    def __init__(self, trackers: Sequence[Tracker], samples: Cadence) -> None:
        self.cadence, self.trackers = samples, trackers
        self.journals: list[tuple[str, Journal]] = []
        self.notes = 0
        self.there: list[LogEntry] = []

    def begin(self, session: Session) -> None:
        for tracker in self.trackers if session.runtime.main else ():
            name = str(getattr(tracker, "kind", type(tracker).__name__))
            try:
                self.journals.append((name, tracker.open(session.run)))
            except Exception as problem:  # noqa: BLE001 - whatever others' code may do
                _tell(session, name, problem)
        if self.journals:
            before = history(session.run)
            self.notes = len(_notes(session.run))
            self.there = [entry for entry in before if entry.images == session.progress.images]
            self._each(session, lambda journal: _catch_up(journal, before))

    def hear(self, session: Session, record: Record) -> None:
        self._add(session, entry_of(record))
        if isinstance(record, Tick):
            self._tell_notes(session)
            self._each(session, lambda journal: journal.flush())

    def __call__(self, session: Session, now: Snapshot) -> None:
        images = session.progress.images
        self._add(session, LogEntry(images, pictures={"samples": session.run.files.sample(images)}))

    def leave(self, session: Session, failed: bool) -> None:
        self._tell_notes(session)
        self._each(session, lambda journal: journal.flush())
        self._each(session, lambda journal: journal.close(failed))

    def _add(self, session: Session, entry: LogEntry) -> None:
        if entry not in self.there:  # a run that care ended may come to its end again
            self._each(session, lambda journal: _add_new(journal, entry))

    def _each(self, session: Session, act: Callable[[Journal], None]) -> None:
        for name, journal in [*self.journals]:
            try:
                act(journal)
            except Exception as problem:  # noqa: BLE001 - as above
                self.journals.remove((name, journal))
                with suppress(Exception):
                    journal.close(failed=True)
                _tell(session, name, problem)

    def _tell_notes(self, session: Session) -> None:
        """The notes since the last time, the user's too; those after the same images count as one, told again."""
        if self.journals:
            notes = _notes(session.run)
            fresh = {note.images for note in notes[self.notes :]}
            self.notes = len(notes)
            entries = list(_of_notes([note for note in notes if note.images in fresh]))
            self._each(session, lambda journal: _add_all(journal, entries))


def _tell(session: Session, name: str, problem: Exception) -> None:
    lines = str(problem).strip().splitlines()
    text = f"log.to: the run goes on without {name}: {lines[0] if lines else type(problem).__name__}"
    session.say(text)
    with suppress(SteadyganError):
        session.run.note(text, "run")


def _add_new(journal: Journal, entry: LogEntry) -> None:
    if entry.images > journal.reached:
        journal.add(entry)


def _add_all(journal: Journal, entries: Sequence[LogEntry]) -> None:
    for entry in entries:
        journal.add(entry)


def _catch_up(journal: Journal, before: Sequence[LogEntry]) -> None:
    _add_all(journal, [entry for entry in before if entry.images > journal.reached])
    journal.flush()


def history(run: Run) -> list[LogEntry]:
    """All that a run folder holds, in the order of images seen."""
    records = (*run.log(), *run.signals(), *run.scores(), *run.findings())
    grids = [LogEntry(int(file.stem), pictures={"samples": file}) for file in run.files.fixed_samples()]
    inputs = [LogEntry(0, pictures={"inputs": run.files.inputs})] if run.files.inputs.exists() else []
    return sorted([*inputs, *map(entry_of, records), *_of_notes(_notes(run)), *grids], key=lambda one: one.images)


def _notes(run: Run) -> list[Note]:
    """The observation log; nothing if it is damaged, which is no reason to stop a run."""
    try:
        return run.notes()
    except SteadyganError:
        return []


def _of_notes(notes: Sequence[Note]) -> Iterator[LogEntry]:
    in_order = sorted(notes, key=lambda note: note.images)
    for images, some in groupby(in_order, key=lambda note: note.images):
        yield LogEntry(images, texts={"notes": "\n\n".join(f"{note.time} {note.author}: {note.text}" for note in some)})


@singledispatch
def entry_of(record: Record) -> LogEntry:
    """A record as other tools take it."""
    return LogEntry(record.images)


@entry_of.register
def _(record: Tick) -> LogEntry:
    numbers = {NAMES.get(name, name): value for name, value in _numbers(record).items()}
    shares = {f"share/{name}": value for name, value in record.shares.items()}
    return LogEntry(record.images, numbers | shares)


@entry_of.register
def _(record: Signals) -> LogEntry:
    numbers = {f"signals/{name}": value for name, value in _numbers(record).items() if name != "step"}
    return LogEntry(record.images, numbers)


@entry_of.register
def _(record: DatedScore) -> LogEntry:
    place = f"score/{record.metric}"
    around = {name: getattr(record, name) for name in ("floor", "low", "high")}
    beside = {f"{place}/{name}": value for name, value in around.items() if value is not None}
    return LogEntry(record.images, {place: record.value, **beside})


@entry_of.register
def _(record: Finding) -> LogEntry:
    says = f"{record.severity}: {record.says or record.rule}: {record.evidence}"
    return LogEntry(record.images, texts={f"finding/{record.rule}": f"{says}\n\n{record.remedy}"})


def _numbers(record: Record) -> dict[str, float]:
    """The fields of a record that are numbers, but for images seen."""
    return {name: value for name, value in record if isinstance(value, int | float) and name != "images"}
