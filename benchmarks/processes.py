"""What several processes give on the cores there are, and what an engine costs a study's run.

    python benchmarks/processes.py pictures/ --seconds 20
    RAY_ADDRESS=... python benchmarks/processes.py pictures/ --study 8

First: `dcgan` at 64 pixels with a batch of 64 by 1, 2 and 4 processes, which share the processors among them, in
rounds, one after another; the median rate of the ticks after the first third, in images of all processes a second. With
`--study`: so many runs of a few steps, one at a time, as processes here and as tasks of Ray, in turn; seconds a run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import steadygan as sg

COUNTS = (1, 2, 4)


def rate(source: str, processes: int, seconds: float, out: Path) -> float:
    """Images/s of one training."""
    threads = max(1, len(os.sched_getaffinity(0)) // processes)
    sets = {"runtime.threads": threads, "doctor.most_time": 0, "log.every_images": 256, "samples.every_images": 10**9}
    sets |= {"checkpoint.every_images": 10**9}
    words = [word for name, value in sets.items() for word in ("--set", f"{name}={value}")]
    line = [
        "train",
        source,
        "--recipe",
        "dcgan",
        "--size",
        "64",
        "--batch",
        "64",
        "--minutes",
        str(seconds / 60),
        *words,
    ]
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *launcher, "-m", "steadygan", *line, "-o", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ticks = sg.Run(out).log()
    return statistics.median(tick.images_per_second for tick in ticks[len(ticks) // 3 :])


def study(source: str, runs: int, engine: str, out: Path) -> float:
    """Seconds a run of a study of short ones, its start left out: that of twice as many runs less that of these."""
    sets = ["networks.width=8", "doctor.most_time=0", "runtime.threads=1"]
    words = [word for text in sets for word in ("--set", text)]
    line = ["ablate", source, "--recipe", "dcgan", "--size", "32", "--vary", "hinge", "--images", "640", *words]
    took = []
    for seeds in (runs // 2, runs):
        began = time.monotonic()
        command = [
            *line,
            "--seeds",
            str(seeds),
            "--jobs",
            "1",
            "--engine",
            engine,
            "-o",
            str(out / f"{engine}-{seeds}"),
        ]
        subprocess.run([sys.executable, "-m", "steadygan", *command], check=True, capture_output=True)
        took.append(time.monotonic() - began)
    return (took[1] - took[0]) / runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--study", type=int, default=0, metavar="RUNS")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        if options.study:
            for engine in ("local", "ray"):
                print(f"{engine}: {study(options.source, options.study, engine, out):.1f} s a run", flush=True)
            return
        found: dict[int, list[float]] = {count: [] for count in COUNTS}
        for turn in range(options.rounds):
            for count in COUNTS:
                found[count].append(rate(options.source, count, options.seconds, out / f"{turn}-{count}"))
                print(f"{count}: {found[count][-1]:,.0f} images/s", flush=True)
        alone = statistics.median(found[1])
        for count, rates in found.items():
            middle, span = statistics.median(rates), f"{min(rates):,.0f} to {max(rates):,.0f}"
            print(f"{count} processes: {middle:,.0f} images/s ({span}), {middle / alone:.2f}")


if __name__ == "__main__":
    main()
