"""Images a second of a run beside other programs: as shipped, and with the number of threads pinned.

python benchmarks/busy.py [--seconds 40] [--busy 0 1 2 4]

For every number of busy programs: one run whose threads follow what is free, and one for each pinned number. Their rate
is the mean over the run, so what noticing costs is in it. Then one run beside which they end half way: how many ticks
it takes until it has its full speed again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steadygan import Run
from steadygan.data.pool import cores
from steadygan.records import Tick
from steadygan.training.speed import name_of

TICK_SECONDS = 2


@contextmanager
def busy(programs: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Programs that do nothing but compute."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(programs)]
    try:
        yield running
    finally:
        for one in running:
            one.kill()


def train(folder: Path, seconds: float, threads: int, every: int) -> list[Tick]:
    """A run of `steady` at 64 pixels; 0 threads lets it choose."""
    line = ["train", "builtin:critters", "-o", folder, "--size", 64, "--minutes", seconds / 60]
    line += ["--set", f"log.every_images={every}"] + (["--threads", threads] if threads else [])
    subprocess.run([sys.executable, "-m", "steadygan", *map(str, line)], check=True, capture_output=True)
    return Run(folder).log()


def rate(log: list[Tick]) -> float:
    return log[-1].images / log[-1].seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--busy", type=int, nargs="*", default=[0, 1, 2, 4])
    asked = parser.parse_args()
    most = max(1, cores() - (cores() >= 3))
    print(json.dumps({"processor": name_of("cpu"), "cores": cores(), "seconds": asked.seconds}), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        quiet = rate(train(Path(folder) / "quiet", 20, most, 640))
        every = max(32, round(quiet * TICK_SECONDS / 32) * 32)
        for programs in asked.busy:
            found = {}
            for threads in (0, *sorted({1, most // 2 or 1, most})):
                with busy(programs):
                    found[threads] = rate(train(Path(folder) / f"{programs}-{threads}", asked.seconds, threads, every))
            best = max(found[threads] for threads in found if threads)
            named = {str(threads or "as shipped"): round(value) for threads, value in found.items()}
            share = {"of the best": round(found[0] / best, 2), "of quiet": round(found[0] / quiet, 2)}
            print(json.dumps({"busy programs": programs, "images a second by threads": named, **share}), flush=True)
        print(json.dumps({"they end half way": half_way(Path(folder) / "half", asked.seconds, every)}), flush=True)


def half_way(folder: Path, seconds: float, every: int) -> list[tuple[int, int]]:
    """Threads and images a second at each tick; two programs that compute end when half of the time is over."""
    with busy(2) as running:

        def end() -> None:
            while not (folder / "log.jsonl").exists():
                time.sleep(0.1)
            time.sleep(seconds / 2)
            for one in running:
                one.kill()
            print(json.dumps({"they ended after images": Run(folder).log()[-1].images}), flush=True)

        threading.Thread(target=end).start()
        return [(tick.threads, round(tick.images_per_second)) for tick in train(folder, seconds, 0, every)]


if __name__ == "__main__":
    main()
