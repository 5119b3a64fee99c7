"""Features of reals, computed once: found again by the digest of their pixels, never by a name."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from steadygan.data import Dataset
from steadygan.errors import StorageError
from steadygan.places import cache_folder
from steadygan.rundir import atomic_write
from steadygan.scoring.describe import Rows

Indices = NDArray[np.int64]

_KEPT = 64


def recall(dataset: Dataset, indices: Indices, fingerprint: str) -> Rows | None:
    """The rows that a describer with this fingerprint made of these images; None if they are not there, or damaged."""
    with suppress(OSError, SafetensorError, ValueError):
        return _read(_file(dataset, indices, fingerprint))
    return None


def keep(dataset: Dataset, indices: Indices, fingerprint: str, rows: Rows) -> None:
    """Keep rows for `recall`. A cache that cannot be written costs time and nothing else."""
    file = _file(dataset, indices, fingerprint)
    with suppress(StorageError, OSError):
        content = to_bytes({str(number): part.contiguous() for number, part in enumerate(rows)})
        atomic_write(file, content + hashlib.sha256(content).digest())
        _forget_old(file.parent)


def _file(dataset: Dataset, indices: Indices, fingerprint: str) -> Path:
    key = hashlib.sha256(f"{dataset.digest} {fingerprint}".encode() + indices.tobytes()).hexdigest()
    return cache_folder() / "features" / f"{key[:32]}.safetensors"


def _read(file: Path) -> Rows:
    """ValueError if the digest at the end is not that of the rest."""
    content = file.read_bytes()
    if hashlib.sha256(content[:-32]).digest() != content[-32:]:
        raise ValueError(f"{file} is damaged")
    tensors = from_bytes(content[:-32])
    with suppress(OSError):
        file.touch()
    return tuple(tensors[str(number)] for number in range(len(tensors)))


def _forget_old(folder: Path) -> None:
    """Keep the files used last."""
    whole = [file for file in folder.glob("*.safetensors") if not file.name.startswith(".")]  # others are being written
    for file in sorted(whole, key=lambda file: file.stat().st_mtime)[:-_KEPT]:
        file.unlink(missing_ok=True)
