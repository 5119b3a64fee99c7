"""How fast batches come from a set that does not fit into memory, against how fast they are used up.

    python benchmarks/feed.py --gigabytes 13.6 --folder /data

Writes a set of random images, by default larger than half of the free memory, and reads it in random order: first right
after the system was told to forget the file (cold), then on for a while, then with a DCGAN at work. Prints JSON.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import torch
from pydantic import BaseModel

from steadygan.data import Batches, Dataset
from steadygan.data.growing import write_header
from steadygan.errors import StorageError
from steadygan.networks import DCGAN
from steadygan.spec import ImageSpec
from steadygan.studies.bench_step import steadygan_step
from steadygan.training.config import RunConfig, RuntimeSettings
from steadygan.training.runtime import Runtime, choose

_BLOCK = 4096
_READS = 200


class FeedReport(BaseModel):
    """Batches alone and beside the DCGAN step, in images per second.

    `gigabytes` is the size of the set, `free_gigabytes` the memory that was free before. `stall` is the share of
    its time that the step waits for input.
    """

    images: int
    gigabytes: float
    free_gigabytes: float
    cold_images_per_second: float
    images_per_second: float
    step_images_per_second: float
    ratio: float
    stall: float


def bench_feed(gigabytes: float | None, size: int, batch: int, seconds: float, folder: Path | None) -> FeedReport:
    free = psutil.virtual_memory().available
    bytes_an_image = size * size * 3
    count = int((free * 0.55 if gigabytes is None else gigabytes * 1e9) // bytes_an_image)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        path = Path(made) / "images.npy"
        if count * bytes_an_image > psutil.disk_usage(made).free * 0.9:
            raise StorageError(
                f"{made} has no room for {count * bytes_an_image / 1e9:.1f} GB; name another with --folder"
            )
        _write(path, count, size)
        dataset = _open(path, count, size)
        _forget(path)
        with closing(Batches(dataset, batch=batch, seed=0)) as batches:
            cold = _rate(batches, batch, seconds)
            warm = _rate(batches, batch, seconds)
            step, stall = _beside_a_step(batches, batch, size, seconds)
    return FeedReport(
        images=count,
        gigabytes=round(count * bytes_an_image / 1e9, 2),
        free_gigabytes=round(free / 1e9, 2),
        cold_images_per_second=round(cold),
        images_per_second=round(warm),
        step_images_per_second=round(step, 1),
        ratio=round(warm / step, 1),
        stall=round(stall, 5),
    )


def _write(path: Path, count: int, size: int) -> None:
    """Random bytes; every block of images is another rotation of the first, so that writing is not what is measured."""
    block = np.random.default_rng(0).integers(0, 256, _BLOCK * size * size * 3, np.uint8)
    with path.open("wb") as file:
        write_header(file, (count, size, size, 3))
        for start in range(0, count, _BLOCK):
            length = min(_BLOCK, count - start) * size * size * 3
            file.write(np.roll(block, start)[:length].tobytes())
        file.flush()
        os.fsync(file.fileno())


def _open(path: Path, count: int, size: int) -> Dataset:
    images = np.load(path, mmap_mode="r")
    spec = ImageSpec(size=size, channels=3)
    return Dataset(path.parent, spec, images, None, (), np.arange(0), "", {})


def _forget(path: Path) -> None:
    """Drop the file from the system's memory, where the system can be asked to."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _rate(batches: Batches, batch: int, seconds: float) -> float:
    start, number = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        next(batches)
        number += 1
    return number * batch / (time.perf_counter() - start)


def _beside_a_step(batches: Batches, batch: int, size: int, seconds: float) -> tuple[float, float]:
    """Images per second of a DCGAN that trains on these batches, and the share of the time it waits for them."""
    config = RunConfig(batch=batch, networks=DCGAN(width=64), runtime=RuntimeSettings())
    runtime = Runtime(choose(config.runtime))
    torch.manual_seed(0)
    spec = ImageSpec(size=size, channels=3)
    step = steadygan_step(lambda: runtime.to_layout(next(batches).images), config, spec, runtime)
    for _ in range(3):
        step()
    waited, start, number = batches.wait_seconds, time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        number += 1
    elapsed = time.perf_counter() - start
    return number * batch / elapsed, (batches.wait_seconds - waited) / elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description="Batches from a set larger than half of the free memory.")
    parser.add_argument("--gigabytes", type=float, help="size of the set [default: 0.55 of the free memory]")
    parser.add_argument("--size", type=int, default=64, help="pixels of a side")
    parser.add_argument("--batch", type=int, default=64, help="images a batch")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each of the three measurements")
    parser.add_argument("--folder", type=Path, help="where to write the set [default: the system's]")
    asked = parser.parse_args()
    print(bench_feed(asked.gigabytes, asked.size, asked.batch, asked.seconds, asked.folder).model_dump_json(indent=2))


if __name__ == "__main__":
    main()
