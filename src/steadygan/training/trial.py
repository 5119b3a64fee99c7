"""A few measured steps before the run: how fast, how much memory, how long, and what cadence follows from it."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from operator import sub

import torch
from torch import Tensor

from steadygan.data import Dataset
from steadygan.doctor.budget import duration
from steadygan.networks import Pair, classes_of, latents_of
from steadygan.ops.images import from_uint8
from steadygan.spec import ImageSpec
from steadygan.training.budget import expected_seconds, with_schedules
from steadygan.training.build import Parts, make_game
from steadygan.training.config import Cadence, RunConfig
from steadygan.training.game import Game
from steadygan.training.precision import disagreement
from steadygan.training.runtime import Runtime

_WARM_UP = 2
_REPEATS = 3
_ENOUGH_SECONDS = 2.0
_LONG_PERIOD, _LONGEST_PERIOD = 8, 16
_CHECKED = 16  # images of the batch that precisions are compared on: float32 must not need more memory than the run


@dataclass(frozen=True)
class Forecast:
    """What a run will take: images per second and a step over all processes, peak memory in MiB, seconds in all."""

    images_per_second: float
    images_per_step: float
    memory_mb: float
    seconds: float

    @property
    def steps(self) -> int:
        """Steps until the end, the last one whole."""
        return math.ceil(self.seconds * self.images_per_second / self.images_per_step - 1e-6)

    def sentence(self) -> str:
        """What the user is told before the run."""
        return (
            f"about {duration(self.seconds)} at {self.images_per_second:,.0f} images/s: {self.steps:,} steps of "
            f"{self.images_per_step:,.0f} images, {self.memory_mb / 1024:.1f} GiB of memory"
        )


def try_out(parts: Parts, asked: str, say: Callable[[str], None]) -> tuple[Parts, Forecast]:
    """Estimate a run. If its bfloat16 gives wrong gradients it is said, and unless that was `asked` for the run goes on
    in float32. The memory is that of the precision of the run.
    """
    expected = estimate(parts.config, parts.pair, parts.dataset, parts.runtime)
    if parts.runtime.choices.precision != "bfloat16":
        return parts, expected
    real = tuple(part[:_CHECKED] for part in _batch(parts.config, parts.pair, parts.dataset, parts.runtime))
    why = disagreement(parts.config, parts.pair, parts.dataset.spec, parts.runtime, real)
    if not parts.runtime.any(bool(why)):
        return parts, expected
    why = why or "another process finds a wrong gradient"
    if asked == "bfloat16":
        say(f"bfloat16 may be wrong on this machine: {why}; --precision float32 is safe")
        return parts, expected
    remark = f"float32 instead of bfloat16, which is wrong on this machine: {why}"
    say(remark)
    parts = parts.in_float32(remark)
    return parts, estimate(parts.config, parts.pair, parts.dataset, parts.runtime)


def estimate(config: RunConfig, pair: Pair, dataset: Dataset, runtime: Runtime) -> Forecast:
    """Play a few steps on copies of the networks; the run itself is not touched."""
    copies = Pair(*(runtime.prepare(copy.deepcopy(network), alone=True) for network in pair))
    real = _batch(config, pair, dataset, runtime)
    steps = period(config)
    play = player(config, copies, dataset.spec, runtime, lambda: real)
    players = (config.optimizer.generator, config.optimizer.discriminator)
    warm_up = max(_WARM_UP, *(getattr(one, "every", 0) for one in players))  # SOAP is cheaper before it has a basis
    repeats = _REPEATS if steps <= _LONG_PERIOD else 2
    # several processes play as many steps each, for they wait for each other in some of them
    enough = max(steps, _REPEATS) if runtime.world == 1 else 0
    rate, shown = measured_rate(play, steps * repeats, warm_up, enough)
    runtime.forget()
    # one speed for all processes: how often they meet depends on it
    rate = float(runtime.mean(torch.tensor(rate, device=runtime.device)))
    return Forecast(rate, shown, runtime.peak_memory_mb(), expected_seconds(config.budget, rate, shown))


def period(config: RunConfig) -> int:
    """Steps after which lazy penalties are due as before."""
    return min(max([penalty.every for penalty in config.penalties], default=1), _LONGEST_PERIOD)


def player(
    config: RunConfig, pair: Pair, spec: ImageSpec, runtime: Runtime, next_real: Callable[[], tuple[Tensor, ...]]
) -> Callable[[], tuple[Hashable, int]]:
    """What plays a step on prepared networks and waits for its end, for `measured_rate`."""
    game, latents = make_game(config, pair, spec, runtime.world), latents_of(config.networks)
    share = config.batch // runtime.world

    def play() -> tuple[Hashable, int]:
        before = _turns(game)
        shown = game.step(next_real, lambda: latents.draw(share, device=runtime.device))
        game.healthy.item()
        return tuple(map(sub, _turns(game), before)), shown

    return play


def measured_rate(
    play: Callable[[], tuple[Hashable, int]], steps: int, warm_up: int = _WARM_UP, period: int = 0
) -> tuple[float, float]:
    """Images per second and images per step; `play` plays a step and says of what kind it was and how many it showed.

    A step's kind is what makes some longer than others: the turns played in it and the penalties that were due. Every
    step counts with the shortest time of its kind, for the machine may be busy, and with the images it showed itself.
    Where there is a `period`, it is enough to have measured for two seconds and whole periods of so many steps.
    """
    for _ in range(warm_up):
        play()
    best: dict[Hashable, float] = {}
    kinds, images, began = list[Hashable](), 0, time.perf_counter()
    while len(kinds) < steps:
        start = time.perf_counter()
        if period and kinds and not len(kinds) % period and start - began > _ENOUGH_SECONDS:
            break
        kind, shown = play()
        best[kind] = min(time.perf_counter() - start, best.get(kind, math.inf))
        kinds.append(kind)
        images += shown
    return images / sum(best[kind] for kind in kinds), images / len(kinds)


def _turns(game: Game) -> list[int]:
    """How often each move was made so far, and how often each penalty was due."""
    due = [-(-game.d_turns // getattr(penalty, "every", 1)) for penalty in game.penalties]
    return [*(int(optimizer.turns) for optimizer in game.optimizers.values()), *due]


def _batch(config: RunConfig, pair: Pair, dataset: Dataset, runtime: Runtime) -> tuple[Tensor, ...]:
    """The first images of a set as this process's share of a batch, with their labels if the networks are told."""
    numbers = [index % len(dataset) for index in range(config.batch // runtime.world)]
    images = from_uint8(torch.from_numpy(dataset.images[numbers]).to(runtime.device).permute(0, 3, 1, 2))
    labels = () if dataset.labels is None else (torch.from_numpy(dataset.labels[numbers]).to(runtime.device),)
    return runtime.to_layout(images), *labels[: bool(classes_of(pair.generator))]


def with_cadence(config: RunConfig, expected: Forecast) -> RunConfig:
    """Fill in how often to log, draw and save, and how long schedules are, where it was left open.

    The settings' docstrings say how.
    """
    total, rate = expected.seconds, expected.images_per_second

    def images(share: float, least_seconds: float, most_seconds: float) -> int:
        seconds = min(max(total * share, least_seconds), most_seconds)
        return max(1, round(seconds * rate / config.batch)) * config.batch

    bounds = {"log": (1 / 500, 1, 10), "samples": (1 / 40, 15, 300), "checkpoint": (1 / 10, 120, 900)}
    if config.care.fixed_looks:
        bounds |= {"checkpoint": (1 / 20, 30, 900), "doctor": (1 / 100, 15, 300)}
    groups: dict[str, Cadence] = {name: getattr(config, name) for name in bounds}
    filled = {
        name: group.model_copy(update={"every_images": images(*bounds[name])})
        for name, group in groups.items()
        if group.is_open()
    }
    return config.model_copy(update={**filled, "budget": with_schedules(config.budget, total * rate)})
