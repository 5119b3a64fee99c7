"""How fast a step is, against the textbook's and against the processor."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from steadygan.config import resolve
from steadygan.networks import Pair, latents_of
from steadygan.spec import ImageSpec
from steadygan.studies.bench_device import finish, matrix_peak_gflops
from steadygan.training.build import make_game, make_pair
from steadygan.training.check import check
from steadygan.training.config import RunConfig
from steadygan.training.convolutions import settle_convolutions
from steadygan.training.runtime import Runtime, choose

_WARM_UP = 3


class Timing(BaseModel):
    """Images per second of one kind of step: the median, the mean and the extremes of its rounds."""

    images_per_second: float
    mean: float
    slowest: float
    fastest: float
    first_seconds: float


class StepReport(BaseModel):
    """What `bench step` prints. Ratios are of medians in one process; GFLOP/s count multiply and add as two.

    `plain` is the same step with torch's own convolutions, where `machine.convolutions` lists layers that a run
    computes otherwise.
    """

    machine: dict[str, object]
    textbook: Timing
    steadygan: Timing
    ratio: float
    plain: Timing | None = None
    plain_ratio: float | None = None
    compiled: Timing | None = None
    compiled_ratio: float | None = None
    gflop_per_image: float
    step_gflops: float
    matrix_peak_gflops: float
    share_of_peak: float


def textbook_step(real: Tensor, latent_dim: int, pair: Pair) -> Callable[[], None]:
    """The loop every tutorial has: float32, NCHW, eager, three backward passes. Written out, not ours."""
    generator, discriminator = pair
    adam_g = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    loss = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(len(real), device=real.device), torch.zeros(len(real), device=real.device)

    def update() -> None:
        discriminator.zero_grad()
        loss(discriminator(real), ones).backward()
        fake = generator(torch.randn(len(real), latent_dim, device=real.device))
        loss(discriminator(fake.detach()), zeros).backward()
        adam_d.step()
        generator.zero_grad()
        loss(discriminator(fake), ones).backward()
        adam_g.step()

    return update


def steadygan_step(
    real: Callable[[], Tensor], config: RunConfig, spec: ImageSpec, runtime: Runtime
) -> Callable[[], None]:
    """The step of a run, with all that it chooses for the machine, on the batches that `real` gives."""
    pair = Pair(*(runtime.place(network) for network in make_pair(config, spec)))
    settle_convolutions(pair, config, runtime)
    pair = Pair(*(runtime.prepare(network) for network in pair))
    game, latents = make_game(config, pair, spec), latents_of(config.networks)

    def update() -> None:
        game.step(lambda: (real(),), lambda: latents.draw(config.batch, device=runtime.device))

    return update


def bench_step(size: int, batch: int, width: int, rounds: int, compile: bool, device: str) -> StepReport:
    """Time both kinds of step in turn, so that a drifting machine treats them alike."""
    networks = {"kind": "dcgan", "width": width}
    config = resolve(RunConfig, {"batch": batch, "size": size, "networks": networks, "runtime": {"device": device}})
    spec = ImageSpec(size=size, channels=3)
    check(config, spec, 1)
    runtime = Runtime(choose(config.runtime))
    torch.manual_seed(0)
    real = torch.rand(batch, 3, size, size, device=runtime.device) * 2 - 1
    placed = runtime.to_layout(real)
    textbook = Pair(*(network.to(runtime.device) for network in make_pair(config, spec)))
    kinds = {
        "textbook": textbook_step(real, config.networks.latent_dim, textbook),
        "steadygan": steadygan_step(lambda: placed, config, spec, runtime),
    }
    if runtime.choices.convolutions:
        plain = Runtime(replace(runtime.choices, convolutions=()))
        kinds["plain"] = steadygan_step(lambda: placed, config, spec, plain)
    if compile:
        compiled = Runtime(runtime.choices, compile=True)
        kinds["compiled"] = steadygan_step(lambda: placed, config, spec, compiled)
    timings = _time(kinds, batch, rounds, runtime.device)
    gflop = gflop_per_image(config.networks.build(spec), config.networks.latent_dim, spec)
    peak = matrix_peak_gflops(runtime.device, runtime.choices.precision)
    reached = gflop * timings["steadygan"].images_per_second
    return StepReport(
        machine=runtime.describe(),
        ratio=_ratio(timings, "steadygan"),
        plain_ratio=_ratio(timings, "plain") if "plain" in timings else None,
        compiled_ratio=_ratio(timings, "compiled") if compile else None,
        gflop_per_image=round(gflop, 3),
        step_gflops=round(reached, 1),
        matrix_peak_gflops=round(peak, 1),
        share_of_peak=round(reached / peak, 3),
        **timings,
    )


def _ratio(timings: dict[str, Timing], name: str) -> float:
    return round(timings[name].images_per_second / timings["textbook"].images_per_second, 3)


def _time(kinds: dict[str, Callable[[], None]], batch: int, rounds: int, device: torch.device) -> dict[str, Timing]:
    def seconds(update: Callable[[], None]) -> float:
        start = time.perf_counter()
        update()
        finish(device)
        return time.perf_counter() - start

    first = {name: sum(seconds(update) for _ in range(_WARM_UP)) for name, update in kinds.items()}
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, update in kinds.items():
            taken[name].append(seconds(update))
    return {
        name: Timing(
            images_per_second=round(batch / statistics.median(times), 1),
            mean=round(batch * len(times) / sum(times), 1),
            slowest=round(batch / max(times), 1),
            fastest=round(batch / min(times), 1),
            first_seconds=round(first[name], 2),
        )
        for name, times in taken.items()
    }


def gflop_per_image(pair: Pair, latent_dim: int, spec: ImageSpec) -> float:
    """Arithmetic of one round with one turn each, in GFLOP per image, counted by torch on one forward and backward."""
    from torch.utils.flop_counter import FlopCounterMode

    count = 2
    real = torch.rand(count, spec.channels, spec.size, spec.size)
    game = make_game(RunConfig(), pair, spec)
    with FlopCounterMode(display=False) as counter:
        game.step(lambda: (real,), lambda: torch.randn(count, latent_dim))
    return counter.get_total_flops() / count / 1e9
