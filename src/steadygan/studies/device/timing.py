"""The time that is left, and how what fits into it is timed."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from accelerate.utils.memory import clear_device_cache
from torch import Tensor

from steadygan.doctor.budget import duration
from steadygan.errors import SteadyganError
from steadygan.networks import Pair
from steadygan.recipes import Facts, configure
from steadygan.spec import ImageSpec
from steadygan.studies.device.report import LEFT_OUT, AnswerRow
from steadygan.training.build import make_pair
from steadygan.training.check import check
from steadygan.training.config import RunConfig
from steadygan.training.convolutions import settle_convolutions
from steadygan.training.runtime import Runtime, enough_memory
from steadygan.training.trial import measured_rate, player

T = TypeVar("T")
R = TypeVar("R", bound=AnswerRow)
Play = Callable[[], tuple[Hashable, int]]
Rate = tuple[float, float]
"""Images per second and images per step."""
_SIZES = (16, 32, 64, 128, 256)
_LONGEST_REASON = 160
_ROUNDS = 3


class OutOfTime(Exception):
    """What is left does not suffice; the message says so."""


@dataclass(frozen=True)
class Allowance:
    """Until when something may go on, on the clock of `time.perf_counter`."""

    end: float

    @classmethod
    def of(cls, seconds: float) -> Allowance:
        """So many seconds from now."""
        return cls(time.perf_counter() + seconds)

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.end - time.perf_counter())

    def part(self, share: float) -> Allowance:
        """A share of what is left now."""
        return Allowance.of(share * self.left)

    def need(self, seconds: float = 0.0) -> None:
        """Raise OutOfTime if there is no more than that."""
        left = self.left
        if not left:
            raise OutOfTime("its time was up")
        if seconds > left:
            raise OutOfTime(f"it would take about {duration(seconds)}, and {duration(left)} were left")

    def limited(self, play: Play) -> Play:
        """The same, which does not begin another step after the end."""

        def go() -> tuple[Hashable, int]:
            self.need()
            return play()

        return go


def attempt(work: Callable[[], T]) -> T | str:
    """What the work gives, or in one line why there is nothing: what goes wrong here is an answer, whatever it is."""
    try:
        with enough_memory():
            return work()
    except OutOfTime as reason:
        return f"{LEFT_OUT}{reason}"
    except Exception as problem:  # noqa: BLE001 - see above
        kind = "" if isinstance(problem, SteadyganError) else f"{type(problem).__name__}: "
        return textwrap.shorten(f"{kind}{problem}", _LONGEST_REASON, placeholder=" …")


def filled(row: R, work: Callable[[], dict[str, Any]]) -> R:
    """The row with the figures that the work gives, or with the reason why there are none."""
    found = attempt(work)
    return row.model_copy(update={"reason": found} if isinstance(found, str) else found)


def in_turn(plays: Mapping[str, Play], steps: int) -> dict[str, Rate | str]:
    """The best of some rounds of so many steps for each, which take turns, or why one has none.

    One that fails is not tried again; what it had before stays.
    """
    rounds: dict[str, list[Rate | str]] = {name: [] for name in plays}
    for _ in range(_ROUNDS):
        for name, play in plays.items():
            if not any(isinstance(one, str) for one in rounds[name]):
                rounds[name].append(attempt(partial(measured_rate, play, steps)))
    return {name: max([one for one in tried if not isinstance(one, str)] or tried) for name, tried in rounds.items()}


def configured(recipe: str, size: int, device: str, batch: int | None = None) -> tuple[RunConfig, ImageSpec]:
    """A recipe as it is shipped, for images of a size (1: for points), checked."""
    config, spec = _asked(recipe, size, device)
    config = config.model_copy(update={"batch": batch or config.batch})
    check(config, spec, 1)
    return config, spec


def smallest(recipe: str, device: str, least: int = _SIZES[0]) -> int:
    """The smallest size from `least` up of which the networks of a recipe make images; 1 if they make points alone."""
    for size in (*(size for size in _SIZES if size >= least), 1):
        config, spec = _asked(recipe, size, device)
        if not config.networks.problems(spec):
            return size
    return least


def _asked(recipe: str, size: int, device: str) -> tuple[RunConfig, ImageSpec]:
    spec = ImageSpec(size=size, channels=2 if size == 1 else 3)
    settings: dict[str, Any] = {"runtime": {"device": device}} | ({"size": size} if size > 1 else {})
    facts = Facts(size=size, channels=spec.channels, device=device)
    return configure("builtin:ring" if size == 1 else "builtin:critters", recipe, settings, facts), spec


def stand(
    config: RunConfig, spec: ImageSpec, runtime: Runtime, next_real: Callable[[], tuple[Tensor, ...]] | None = None
) -> Play:
    """What plays a step of a configuration with fresh networks; on one batch of noise, unless there are others."""
    real = noise(config, spec, runtime)
    return player(config, fresh(config, spec, runtime), spec, runtime, next_real or (lambda: real))


def fresh(config: RunConfig, spec: ImageSpec, runtime: Runtime) -> Pair:
    """Fresh networks, prepared as for a run; those of before are gone from the device's memory."""
    clear_device_cache(garbage_collection=True)
    runtime = Runtime(runtime.choices, runtime.compile)  # Accelerate has one precision, that of the one made last
    pair = Pair(*(runtime.place(network) for network in make_pair(config, spec)))
    settle_convolutions(pair, config, runtime)
    return Pair(*(runtime.prepare(network) for network in pair))


def noise(config: RunConfig, spec: ImageSpec, runtime: Runtime) -> tuple[Tensor]:
    """A batch of images (N, C, S, S) in [-1, 1], as networks without conditions are given it."""
    images = torch.rand(config.batch, spec.channels, spec.size, spec.size, device=runtime.device) * 2 - 1
    return (runtime.to_layout(images),)
