"""A few measured steps before the run: how fast, how much memory, how long, and what cadence follows from it."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import torch

from steadygan.data import Dataset
from steadygan.networks import Pair, classes_of, latents_of
from steadygan.ops.images import from_uint8
from steadygan.training.budget import duration, expected_seconds
from steadygan.training.build import make_game
from steadygan.training.config import RunConfig
from steadygan.training.runtime import Runtime

_WARM_UP = 2
_REPEATS = 3
_LONGEST_PERIOD = 8


@dataclass(frozen=True)
class Estimate:
    """What a run will take: `images_per_second` over all processes, peak memory in MiB, seconds in all."""

    images_per_second: float
    memory_mb: float
    seconds: float

    def sentence(self) -> str:
        """What the user is told before the run."""
        return (
            f"about {duration(self.seconds)} at {self.images_per_second:,.0f} images/s, "
            f"{self.memory_mb / 1024:.1f} GiB of memory"
        )


def estimate(config: RunConfig, pair: Pair, dataset: Dataset, runtime: Runtime) -> Estimate:
    """Play a few steps on copies of the networks; the run itself is not touched."""
    copies = Pair(*(runtime.prepare(copy.deepcopy(network), alone=True) for network in pair))
    game = make_game(config, copies, dataset.spec, runtime.world)
    share = config.batch // runtime.world
    numbers = [index % len(dataset) for index in range(share)]
    images = from_uint8(torch.from_numpy(dataset.images[numbers]).to(runtime.device).permute(0, 3, 1, 2))
    labels = () if dataset.labels is None else (torch.from_numpy(dataset.labels[numbers]).to(runtime.device),)
    real = (runtime.to_layout(images), *labels[: bool(classes_of(pair.generator))])
    latents = latents_of(config.networks)
    times, shown = [], 0
    period = min(max([penalty.every for penalty in config.penalties], default=1), _LONGEST_PERIOD)
    for _ in range(_WARM_UP + _REPEATS * period):
        start = time.perf_counter()
        shown = game.step(lambda: real, lambda: latents.draw(share, device=runtime.device))
        game.healthy.item()
        times.append(time.perf_counter() - start)
    runtime.forget()
    # a lazy penalty makes some steps longer: the best of each place in its period, for the machine may be busy
    step_seconds = sum(min(times[_WARM_UP + place :: period]) for place in range(period)) / period
    # one speed for all processes: how often they meet depends on it
    rate = float(runtime.mean(torch.tensor(shown / step_seconds, device=runtime.device)))
    return Estimate(rate, runtime.peak_memory_mb(), expected_seconds(config.budget, rate, shown))


def with_cadence(config: RunConfig, expected: Estimate) -> RunConfig:
    """Fill in how often to log, draw and save where it was left open; the settings' docstrings say how."""
    total, rate = expected.seconds, expected.images_per_second

    def images(share: float, least_seconds: float, most_seconds: float) -> int:
        seconds = min(max(total * share, least_seconds), most_seconds)
        return max(1, round(seconds * rate / config.batch)) * config.batch

    log, samples, saves = config.log, config.samples, config.checkpoint
    filled = {
        "log": log.model_copy(update={"every_images": log.every_images or images(1 / 500, 1, 10)}),
        "samples": samples.model_copy(update={"every_images": samples.every_images or images(1 / 40, 15, 300)}),
        "checkpoint": saves.model_copy(update={"every_images": saves.every_images or images(1 / 10, 120, 900)}),
    }
    return config.model_copy(update=filled)
