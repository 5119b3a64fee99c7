"""A run folder, as Python sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from steadygan import records
from steadygan.errors import ConfigError, DataError
from steadygan.names import to_json
from steadygan.records import DatedScore, Finding, Note, Record, Signals, Tick
from steadygan.rundir import RunDir, atomic_write
from steadygan.runs.card import card
from steadygan.runs.checkpoints import SavedCheckpoint, drop_later
from steadygan.runs.info import RunInfo, read_info

__all__ = ["Run"]


WRITTEN_AGAIN: Mapping[str, type[Record]] = {
    "log": Tick,
    "signals": Signals,
    "findings": Finding,
    "scores": DatedScore,
}
"""Files of a run, by their names in `RunDir`, of which a resumed run writes what came after its checkpoint again. The
notes are not: what somebody saw was seen.
"""


@dataclass(frozen=True)
class Run:
    """A run folder; every method reads or writes it anew. It stands wherever a path does."""

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    def __fspath__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        return card(self)

    @property
    def files(self) -> RunDir:
        """The names of its files."""
        return RunDir(self.path)

    def info(self) -> RunInfo:
        """What the run is made of; DataError if this is not the folder of a run."""
        return read_info(self.files.run_json)

    def log(self) -> list[Tick]:
        """The ticks so far."""
        return records.read(self.files.log, Tick)

    def signals(self) -> list[Signals]:
        """What was measured for the doctor so far."""
        return records.read(self.files.signals, Signals)

    def findings(self) -> list[Finding]:
        """What the doctor found while the run trained."""
        return records.read(self.files.findings, Finding)

    def scores(self) -> list[DatedScore]:
        """The scores so far."""
        return records.read(self.files.scores, DatedScore)

    def notes(self) -> list[Note]:
        """The observation log."""
        return records.read(self.files.notes, Note)

    def checkpoints(self) -> list[SavedCheckpoint]:
        """The complete checkpoints, oldest first."""
        return [SavedCheckpoint(folder) for folder in self.files.all_checkpoints()]

    def checkpoint(self, which: str = "best") -> SavedCheckpoint:
        """The "best", the "latest" or a checkpoint by its name. ConfigError says which there are; DataError if this is
        not the folder of a run, or if what names the best or latest is missing or names none.
        """
        self.info()
        pointers = {"best": self.files.best, "latest": self.files.latest}
        if which in pointers:
            return SavedCheckpoint(self.files.pointed(pointers[which]))
        there = {one.name: one for one in self.checkpoints()}
        if which not in there:
            raise ConfigError(f"{self.path} has no checkpoint '{which}'; there are: {', '.join([*pointers, *there])}")
        return there[which]

    def note(self, text: str, author: str = "user") -> None:
        """Add a line to the observation log, dated by the last tick."""
        self.info()
        step, images = next(((tick.step, tick.images) for tick in reversed(self.log())), (0, 0))
        note = Note.model_validate({"step": step, "images": images, "author": author, "text": text})
        records.append(self.files.notes, note)

    def write_info(self, info: RunInfo) -> None:
        """Write `run.json`."""
        atomic_write(self.files.run_json, to_json(info, indent=2) + "\n")

    def add_scores(self, scores: Iterable[DatedScore]) -> None:
        """Write down scores, but none that is there already."""
        known = {_identity(score) for score in self.scores()}
        for score in scores:
            if _identity(score) not in known:
                records.append(self.files.scores, score)

    def write(self, record: Record) -> None:
        """Add a tick, a line of signals, a score or a finding to its file."""
        name = next(name for name, kind in WRITTEN_AGAIN.items() if type(record) is kind)
        records.append(getattr(self.files, name), record)

    def pick(self, score: DatedScore) -> None:
        """Write down the score of the checkpoint just saved, which becomes the best if it is close to the lowest."""
        self.add_scores([score])  # a run that goes on from its end comes here again
        close = records.close_to_best(one for one in self.scores() if one.protocol == score.protocol)
        if not self._has_best() or (close and close[-1].images == score.images):
            self.call_best(score.images)

    def call_best(self, images: int) -> None:
        """Let `best` name the checkpoint after so many images."""
        atomic_write(self.files.best, self.files.checkpoint(images).name + "\n")

    def call_latest(self, images: int) -> None:
        """Let `latest` name the checkpoint after so many images."""
        atomic_write(self.files.latest, self.files.checkpoint(images).name + "\n")

    def forget_later(self, images: int, decides: bool = True) -> None:
        """Remove what was written after so many images, as far as a run that goes on from there writes it again;
        `decides` if care decides there again.
        """
        for name, kind in WRITTEN_AGAIN.items():
            records.keep_until(getattr(self.files, name), images, kind, decides)
        for sample in self.files.samples.glob("*.png"):
            number = sample.stem.removeprefix("random-")
            if sample.name.startswith(".") or (number.isdecimal() and int(number) > images):
                sample.unlink()
        drop_later(self.files, images)

    def _has_best(self) -> bool:
        try:
            return SavedCheckpoint(self.files.pointed(self.files.best)).meta.score is not None
        except DataError:
            return False


def _identity(score: DatedScore) -> tuple[str, int, str, str]:
    return score.metric, score.images, score.protocol, repr(score.value)  # one that is no number equals itself so


def run_at(path: Path) -> Run | None:
    """The run whose folder this is, or one of whose checkpoints it is; None if it is neither."""
    if RunDir(path).run_json.is_file():
        return Run(path)
    above = SavedCheckpoint(path).run
    return Run(above) if (path / "meta.json").is_file() and RunDir(above).run_json.is_file() else None


def checkpoint_at(path: Path, which: str = "best") -> SavedCheckpoint:
    """The folder of a checkpoint as it is; of a run's folder, the checkpoint `which` names. Errors as there."""
    if (path / "meta.json").exists():
        return SavedCheckpoint(path)
    if not path.is_dir():
        raise ConfigError(f"there is no run folder or exported file at {path}")
    return Run(path).checkpoint(which)
