"""Checkpoints without their tensors: what one says of itself, whether its files are whole, which of them stay."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steadygan.errors import DataError
from steadygan.records import DatedScore
from steadygan.rundir import RunDir, checkpoint_images

FORMAT = 3


class Meta(BaseModel):
    """`meta.json` of a checkpoint: the settings it was trained under, its plain state, the score that picks the best.

    `sha256` are the digests of its files.
    """

    model_config = ConfigDict(frozen=True, extra="allow", ser_json_inf_nan="constants")

    format: int = FORMAT
    images: int
    config: dict[str, Any] = Field(default_factory=dict)
    state: dict[str, Any] = Field(default_factory=dict)
    score: DatedScore | None = None
    sha256: dict[str, str] = Field(default_factory=dict)

    @property
    def progress(self) -> dict[str, Any]:
        """How far the run had come: `steps`, `images` and `seconds`."""
        return dict(self.state.get("progress", {}))


@dataclass(frozen=True)
class SavedCheckpoint:
    """A complete checkpoint folder of a run."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def images(self) -> int:
        """Images seen when it was written."""
        return checkpoint_images(self.folder)

    @property
    def run(self) -> Path:
        """The folder of its run."""
        return self.folder.absolute().parent.parent

    @cached_property
    def meta(self) -> Meta:
        """What it says of itself; DataError if that cannot be read, or was written by another format."""
        file = self.folder / "meta.json"
        try:
            tree: Any = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as problem:
            raise DataError(f"{file} cannot be read; {self.way_out()}") from problem
        if isinstance(tree, dict) and tree.get("format") != FORMAT:
            raise DataError(
                f"{self.folder} has format {tree.get('format')}, this steadygan reads {FORMAT}; use the version that "
                "wrote it"
            )
        try:
            return Meta.model_validate(tree)
        except ValidationError as problem:
            raise DataError(f"{file} is damaged; {self.way_out()}") from problem

    def part(self, name: str) -> Path:
        """The file of a part, such as "average", once it is known to be whole; DataError if it is not."""
        file = self.folder / f"{name}.safetensors"
        try:
            whole = digest(file) == self.meta.sha256[file.name]
        except (OSError, KeyError) as problem:
            raise DataError(f"{file} is missing or damaged; {self.way_out()}") from problem
        if not whole:
            raise DataError(f"{file} is damaged (its digest is not the recorded one); {self.way_out()}")
        return file

    def check(self) -> None:
        """DataError if a file of it is missing or damaged."""
        for name in self.meta.sha256:
            self.part(name.removesuffix(".safetensors"))

    def way_out(self) -> str:
        """What to do if it is damaged."""
        others = [folder.name for folder in RunDir(self.run).all_checkpoints() if folder.name != self.name]
        if not others:
            return "there is no other checkpoint in this run"
        return (
            f"to resume, write an earlier one, such as {others[-1]}, into {self.folder.parent / 'latest'}; "
            f"to sample, name it with --checkpoint {others[-1]}"
        )


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def prune(run: RunDir, keep: int, needed: Iterable[int] = ()) -> None:
    """Delete all but the newest `keep` checkpoints, the best, the one that `latest` names, and those after so many
    images as are `needed`.
    """
    named = {run.checkpoint(images).name for images in needed}
    named |= {pointer.read_text(encoding="utf-8").strip() for pointer in (run.best, run.latest) if pointer.exists()}
    for folder in run.all_checkpoints()[:-keep]:
        if folder.name not in named:
            _delete(folder)


def drop_later(run: RunDir, images: int) -> None:
    """Delete checkpoints later than `images`, which a run resumed from there will write again, and half-made ones."""
    for folder in run.all_checkpoints():
        if checkpoint_images(folder) > images:
            _delete(folder)
    for leftover in run.checkpoints.glob(".*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _delete(folder: Path) -> None:
    """Take the name away first, so that a crash half-way leaves no folder that looks complete."""
    shutil.rmtree(folder.rename(folder.with_name(f".{folder.name}.old")))
