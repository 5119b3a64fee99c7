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
from steadygan.training.runtime import Runtime
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


def variants(runtime: Runtime) -> list[Variant]:
    """As shipped, and all that differs from it in one thing on this kind of device, but for torch.compile."""
    cuda = runtime.device.type == "cuda"

    def other(**change: Any) -> Runtime:
        return Runtime(replace(runtime.choices, **change))

    found = [Variant(SHIPPED, runtime), Variant("float32", other(precision="float32"), tf32=False if cuda else None)]
    if cuda:
        found.append(Variant("TF32", other(precision="float32"), tf32=True))
    found += [Variant("bfloat16", other(precision="bfloat16"))]
    found += [Variant(layout, other(layout=layout)) for layout in ("channels_last", "channels_first")]
    if cuda:
        found.append(Variant("cudnn.benchmark", runtime, benchmark=True))
    same = (runtime.choices, None, None)
    return [way for way in found if way.name == SHIPPED or (way.runtime.choices, way.tf32, way.benchmark) != same]


def time_compiled(row: WayRow, runtime: Runtime, allowance: Allowance) -> dict[str, Any]:
    """Time a recipe's step compiled by torch, beside the step as shipped."""
    allowance.need(_COMPILING)
    both = [Variant(SHIPPED, runtime), Variant(row.way, Runtime(runtime.choices, compile=True))]
    return time_ways(row.recipe, row.size, both, allowance)[1].model_dump()


@contextmanager
def _switched(way: Variant) -> Iterator[None]:
    """The switches as the way has them, for the length of the block."""
    places = [
        (torch.backends.cudnn, "allow_tf32", way.tf32),
        (torch.backends.cuda.matmul, "allow_tf32", way.tf32),
        (torch.backends.cudnn, "benchmark", way.benchmark),
    ]
    before = [getattr(place, name) for place, name, _ in places]
    try:
        for place, name, value in places:
            if value is not None:
                setattr(place, name, value)
        yield
    finally:
        for (place, name, value), old in zip(places, before, strict=True):
            if value is not None:
                setattr(place, name, old)


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
    rate, shown = measured_rate(allowance.limited(stand(config, spec, runtime)), steps)
    return {"size": size, "batch": config.batch, **_step(rate, shown), "million_seconds": round(1e6 / rate, 1)}


def time_ways(recipe: str, size: int, several: Sequence[Variant], allowance: Allowance) -> list[WayRow]:
    """Time a recipe's step in several ways that take turns, the first of them as shipped; the best round counts."""
    config, spec = configured(recipe, size, several[0].runtime.device.type)
    plays, found = dict[str, Play](), dict[str, Rate | str]()
    for way in several:
        play = attempt(partial(_prepared, way, config, spec, allowance))
        if isinstance(play, str):
            found[way.name] = play
        else:
            plays[way.name] = allowance.limited(play)
    found |= in_turn(plays, period(config))
    shipped = found[several[0].name]
    rows = []
    for way in several:
        row, one = WayRow(recipe=recipe, size=size, batch=config.batch, way=way.name), found[way.name]
        if isinstance(one, str) or isinstance(shipped, str):
            figures: dict[str, Any] = {"reason": one if isinstance(one, str) else shipped}
        else:
            beside = {"shipped_images_per_second": round(shipped[0], 1), "gain": round(one[0] / shipped[0], 3)}
            figures = _step(*one) | beside
        rows.append(row.model_copy(update=figures))
    return rows


def _prepared(way: Variant, config: RunConfig, spec: ImageSpec, allowance: Allowance) -> Play:
    allowance.need()
    if way.runtime.choices.precision == "bfloat16" and has_bfloat16(way.runtime.device.type) is False:
        raise ConfigError("it has no bfloat16 of its own")
    play = stand(config, spec, way.runtime)

    def go() -> tuple[Hashable, int]:
        with _switched(way):
            return play()

    return go


def time_input(row: InputRow, runtime: Runtime, folder: Path, allowance: Allowance) -> dict[str, Any]:
    """Time a step with batches as a run loads them from a file, and with the same batch each time, in turn."""
    allowance.need()
    config, spec = configured(row.recipe, row.size, runtime.device.type)
    images = _file_of_noise(spec, folder)
    with closing(
        Batches(images, batch=config.batch, seed=0, device=runtime.device, mirror=config.data.mirror)
    ) as batches:
        loaded = stand(config, spec, runtime, lambda: (runtime.to_layout(next(batches).images),))
        plays = {"loaded": loaded, "reused": stand(config, spec, runtime)}
        found = in_turn({name: allowance.limited(play) for name, play in plays.items()}, period(config))
    one, other = found["loaded"], found["reused"]
    if isinstance(one, str) or isinstance(other, str):
        return {"reason": one if isinstance(one, str) else other}
    times = {f"{name}_ms": _step(*rate)["step_ms"] for name, rate in (("loaded", one), ("reused", other))}
    return {"batch": config.batch, **times, "share": round(max(0.0, 1 - one[0] / other[0]), 4)}


def _file_of_noise(spec: ImageSpec, folder: Path) -> Dataset:
    """A set of random images in a file, as large as the batches of some seconds."""
    shape = (_IMAGES, spec.size, spec.size, spec.channels)
    images = open_memmap(folder / f"noise-{spec.size}.npy", mode="w+", dtype=np.uint8, shape=shape)
    images[:] = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return Dataset(folder, spec, images, None, (), np.empty(0, np.int64), "", {})


def _step(rate: float, shown: float) -> dict[str, float]:
    return {"step_ms": round(1000 * shown / rate, 3), "images_per_second": round(rate, 1)}
