"""How fast a step is: as shipped, computed in other ways, and with the images loaded."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap

from steadygan.data import Dataset
from steadygan.data.loader import Batches
from steadygan.errors import ConfigError
from steadygan.spec import ImageSpec
from steadygan.studies.device.report import InputRow, RecipeRow, StepRow, WayRow
from steadygan.studies.device.timing import Allowance, Play, Rate, attempt, configured, in_turn, smallest, stand
from steadygan.training.config import RunConfig
from steadygan.training.runtime import Choices, Runtime
from steadygan.training.speed import has_bfloat16
from steadygan.training.trial import measured_rate, period

SHIPPED = "as shipped"
_COMPILING = 40.0  # seconds below which compiling a recipe's networks is not begun: it cannot be broken off
_LEAST_STEPS, _WARM_UP = 3, 2
_IMAGES = 2048


@dataclass(frozen=True)
class Variant:
    """A way to compute a step; the switches of torch's CUDA backends stay as they are where they are None."""

    name: str
    runtime: Runtime
    tf32: bool | None = None
    benchmark: bool | None = None

    def is_shipped(self, choices: Choices) -> bool:
        """Whether it is what a run does anyway."""
        return (self.runtime.choices, self.tf32, self.benchmark) == (choices, None, None)


def variants(runtime: Runtime) -> list[Variant]:
    """As shipped, and all that differs from it in one thing on this kind of device, but for torch.compile."""
    cuda, choices = runtime.device.type == "cuda", runtime.choices

    def other(**change: Any) -> Runtime:
        return Runtime(replace(choices, **change))

    found = [Variant("float32", other(precision="float32"), tf32=False if cuda else None)]
    found += [Variant("TF32", other(precision="float32"), tf32=True)] * cuda
    found += [Variant("bfloat16", other(precision="bfloat16"))]
    found += [Variant(layout, other(layout=layout)) for layout in ("channels_last", "channels_first")]
    found += [Variant("cudnn.benchmark", runtime, benchmark=True)] * cuda
    return [Variant(SHIPPED, runtime), *(way for way in found if not way.is_shipped(choices))]


def time_compiled(row: WayRow, runtime: Runtime, allowance: Allowance) -> dict[str, Any]:
    """Time a recipe's step compiled by torch, beside the step as shipped."""
    allowance.need(_COMPILING)
    both = [Variant(SHIPPED, runtime), Variant(row.way, Runtime(runtime.choices, compile=True))]
    return time_ways(row, both, allowance)[-1].model_dump()


@contextmanager
def _switched(way: Variant) -> Iterator[None]:
    """The switches as the way has them, for the length of the block."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    places = ((cudnn, "allow_tf32", way.tf32), (matmul, "allow_tf32", way.tf32), (cudnn, "benchmark", way.benchmark))
    before = [(place, name, getattr(place, name)) for place, name, value in places if value is not None]
    try:
        for place, name, value in places:
            if value is not None:
                setattr(place, name, value)
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)


def time_step(
    row: StepRow, runtime: Runtime, allowance: Allowance, smaller: RecipeRow | StepRow | None
) -> dict[str, Any]:
    """Time a recipe's own step, unless what a `smaller` one took says that it would take longer than there is.

    Time grows with the number of pixels, but from the few and small images of a check only their number tells something
    of it: it is the least that a step of more and larger ones takes.
    """
    size = smallest(row.recipe, runtime.device.type, row.size)
    config, spec = configured(row.recipe, size, runtime.device.type)
    steps = max(_LEAST_STEPS, period(config))
    allowance.need()
    if smaller and smaller.step_ms:
        times = (size / smaller.size) ** 2 if isinstance(smaller, StepRow) else config.batch / smaller.batch
        allowance.need((steps + _WARM_UP) * times * smaller.step_ms / 1000)
    rate = measured_rate(allowance.limited(stand(config, spec, runtime)), steps)
    return {"size": size, "batch": config.batch, **_step(rate), "million_seconds": round(1e6 / rate[0], 1)}


def time_ways(row: WayRow, several: Sequence[Variant], allowance: Allowance) -> list[WayRow]:
    """Time a recipe's step in several ways that take turns, the first of them as shipped; the best round counts."""
    ready = attempt(partial(configured, row.recipe, row.size, several[0].runtime.device.type))
    if isinstance(ready, str):
        return [row.model_copy(update={"reason": ready})]
    config, spec = ready
    plays = {way.name: attempt(partial(_prepared, way, config, spec, allowance)) for way in several}
    found: dict[str, Rate | str] = {name: why for name, why in plays.items() if isinstance(why, str)}
    found |= in_turn({name: play for name, play in plays.items() if not isinstance(play, str)}, period(config))
    row, shipped = row.model_copy(update={"batch": config.batch}), found[several[0].name]
    return [row.model_copy(update={"way": way.name, **_beside(found[way.name], shipped)}) for way in several]


def _beside(one: Rate | str, shipped: Rate | str) -> dict[str, Any]:
    """Figures of a way, or why it has none."""
    if isinstance(one, str) or isinstance(shipped, str):
        return {"reason": one if isinstance(one, str) else shipped}
    return _step(one) | {"shipped_images_per_second": round(shipped[0], 1), "gain": round(one[0] / shipped[0], 3)}


def _prepared(way: Variant, config: RunConfig, spec: ImageSpec, allowance: Allowance) -> Play:
    allowance.need()
    if way.runtime.choices.precision == "bfloat16" and has_bfloat16(way.runtime.device.type) is False:
        raise ConfigError("it has no bfloat16 of its own")
    play = allowance.limited(stand(config, spec, way.runtime))

    def go() -> tuple[Hashable, int]:
        with _switched(way):
            return play()

    return go


def time_input(row: InputRow, runtime: Runtime, folder: Path, allowance: Allowance) -> dict[str, Any]:
    """Time a step with batches as a run loads them from a file, and with the same batch each time, in turn."""
    allowance.need()
    config, spec = configured(row.recipe, row.size, runtime.device.type)
    images, mirror = _file_of_noise(spec, folder), config.data.mirror
    with closing(Batches(images, batch=config.batch, seed=0, device=runtime.device, mirror=mirror)) as batches:
        loaded = stand(config, spec, runtime, lambda: (runtime.to_layout(next(batches).images),))
        plays = {"loaded": loaded, "reused": stand(config, spec, runtime)}
        found = in_turn({name: allowance.limited(play) for name, play in plays.items()}, period(config))
    one, other = found["loaded"], found["reused"]
    if isinstance(one, str) or isinstance(other, str):
        return {"reason": one if isinstance(one, str) else other}
    times = {"loaded_ms": _step(one)["step_ms"], "reused_ms": _step(other)["step_ms"]}
    return {"batch": config.batch, **times, "share": round(max(0.0, 1 - one[0] / other[0]), 4)}


def _file_of_noise(spec: ImageSpec, folder: Path) -> Dataset:
    """A set of random images in a file, as large as the batches of some seconds."""
    shape = (_IMAGES, spec.size, spec.size, spec.channels)
    images = open_memmap(folder / f"noise-{spec.size}.npy", mode="w+", dtype=np.uint8, shape=shape)
    images[:] = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return Dataset(folder, spec, images, None, (), np.empty(0, np.int64), "", {})


def _step(rate: Rate) -> dict[str, float]:
    return {"step_ms": round(1000 * rate[1] / rate[0], 3), "images_per_second": round(rate[0], 1)}
