"""What each recipe's step costs on this machine, in one process, taken in turn, beside the textbook's.

    python benchmarks/recipes.py --recipes steady,dcgan --size 64 --rounds 3

Every recipe's own step at one size, with its own settings; lazy penalties are timed over whole periods. Prints JSON.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
from pydantic import BaseModel

from steadygan.networks import Pair, count_parameters, latents_of
from steadygan.recipes import RECIPES, Facts, configure
from steadygan.spec import ImageSpec
from steadygan.studies.bench_device import finish
from steadygan.studies.bench_step import textbook_step
from steadygan.training.build import make_game, make_pair
from steadygan.training.config import RunConfig
from steadygan.training.convolutions import settle_convolutions
from steadygan.training.runtime import Runtime, choose

_WARM_UP = 2


class RecipeCost(BaseModel):
    """One recipe: real images shown per second, that as a share of the textbook's, and its trainable parameters.

    `steps_per_second` tells recipes that show several batches a step apart from slow ones.
    """

    recipe: str
    images_per_second: float
    of_textbook: float
    steps_per_second: float
    batch: int
    parameters: dict[str, int]


class RecipesReport(BaseModel):
    """What is printed; the textbook is the plain loop on the DCGAN of the same size, batch 64."""

    machine: dict[str, object]
    size: int
    textbook_images_per_second: float
    recipes: list[RecipeCost]


class _Contender:
    """Something that plays steps: seconds taken, images shown and generator turns so far."""

    def __init__(self, play: Callable[[], int], device: torch.device) -> None:
        self.play, self.device = play, device
        self.seconds, self.images = 0.0, 0

    def __call__(self, steps: int, timed: bool) -> None:
        start = time.perf_counter()
        images = sum(self.play() for _ in range(steps))
        finish(self.device)
        if timed:
            self.seconds += time.perf_counter() - start
            self.images += images

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds


def bench_recipes(names: list[str], size: int, rounds: int, device: str) -> RecipesReport:
    settings = {"runtime": {"device": device}, "size": size}
    runtime = Runtime(choose(RunConfig.model_validate(settings).runtime))
    spec = ImageSpec(size=size, channels=3)
    facts = Facts(size=size, device=runtime.choices.device)
    configs = {name: configure("builtin:critters", name, settings, facts) for name in names}
    configs = {name: config for name, config in configs.items() if not config.networks.problems(spec)}
    pairs = {name: make_pair(config, spec) for name, config in configs.items()}
    sizes = {
        name: {part: count_parameters(net) for part, net in pair._asdict().items()} for name, pair in pairs.items()
    }
    played = {name: _player(configs[name], pairs[name], spec, runtime) for name in configs}
    textbook = _textbook(spec, runtime)
    periods = {name: max([p.every for p in config.penalties], default=1) for name, config in configs.items()}
    for timed in [False] * _WARM_UP + [True] * rounds:
        textbook(1, timed)
        for name, contender in played.items():
            contender(periods[name] if timed else 1, timed)
    return RecipesReport(
        machine=runtime.describe(),
        size=size,
        textbook_images_per_second=round(textbook.rate, 1),
        recipes=[
            RecipeCost(
                recipe=name,
                images_per_second=round(contender.rate, 1),
                of_textbook=round(contender.rate / textbook.rate, 3),
                steps_per_second=round(rounds * periods[name] / contender.seconds, 2),
                batch=configs[name].batch,
                parameters=sizes[name],
            )
            for name, contender in played.items()
        ],
    )


def _player(config: RunConfig, pair: Pair, spec: ImageSpec, runtime: Runtime) -> _Contender:
    runtime = Runtime(runtime.choices)  # how convolutions are computed is each recipe's own
    pair = Pair(*(runtime.place(network) for network in pair))
    settle_convolutions(pair, config, runtime)
    game = make_game(config, Pair(*(runtime.prepare(network) for network in pair)), spec)
    torch.manual_seed(0)
    images = torch.rand(config.batch, spec.channels, spec.size, spec.size, device=runtime.device) * 2 - 1
    real = (runtime.to_layout(images),)
    latents = latents_of(config.networks)
    draw = partial(latents.draw, config.batch, device=runtime.device)
    return _Contender(lambda: game.step(lambda: real, draw), runtime.device)


def _textbook(spec: ImageSpec, runtime: Runtime) -> _Contender:
    config = RunConfig()
    pair = Pair(*(network.to(runtime.device) for network in make_pair(config, spec)))
    real = torch.rand(config.batch, spec.channels, spec.size, spec.size, device=runtime.device) * 2 - 1
    update = textbook_step(real, config.networks.latent_dim, pair)

    def play() -> int:
        update()
        return config.batch

    return _Contender(play, runtime.device)


def main() -> None:
    parser = argparse.ArgumentParser(description="What each recipe's step costs on this machine.")
    parser.add_argument("--recipes", default=",".join(name for name in RECIPES if name != "ring"), help="NAME,NAME")
    parser.add_argument("--size", type=int, default=64, help="pixels of a side")
    parser.add_argument("--rounds", type=int, default=12, help="timed steps of each, taken in turn")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    asked = parser.parse_args()
    report = bench_recipes(asked.recipes.split(","), asked.size, asked.rounds, asked.device)
    print(report.model_dump_json(indent=2))


if __name__ == "__main__":
    main()
