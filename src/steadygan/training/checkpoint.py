"""Checkpoints: safetensors and JSON, whole or not there at all, pruned to the newest and the best."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from steadygan.errors import DataError
from steadygan.names import in_utf8
from steadygan.rundir import RunDir, atomic_folder, atomic_write, checkpoint_images

FORMAT = 3
_PARTS = ("generator", "average", "discriminator", "state")


@dataclass
class Checkpoint:
    """What a checkpoint folder holds: named tensors of each part, and `meta` (counters, plain state, digests)."""

    tensors: dict[str, dict[str, Tensor]]
    meta: dict[str, Any] = field(default_factory=dict)


def save(run: RunDir, images: int, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint under its final name in one rename, then point `latest` at it."""
    folder = run.checkpoint(images)
    if (folder / "meta.json").exists():
        return folder  # the end of a run at the very step of its last checkpoint
    with atomic_folder(folder) as part:
        digests = {}
        for name, tensors in checkpoint.tensors.items():
            file = part / f"{name}.safetensors"
            file.write_bytes(to_bytes(tensors))  # not save_file, which hides that a disk is full
            digests[file.name] = _digest(file)
        meta = {"format": FORMAT, "images": images, **checkpoint.meta, "sha256": digests}
        (part / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
    atomic_write(run.latest, folder.name + "\n")
    return folder


def load(folder: Path, parts: tuple[str, ...] = _PARTS) -> Checkpoint:
    """Read a checkpoint, or some parts of it, and verify it against its digests; DataError names the damaged file."""
    meta = read_meta(folder)
    return Checkpoint({part: _load_part(folder, part, meta) for part in parts}, meta)


def read_meta(folder: Path) -> dict[str, Any]:
    """The JSON of a checkpoint."""
    try:
        meta: dict[str, Any] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DataError(f"{folder / 'meta.json'} cannot be read; {_remedy(folder)}") from problem
    if not isinstance(meta, dict):
        raise DataError(f"{folder / 'meta.json'} is damaged; {_remedy(folder)}")
    if meta.get("format") != FORMAT:
        raise DataError(
            f"{folder} has format {meta.get('format')}, this steadygan reads {FORMAT}; use the version that wrote it"
        )
    return meta


def _load_part(folder: Path, part: str, meta: dict[str, Any]) -> dict[str, Tensor]:
    file = folder / f"{part}.safetensors"
    try:
        if _digest(file) != meta["sha256"][file.name]:
            raise DataError(f"{file} is damaged (its digest is not the recorded one); {_remedy(folder)}")
        with in_utf8(file) as named:
            return load_file(named)
    except (OSError, SafetensorError, KeyError) as problem:
        raise DataError(f"{file} is missing or damaged; {_remedy(folder)}") from problem


def _remedy(folder: Path) -> str:
    others = [c.name for c in RunDir(folder.parent.parent).all_checkpoints() if c != folder]
    if not others:
        return "there is no other checkpoint in this run"
    return (
        f"to resume, write an earlier one, such as {others[-1]}, into {folder.parent / 'latest'}; "
        f"to sample, name it with --checkpoint {others[-1]}"
    )


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def prune(run: RunDir, keep: int) -> None:
    """Delete all but the newest `keep` checkpoints, the best one and the one that `latest` names."""
    folders = run.all_checkpoints()
    named = {pointer.read_text(encoding="utf-8").strip() for pointer in (run.best, run.latest) if pointer.exists()}
    for folder in folders[:-keep]:
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
