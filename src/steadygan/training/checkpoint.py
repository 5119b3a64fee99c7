"""The tensors of checkpoints: safetensors and JSON, whole or not there at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from steadygan.errors import DataError
from steadygan.names import in_utf8
from steadygan.rundir import RunDir, atomic_folder, atomic_write
from steadygan.runs import Meta, SavedCheckpoint
from steadygan.runs.checkpoints import digest

_PARTS = ("generator", "average", "discriminator", "state")


def save(
    run: RunDir, images: int, tensors: Mapping[str, dict[str, Tensor]], meta: Mapping[str, Any] | None = None
) -> SavedCheckpoint:
    """Write the named tensors of each part and `meta`, the fields of `Meta`, under the checkpoint's final name in one
    rename, then point `latest` at it.
    """
    folder = run.checkpoint(images)
    if (folder / "meta.json").exists():
        return SavedCheckpoint(folder)  # the end of a run at the very step of its last checkpoint
    with atomic_folder(folder) as part:
        digests = {}
        for name, named in tensors.items():
            file = part / f"{name}.safetensors"
            file.write_bytes(to_bytes(named))  # not save_file, which hides that a disk is full
            digests[file.name] = digest(file)
        whole = Meta(images=images, **(meta or {}), sha256=digests)
        (part / "meta.json").write_text(json.dumps(whole.model_dump(), indent=1), encoding="utf-8")
    atomic_write(run.latest, folder.name + "\n")
    return SavedCheckpoint(folder)


def load(saved: SavedCheckpoint, parts: tuple[str, ...] = _PARTS) -> dict[str, dict[str, Tensor]]:
    """The tensors of a checkpoint, or of some of its parts, checked by their digests; DataError if one is damaged."""
    return {part: _load_part(saved, part) for part in parts}


def _load_part(saved: SavedCheckpoint, part: str) -> dict[str, Tensor]:
    file = saved.part(part)
    try:
        with in_utf8(file) as named:
            return load_file(named)
    except (OSError, SafetensorError) as problem:
        raise DataError(f"{file} is missing or damaged; {saved.way_out()}") from problem
