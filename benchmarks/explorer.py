"""Milliseconds until the explorer has a picture while a training runs beside it.

python benchmarks/explorer.py [--sizes 64] [--recipe steady] [--pictures 30] [--alone]

For each size a run of a few steps, and beside it a training at 64 pixels that takes what is free, unless `--alone`. A
line of JSON: seconds until the first picture (the process has to load torch), the median and the slowest of `pictures`
single ones as a slider asks for them, of as many exact ones as a download does, and of grids of 16.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any

from steadygan.data.pool import cores
from steadygan.training.speed import name_of
from steadygan.web.painter import Painter

GRID = 16


def train(folder: Path, *options: object) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "steadygan", "train", "builtin:critters", "-o", folder, *options]
    return subprocess.Popen([*map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def training(folder: Path) -> Iterator[None]:
    """A training that has begun, for as long as this lasts."""
    process = train(folder, "--size", 64, "--minutes", 60)
    try:
        while not (folder / "log.jsonl").exists():
            time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()


async def measure(run: Path, pictures: int) -> dict[str, Any]:
    painter = Painter()

    async def timed(count: int, first: int, exact: bool) -> float:
        spots = [{"number": first + n} for n in range(count)]
        start = time.perf_counter()
        await painter.ask(run, {"do": "paint", "spots": spots, "exact": exact})
        return time.perf_counter() - start

    try:
        found: dict[str, Any] = {"first_seconds": round(await timed(1, 0, exact=False), 2)}
        for name, count, exact in (("one", 1, False), ("exact", 1, True), ("grid", GRID, True)):
            times = [1000 * await timed(count, n, exact) for n in range(pictures)]
            found |= {f"{name}_ms": round(median(times), 1), f"{name}_slowest_ms": round(max(times), 1)}
        return found
    finally:
        await painter.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="*", default=[64])
    parser.add_argument("--recipe", default="steady")
    parser.add_argument("--pictures", type=int, default=30)
    parser.add_argument("--alone", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for size in asked.sizes:
            run = Path(folder) / f"run{size}"
            train(run, "--size", size, "--steps", 2, "--recipe", asked.recipe).wait()
            with nullcontext() if asked.alone else training(Path(folder) / f"beside{size}"):
                found = asyncio.run(measure(run, asked.pictures))
            about = {"processor": name_of("cpu"), "cores": cores(), "recipe": asked.recipe, "size": size}
            print(json.dumps({**about, "beside_a_training": not asked.alone, **found}), flush=True)


if __name__ == "__main__":
    main()
