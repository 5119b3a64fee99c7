"""The one file in which a trained generator travels, or the folder of two, as models lie on the Hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from steadygan.errors import DataError
from steadygan.names import in_utf8
from steadygan.runs import StartInfo
from steadygan.spec import ImageSpec

FORMAT: Literal["steadygan-generator-1"] = "steadygan-generator-1"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
_MOST_BYTES = 2**22  # of a config.json


class _About(BaseModel):
    """What is known of a generator's origin; names that are not here stay as they are."""

    model_config = ConfigDict(extra="allow", strict=True)

    recipe: str = ""
    images: int = Field(default=0, ge=0, le=2**53)
    run: str = ""
    checkpoint: str = ""
    trained_on: str = ""
    license: str = ""
    class_names: list[str] = Field(default_factory=list)
    facts: dict[str, Any] = Field(default_factory=dict)
    start: StartInfo | None = None


class _Stated(BaseModel):
    """What a file says beside its weights."""

    format: Literal["steadygan-generator-1"]
    networks: dict[str, Any]
    spec: ImageSpec
    about: dict[str, Any]


_SAID = frozenset(_Stated.model_fields)


class ExportedGenerator(NamedTuple):
    """What the file holds: settings of its networks, form of its images, what is known of its origin, its weights."""

    networks: dict[str, Any]
    spec: ImageSpec
    about: dict[str, Any]
    tensors: dict[str, Tensor]

    def write(self, out: Path) -> None:
        """Write all of it into one file, which is not yet at its place (`rundir.atomic_path`)."""
        said = {name: json.dumps(value) for name, value in self._said().items()}
        out.write_bytes(to_bytes(self.tensors, metadata={"format": FORMAT, **said}))

    def write_folder(self, folder: Path) -> None:
        """Write it into a folder, which is not yet at its place, as `config.json` and `model.safetensors`."""
        said = json.dumps({"format": FORMAT, **self._said()}, indent=2)
        (folder / CONFIG).write_text(said + "\n", encoding="utf-8")
        (folder / WEIGHTS).write_bytes(to_bytes(self.tensors, metadata={"format": "pt"}))  # as the Hub has it

    def _said(self) -> dict[str, Any]:
        return {"networks": self.networks, "spec": self.spec.model_dump(), "about": self.about}


def is_exported(path: Path) -> bool:
    """Whether this means a file of an exported generator, by its suffix, or is a folder of one."""
    return path.suffix == ".safetensors" or is_model_folder(path)


def is_model_folder(path: Path) -> bool:
    """Whether this folder has a generator as models lie on the Hub, or a part of one."""
    return any((path / name).is_file() for name in (CONFIG, WEIGHTS))


def read_exported(path: Path) -> ExportedGenerator:
    """Read the file or the folder; DataError if it is damaged or of another kind.

    Nothing is executed, and no more is allocated than the files have bytes.
    """
    if path.is_dir():
        said, (_, tensors) = read_config(path / CONFIG), _read(path / WEIGHTS)
        return said._replace(tensors=tensors)
    meta, tensors = _read(path)
    try:
        tree = {
            name: json.loads(text) if name in _Stated.model_fields and name != "format" else text
            for name, text in meta.items()
        }
    except (ValueError, RecursionError) as problem:
        raise DataError(f"{path} does not say what it holds, or wrongly; export it again") from problem
    return _checked(tree, path)._replace(tensors=tensors)


def read_config(file: Path) -> ExportedGenerator:
    """What a `config.json` says, without any weights; DataError if it is not that of a generator."""
    try:
        if not file.is_file():
            raise DataError(f"there is no {file}; a model folder holds {CONFIG} and {WEIGHTS}")
        if file.stat().st_size > _MOST_BYTES:
            raise DataError(f"{file} is no {CONFIG} of `steadygan export`: it has {file.stat().st_size:,} bytes")
        return _checked(json.loads(file.read_bytes()), file)
    except (ValueError, RecursionError) as problem:
        raise DataError(f"{file} is no JSON; export it again") from problem


def _checked(tree: Any, where: Path) -> ExportedGenerator:
    """What was said, of the right types; DataError."""
    if not isinstance(tree, Mapping) or tree.get("format") != FORMAT:
        raise DataError(f"{where} was not written by `steadygan export`; give a run folder or what that wrote")
    try:
        said = _Stated.model_validate(tree)
        about = _About.model_validate(said.about)
    except (ValidationError, RecursionError) as problem:
        raise DataError(
            f"{where} does not say what it holds, or wrongly{_places(problem)}; export it again"
        ) from problem
    if about.class_names and len(about.class_names) < said.spec.classes:
        raise DataError(f"{where} names {len(about.class_names)} classes of {said.spec.classes}; export it again")
    return ExportedGenerator(said.networks, said.spec, said.about, {})


def _places(problem: Exception) -> str:
    if not isinstance(problem, ValidationError):
        return ""
    return f" ({', '.join('.'.join(map(str, error['loc']))[:80] for error in problem.errors()[:3])})"


def _read(file: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors of a safetensors file."""
    if not file.is_file():
        raise DataError(f"there is no {file}; only safetensors are read, never a pickle")
    try:
        with in_utf8(file) as named, safe_open(named, framework="pt") as opened:
            meta = opened.metadata() or {}
            return meta, {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as problem:
        raise DataError(f"{file} is not a safetensors file, or was cut short; export it again") from problem
