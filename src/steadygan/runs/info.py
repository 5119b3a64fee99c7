"""`run.json`: what a run is made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steadygan.errors import DataError
from steadygan.records import now
from steadygan.spec import ImageSpec


class _Written(BaseModel):
    """A group of facts in `run.json`; what newer versions add is kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class DataInfo(_Written):
    """The images of a run: where they were, `count` of them in all, of which `held_out` were not trained on."""

    source: str = ""
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


class RunInfo(_Written):
    """The contents of `run.json`. `config` holds all settings, resolved; `parameters` counts the trainable ones."""

    created: str = Field(default_factory=now)
    recipe: str = "custom"
    seed: int = 0
    config: dict[str, Any]
    parameters: dict[str, int]
    data: DataInfo
    device: DeviceInfo = DeviceInfo()
    versions: dict[str, str] = Field(default_factory=dict)


def read_info(file: Path) -> RunInfo:
    """Read `run.json`; DataError if this is not that of a run."""
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DataError(f"{file.parent} is not the folder of a run: its run.json cannot be read") from problem
    try:
        return RunInfo.model_validate(tree)
    except ValidationError as problem:
        named = [".".join(map(str, error["loc"])) for error in problem.errors()]
        wrong = ", ".join(filter(None, named)) or "what a run has"
        raise DataError(f"{file} is not that of a run: {wrong} missing, or of another kind") from problem
