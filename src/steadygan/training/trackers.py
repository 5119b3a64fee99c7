"""Other people's tools that show runs: TensorBoard, Weights & Biases, and trackio, which has the calls of the latter.

A tracker is a setting, `open` makes what takes the entries of one run. Nothing of theirs is loaded before it is asked
whether it can be used. Their steps are images seen.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

from PIL import Image
from pydantic import Field

from steadygan.config import flatten, to_toml
from steadygan.names import spelled
from steadygan.part import Value
from steadygan.rundir import atomic_write
from steadygan.runs import Run

SECONDS = "progress/seconds"
_PROJECT = "steadygan"
_LEAVING = 120.0  # seconds at most that the end of a run waits for an upload; what is left lies in its folder
_SUFFIX = ".steadygan"


@dataclass(frozen=True)
class LogEntry:
    """What there is to show after so many images: numbers, texts and files of pictures by their names, as `a/b`."""

    images: int
    numbers: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, Path] = field(default_factory=dict)


class Journal(Protocol):
    """A run in another tool. It has been given everything up to `reached` images seen, -1 if nothing."""

    reached: int

    def add(self, entry: LogEntry) -> None: ...

    def flush(self) -> None:
        """See to it that what was added is neither lost nor asked for again."""

    def close(self, failed: bool) -> None: ...


@runtime_checkable
class Tracker(Protocol):
    """Settings of another tool."""

    def problem(self) -> str:
        """Why it cannot be used here and what to do, as a sentence without its beginning; "" if it can."""

    def open(self, run: Run) -> Journal:
        """Begin, or go on with, what it has of a run."""


class TensorBoard(Value):
    """Event files in the folder `tensorboard` of the run, for `tensorboard --logdir runs`.

    A run that goes on writes them anew from its records: what a kill took or a resume gave up is not in them twice.
    """

    kind: Literal["tensorboard"] = "tensorboard"

    def problem(self) -> str:
        try:
            import tensorboard  # noqa: F401
            import torch.utils.tensorboard  # noqa: F401 - for a mere folder of that name can be imported
        except ImportError:
            return _install(self.kind)
        return ""

    def open(self, run: Run) -> Journal:
        return _EventFile(run)


class Wandb(Value):
    """A run of Weights & Biases, its files in the folder `wandb` of the run. What WANDB_MODE and the like say holds.

    A run that goes on goes on there, too, and sends nothing twice: what was sent cannot be taken back, so after a
    resume from an earlier checkpoint the points up to where it was before stay what they were.
    """

    kind: Literal["wandb"] = "wandb"
    project: str = ""
    entity: str = ""

    def problem(self) -> str:
        try:
            from wandb import Error, login, setup
        except ImportError:
            return _install(self.kind)
        try:
            known = setup().settings.mode not in ("online", "shared") or login(prompt=False, verify=False)
        except Error as problem:
            return f"wandb: {problem}"
        return "" if known else "wandb has no key of yours; run `wandb login`, or set WANDB_MODE=offline"

    def open(self, run: Run) -> Journal:
        import wandb

        memory = _Memory(run.files.told(self.kind))
        there = wandb.init(
            project=self.project or os.environ.get("WANDB_PROJECT", _PROJECT),
            entity=self.entity or None,
            dir=run.path,
            id=memory.id,
            name=_name(run),
            config=_settings(run),
            resume="allow",
            allow_val_change=True,
            reinit="create_new",  # a run of the user's own in this process stays theirs
            settings=wandb.Settings(console="off", finish_timeout=_LEAVING),
        )
        return _Calls(memory, there.log, wandb.Image, lambda failed: there.finish(exit_code=int(failed)))


class Trackio(Value):
    """A run of trackio, in its own folder or, by TRACKIO_SPACE_ID, on a page of yours. Of a resume as for `Wandb`."""

    kind: Literal["trackio"] = "trackio"
    project: str = _PROJECT

    def problem(self) -> str:
        try:
            from trackio import init  # noqa: F401
        except ImportError:
            return _install(self.kind)
        return ""

    def open(self, run: Run) -> Journal:
        import trackio

        memory = _Memory(run.files.told(self.kind))
        name = f"{_name(run)}-{memory.id}"  # by which alone it knows a run again
        trackio.init(project=self.project, name=name, config=_settings(run), resume="allow", embed=False)
        return _Calls(memory, trackio.log, trackio.Image, lambda failed: trackio.finish())


AnyTracker = Annotated[TensorBoard | Wandb | Trackio, Field(discriminator="kind")]


def _install(kind: str) -> str:
    return f"{kind} is not installed; pip install 'steadygan[{kind}]'"


def _name(run: Run) -> str:
    return spelled(run.path.absolute().name)


def _settings(run: Run) -> dict[str, Any]:
    """All settings by their places, in text that can be sent."""
    flat = flatten(run.info().config)
    return {place: spelled(value) if isinstance(value, str) else value for place, value in flat.items()}


class _EventFile:
    """What TensorBoard reads of a run, written by its own protocol.

    PyTorch's SummaryWriter leaves the writing to a thread, which on a full disk prints a traceback and goes away; here
    what fails does so in `add` or `flush`. An event that a kill cuts short is passed over. Wall time is that of the
    run's beginning plus time of training.
    """

    reached = -1

    def __init__(self, run: Run) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from torch.utils.tensorboard import RecordWriter, summary

        self._event, self._summary, self._made = event_pb2, summary_pb2.Summary, summary
        info, folder = run.info(), run.files.tensorboard
        self.began, self.seconds = datetime.fromisoformat(info.created).timestamp(), 0.0
        folder.mkdir(exist_ok=True)
        before = list(folder.glob(f"events.out.tfevents.*{_SUFFIX}"))
        # a name of its own, later in the alphabet: a TensorBoard that looks on goes from file to file
        self.file = (folder / f"events.out.tfevents.{time.time():017.6f}{_SUFFIX}").open("xb")
        self.writer = RecordWriter(self.file)
        try:
            self._begin(run, before)
        except BaseException:
            self.file.close()
            raise

    def _begin(self, run: Run, before: Sequence[Path]) -> None:
        """Take the place of the files before, and write the settings."""
        self._write(0, file_version="brain.Event:2")
        # and forgets what it had read in the earlier ones
        self._write(0, session_log=self._event.SessionLog(status=self._event.SessionLog.START))
        for file in before:  # one that looks on waits for ever for a file that is gone, but not for an empty one
            size = file.stat().st_size
            file.unlink()  # and not cut to nothing: copies of a run may share what did not change
            if size:
                file.touch()
        settings = {place: v for place, v in _settings(run).items() if isinstance(v, bool | int | float | str)}
        self._write(0, summary=self._made.hparams(settings, {})[1])
        self.add(LogEntry(0, texts={"settings": f"```\n{to_toml(run.info().config)}\n```"}))

    def add(self, entry: LogEntry) -> None:
        self.seconds = entry.numbers.get(SECONDS, self.seconds)
        value = self._summary.Value
        self._write(
            entry.images,
            summary=self._summary(
                value=[
                    *(value(tag=name, simple_value=number) for name, number in entry.numbers.items()),
                    *(value(tag=name, image=self._picture(file)) for name, file in entry.pictures.items()),
                    *(self._made.text(name, spelled(text)).value[0] for name, text in entry.texts.items()),
                ]
            ),
        )

    def flush(self) -> None:
        self.writer.flush()

    def close(self, failed: bool) -> None:
        self.file.close()

    def _picture(self, file: Path) -> Any:
        with Image.open(file) as picture:
            width, height = picture.size
            channels = len(picture.getbands())
        return self._summary.Image(
            height=height, width=width, colorspace=channels, encoded_image_string=file.read_bytes()
        )

    def _write(self, images: int, **what: Any) -> None:
        event = self._event.Event(step=images, wall_time=self.began + self.seconds, **what)
        self.writer.write(event.SerializeToString())


class _Memory:
    """Up to how many images seen a tool was given everything, and as which run: a file of the run folder."""

    def __init__(self, file: Path) -> None:
        self.file = file
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        self.id, self.images = str(known.get("id") or secrets.token_hex(4)), int(known.get("images", -1))

    def keep(self) -> None:
        atomic_write(self.file, json.dumps({"id": self.id, "images": self.images}) + "\n")


class _Calls:
    """A run behind the calls of the Weights & Biases API, which takes entries in the order of their steps only."""

    def __init__(
        self,
        memory: _Memory,
        log: Callable[..., object],
        picture: Callable[[str], object],
        finish: Callable[[bool], object],
    ) -> None:
        self.memory, self.log, self.picture, self.finish = memory, log, picture, finish
        self.reached = memory.images
        memory.keep()

    def add(self, entry: LogEntry) -> None:
        pictures = {name: self.picture(str(file)) for name, file in entry.pictures.items()}
        texts = {name: spelled(text) for name, text in entry.texts.items()}
        self.memory.images = max(entry.images, self.memory.images)
        self.log({**entry.numbers, **texts, **pictures}, step=self.memory.images)

    def flush(self) -> None:
        self.memory.keep()

    def close(self, failed: bool) -> None:
        self.finish(failed)
