"""How long the report of a long run takes, and how large it becomes: 2,000 ticks and 300 grids of 64 pictures.

    python benchmarks/report.py [GRID.png ...]

Without pictures the grids are of noise that was blurred, which is harder to make small than most photographs.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

import steadygan as sg
from steadygan.records import Signals, Tick, append
from steadygan.rundir import RunDir
from steadygan.visual.grid import grid, save_picture

TICKS, GRIDS, IMAGES, PICTURES, SIZE = 2_000, 300, 1_000_000, 64, 64


def main(pictures: list[Path]) -> None:
    """Print seconds of wall and processor time, and bytes."""
    with tempfile.TemporaryDirectory() as folder:
        files = RunDir(Path(folder) / "run")
        _write(files, pictures)
        wall, processor = time.perf_counter(), time.process_time()
        out = sg.write_report(files.path)
        seconds = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
        taken = {name: round(value, 2) for name, value in seconds.items()}
        print(json.dumps({"ticks": TICKS, "grids": GRIDS, "seconds": taken, "bytes": out.stat().st_size}))


def _write(files: RunDir, pictures: list[Path]) -> None:
    files.samples.mkdir(parents=True)
    data = {"digest": "x", "count": 1000, "held_out": 100, "spec": {"size": SIZE, "channels": 3}}
    files.run_json.write_text(json.dumps({"config": {"batch": 64}, "parameters": {}, "data": data}))
    required = [name for name, field in Tick.model_fields.items() if field.is_required()]
    for number in range(1, TICKS + 1):
        at = {"step": number, "images": number * IMAGES // TICKS}
        wave = 1 + math.sin(number / 9)
        append(files.log, Tick.model_validate({**dict.fromkeys(required, wave), **at}))
        append(files.signals, Signals.model_validate({**at, "accuracy_held_out": wave / 2, "diversity": wave}))
    for number in range(1, GRIDS + 1):
        sheet = _blurred(number) if not pictures else Image.open(pictures[number % len(pictures)])
        save_picture(sheet, files.sample(number * IMAGES // GRIDS))


def _blurred(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).normal(128, 120, (PICTURES, SIZE, SIZE, 3)).clip(0, 255).astype(np.uint8)
    tiles = [np.asarray(Image.fromarray(one).filter(ImageFilter.GaussianBlur(1.5))) for one in noise]
    return grid(np.stack(tiles))


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
