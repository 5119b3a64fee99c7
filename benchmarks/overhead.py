"""The share of a whole training run that its own steps take; the rest is input, records, pictures, checkpoints.

    python benchmarks/overhead.py --minutes 3

`signals_share` is what the doctor's measurements took of it, which `doctor.most_time` limits (but for the first and the
last), and `signals_steps` how long one took, in steps of the run.
Trains on drawn animals. The steps are timed where they are: alone, in another process or on other data they would
not be the same steps. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from steadygan.recipes import configure
from steadygan.studies.bench_device import finish
from steadygan.training.console import Silent
from steadygan.training.run import train
from steadygan.training.session import Session


class Watch(Silent):
    """Times the game's own steps inside a run, from the second one on."""

    def __init__(self) -> None:
        self.start = 0.0
        self.step_seconds = 0.0
        self.images = 0

    def step(self, session: Session) -> None:
        if not self.start:
            session.game.step = self._timed(session.game.step, session.runtime.device)
            self.start = time.perf_counter()
        else:
            self.images += session.images_this_step

    def _timed(self, play: Callable[..., int], device: torch.device) -> Callable[..., int]:
        def timed(*batches: Callable[[], Tensor]) -> int:
            start = time.perf_counter()
            images = play(*batches)
            finish(device)
            self.step_seconds += time.perf_counter() - start
            return images

        return timed


def main() -> None:
    parser = argparse.ArgumentParser(description="The share of a training run that its own steps take.")
    parser.add_argument("--size", type=int, default=64, help="pixels of a side")
    parser.add_argument("--minutes", type=float, default=3.0, help="length of the run that is measured")
    asked = parser.parse_args()
    config = configure("builtin:critters", settings={"size": asked.size, "budget": {"minutes": asked.minutes}})
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        run = train(config, Path(folder) / "run", watch)
        seconds = time.perf_counter() - watch.start
        signals = [line.seconds for line in run.signals()]
    step_seconds = watch.step_seconds * config.batch / watch.images
    found = {
        "images": watch.images,
        "seconds": round(seconds, 2),
        "step_seconds": round(watch.step_seconds, 2),
        "ratio": round(watch.step_seconds / seconds, 4),
        "signals": len(signals),
        "signals_share": round(sum(signals) / seconds, 4),
        "signals_steps": round(statistics.median(signals) / step_seconds, 2),
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
