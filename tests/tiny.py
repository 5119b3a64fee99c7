"""Small real folders and small real runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

TINY = {
    "networks": {"width": 4, "max_width": 8, "latent_dim": 8},
    "batch": 8,
    "runtime": {"device": "cpu", "precision": "float32", "layout": "channels_last", "threads": 1},
    "log": {"every_images": 16},
    "samples": {"every_images": 64, "count": 9},
    "checkpoint": {"every_images": 32, "keep": 2},
    "doctor": {"most_time": 0},  # a second of every run of some steps
}
WATCHED = TINY | {"doctor": {"most_time": 0.03}}
"""The same with the doctor beside it, as runs have it by default."""


def set_options(settings: dict, path: str = "") -> list[str]:
    """Nested settings as `--set` options."""
    options: list[str] = []
    for name, value in settings.items():
        here = f"{path}.{name}".lstrip(".")
        options += set_options(value, here) if isinstance(value, dict) else ["--set", f"{here}={json.dumps(value)}"]
    return options


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "steadygan", *map(str, arguments)]


def steadygan(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=environment, check=False, **options)


def draw(folder: Path, count: int, size: int = 16, seed: int = 0) -> Path:
    """A folder of coloured squares on coloured ground, each a file."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
        top, left = rng.integers(0, size // 2, 2)
        pixels[top : top + size // 2, left : left + size // 2] = rng.integers(0, 256, 3)
        Image.fromarray(pixels).save(folder / f"{number:04d}.png")
    return folder


def fingerprint(folder: Path) -> dict[str, str]:
    """Digests of every tensor file of a checkpoint."""
    digests: dict[str, str] = json.loads((folder / "meta.json").read_text())["sha256"]
    return digests
