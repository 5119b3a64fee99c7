"""The one file in which a trained generator travels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from steadygan.errors import DataError
from steadygan.names import in_utf8
from steadygan.rundir import atomic_write
from steadygan.spec import ImageSpec

_FORMAT = "steadygan-generator-1"


class ExportedGenerator(NamedTuple):
    """What the file holds: settings of its networks, form of its images, what is known of its origin, its weights."""

    networks: dict[str, Any]
    spec: ImageSpec
    about: dict[str, Any]
    tensors: dict[str, Tensor]

    def write(self, out: Path) -> None:
        """Write all of it into one file, whole or not at all."""
        meta = {
            "format": _FORMAT,
            "networks": json.dumps(self.networks),
            "spec": self.spec.model_dump_json(),
            "about": json.dumps(self.about),
        }
        atomic_write(out, to_bytes(self.tensors, metadata=meta))


def read_exported(path: Path) -> ExportedGenerator:
    """Read the file; DataError if it is damaged or of another kind."""
    try:
        with in_utf8(path) as named, safe_open(named, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as problem:
        raise DataError(f"{path} is not a safetensors file, or was cut short; export it again") from problem
    if meta.get("format") != _FORMAT:
        raise DataError(f"{path} was not written by `steadygan export`; give a run folder or such a file")
    try:
        networks, spec, about = (json.loads(meta[name]) for name in ("networks", "spec", "about"))
        return ExportedGenerator(networks, ImageSpec.model_validate(spec), about, tensors)
    except (KeyError, ValueError) as problem:
        raise DataError(f"{path} does not say what it holds, or wrongly; export it again") from problem
