"""What other people's tools hold of a run, read back by what they read with themselves."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from tables import Table

Points = dict[str, list[tuple[int, Any]]]


@dataclass
class Held:
    """Numbers, texts and pictures (their bytes) by name, each with images seen, and all settings."""

    numbers: Points = field(default_factory=dict)
    texts: Points = field(default_factory=dict)
    pictures: Points = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def read_tensorboard(run: Path) -> Held:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    events = EventAccumulator(
        str(run / "tensorboard"), size_guidance=dict.fromkeys(("scalars", "images", "tensors"), 0)
    )
    events.Reload()
    held, tags = Held(), events.Tags()
    held.numbers = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
    held.pictures = {tag: [(e.step, e.encoded_image_string) for e in events.Images(tag)] for tag in tags["images"]}
    for tag in tags["tensors"]:
        told = [(e.step, e.tensor_proto.string_val[0].decode()) for e in events.Tensors(tag)]
        held.texts[tag.removesuffix("/text_summary")] = told
    start = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    for name, value in HParamsPluginData.FromString(start).session_start_info.hparams.items():
        held.settings[name] = getattr(value, str(value.WhichOneof("kind")))
    return held


def read_wandb(run: Path) -> Held:
    """All files of the run; several of one id are one run, as `wandb sync` has it."""
    from wandb.proto.wandb_internal_pb2 import Record

    held, ids = Held(), set()
    for file in sorted((run / "wandb").glob("offline-run-*/*.wandb")):
        ids.add(file.stem)
        for data in _records(file.read_bytes()):
            record = Record.FromString(data)
            for item in record.run.config.update:
                held.settings[item.key] = json.loads(item.value_json)
            step = record.history.step.num
            for item in record.history.item:
                _sort_in(held, [*item.nested_key] or [item.key], step, json.loads(item.value_json), file.parent)
    assert len(ids) == 1
    return held


def _sort_in(held: Held, names: list[str], step: int, value: Any, folder: Path) -> None:
    """An image is told as several values under its name, of which one is the path."""
    if names[1:] == ["path"]:
        held.pictures.setdefault(names[0], []).append((step, (folder / "files" / value).read_bytes()))
    elif names[1:] == [] and not names[0].startswith("_"):
        (held.texts if isinstance(value, str) else held.numbers).setdefault(names[0], []).append((step, value))


def _records(data: bytes) -> Iterator[bytes]:
    """The log format of LevelDB: blocks of 32 KiB with parts of records (checksum, length, kind), after a header."""
    place, whole = 7, b""
    while len(data) - place >= 7:
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole one, or the last part of one
            yield whole
            whole = b""


class TrackioDouble(ModuleType):
    """The calls of trackio 0.43 that are used, with its own arguments; what it was told is kept by the run's name."""

    def __init__(self) -> None:
        super().__init__("trackio")
        self.runs: dict[tuple[str, str], Held] = {}
        self.current: Held | None = None

    def init(  # noqa: PLR0917 - theirs
        self, project: str, name: str | None = None, group: str | None = None, space_id: str | None = None,
        server_url: str | None = None, dataset_id: str | None = None, bucket_id: str | None = None,
        config: dict[str, Any] | None = None, resume: str = "never", settings: Any = None, private: bool | None = None,
        embed: bool = True, auto_log_gpu: bool | None = None, gpu_log_interval: float = 10.0,
        auto_log_cpu: bool | None = None, cpu_log_interval: float = 10.0, webhook_url: str | None = None,
        webhook_min_level: str | None = None,
    ) -> None:  # fmt: skip
        assert name
        assert resume in ("must", "allow", "never")
        fresh = Held(settings=config or {})
        self.current = self.runs.setdefault((project, name), fresh) if resume != "never" else fresh

    def log(self, metrics: dict[str, Any], step: int | None = None) -> None:
        assert self.current is not None
        assert step is not None
        for name, value in metrics.items():
            kinds = {bytes: self.current.pictures, str: self.current.texts}
            kinds.get(type(value), self.current.numbers).setdefault(name, []).append((step, value))

    def finish(self) -> None:
        assert self.current is not None
        self.current = None

    @staticmethod
    def Image(value: str, caption: str | None = None) -> bytes:  # noqa: N802 - as it is called there
        return Path(value).read_bytes()


DOUBLE = TrackioDouble()


def read_trackio(run: Path) -> Held:
    [held] = DOUBLE.runs.values()
    return held


READERS: Table[Any] = Table(
    "READERS in tests/readers.py", {"tensorboard": read_tensorboard, "wandb": read_wandb, "trackio": read_trackio}
)
