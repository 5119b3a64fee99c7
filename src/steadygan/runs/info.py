"""`run.json`: what a run is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steadygan.config import changes, flatten
from steadygan.errors import DataError
from steadygan.records import now
from steadygan.spec import ImageSpec

_ABOUT = ("device.device", "device.precision", "data.digest", "versions.steadygan", "versions.torch")

UNCHANGED = {"recipe", "data.source", "start.source"}
"""Settings that are no change of a recipe: it is what was asked, and what it was given."""


class _Written(BaseModel):
    """A group of facts in `run.json`; what newer versions add is kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class DataInfo(_Written):
    """The images of a run: where they were, `count` of them in all, of which `held_out` were not trained on.

    `prepared` is the folder of the data set that was made of them.
    """

    source: str = ""
    prepared: str = ""
    digest: str
    count: int = 0
    held_out: int = 0
    spec: ImageSpec
    class_names: tuple[str, ...] = ()

    @property
    def training(self) -> int:
        """How many images there were to train on."""
        return self.count - self.held_out


@dataclass(frozen=True)
class LayerWay:
    """A convolution that is computed in another way than torch's own, and how many times as fast it was when timed."""

    layer: str
    way: str
    gain: float


class DeviceInfo(_Written):
    """What a run was made on. `remark` says why the precision is another than was thought."""

    device: str = "cpu"
    precision: str = "float32"
    processes: int = 1
    convolutions: tuple[LayerWay, ...] = ()
    remark: str = ""


class StartInfo(_Written):
    """Where the networks of a run came from: a `checkpoint` of another run, or an exported file without such a name.

    `images` the source had seen, `sha256` are the digests of the files taken, `data` says what is known of its images,
    `before` where its own networks came from.
    """

    source: str
    checkpoint: str = ""
    images: int = 0
    recipe: str = ""
    sha256: dict[str, str] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)
    before: StartInfo | None = None

    def handed_over(self) -> dict[str, Any]:
        """What an exported model says of it: names in place of paths, which are nobody else's business."""
        data = {name: _name(value) if name == "source" else value for name, value in self.data.items()}
        before = self.before.handed_over() if self.before else None
        return self.model_dump() | {"source": _name(self.source), "data": data, "before": before}


class BasisInfo(_Written):
    """What the settings of a run were made from, as it was when the run began.

    `asked` is what stands behind `--recipe`, "" if nothing does; `about` is that recipe in its own words. `changed` are
    the settings that are not the recipe's, by their places behind `--set`: here and there. `sources` are references
    with their addresses, those of the recipe and of all techniques in it.
    """

    asked: str = ""
    about: str = ""
    changed: dict[str, tuple[Any, Any]] = Field(default_factory=dict)
    sources: tuple[tuple[str, str], ...] = ()

    def going_on(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> BasisInfo:
        """The same of a run that goes on under other settings."""
        changed = dict(self.changed)
        for place, (here, old) in changes(now, before).items():
            _, there = changed.get(place, (old, old))
            changed = {one: both for one, both in changed.items() if one != place and not one.startswith(f"{place}.")}
            if here != there and place not in UNCHANGED:
                changed[place] = (here, there)
        return self.model_copy(update={"changed": changed})


class RunInfo(_Written):
    """The contents of `run.json`. `config` holds all settings, resolved; `parameters` counts the trainable ones.

    `start` is None for a run that began with fresh weights, `basis` where nobody asked for a recipe.
    """

    created: str = Field(default_factory=now)
    recipe: str = "custom"
    seed: int = 0
    config: dict[str, Any]
    parameters: dict[str, int]
    data: DataInfo
    device: DeviceInfo = DeviceInfo()
    start: StartInfo | None = None
    basis: BasisInfo | None = None
    versions: dict[str, str] = Field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """All settings by their places, and what else decides a run: its machine, its images and versions."""
        everything = flatten(self.model_dump())
        return {**flatten(self.config), **{name: everything.get(name) for name in _ABOUT}}


def _name(path: str) -> str:
    return Path(path).name if Path(path).is_absolute() else path


def read_info(file: Path) -> RunInfo:
    """Read `run.json`; DataError if this is not that of a run."""
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        wrong = "its run.json cannot be read" if file.parent.exists() else "there is no such folder"
        raise DataError(f"{file.parent} is not the folder of a run: {wrong}") from problem
    try:
        return RunInfo.model_validate(tree)
    except ValidationError as problem:
        named = [".".join(map(str, error["loc"])) for error in problem.errors()]
        wrong = ", ".join(filter(None, named)) or "what a run has"
        raise DataError(f"{file} is not that of a run: {wrong} missing, or of another kind") from problem
