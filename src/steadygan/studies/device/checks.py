"""Whether things work at all on this machine: some steps of every recipe, and a run that is stopped and resumed."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from steadygan.data import PrepareSettings, is_dataset, prepare
from steadygan.errors import Diverged
from steadygan.networks import Pair, latents_of
from steadygan.recipes import plan
from steadygan.runs import Run
from steadygan.studies.device.report import RecipeRow, ResumeRow
from steadygan.studies.device.timing import Allowance, configured, fresh, noise, smallest
from steadygan.training import checkpoint
from steadygan.training.build import make_game, make_pair
from steadygan.training.config import Budget
from steadygan.training.console import Silent
from steadygan.training.precision import disagreement
from steadygan.training.resuming import resume
from steadygan.training.run import train
from steadygan.training.runtime import Runtime

_STEPS = 6
_FEW = 8
_RESUMED = (8, 4)
_IMAGES = 96


def check_recipe(row: RecipeRow, runtime: Runtime, allowance: Allowance) -> dict[str, Any]:
    """Play a few steps of a recipe at the smallest size it has, or as many as there is time for, at least one.

    On a processor they are of few images: the question is not how fast it is.
    """
    allowance.need()
    size, cuda = smallest(row.recipe, runtime.device.type), runtime.device.type == "cuda"
    config, spec = configured(row.recipe, size, runtime.device.type, None if cuda else _FEW)
    latents, real = latents_of(config.networks), noise(config, spec, runtime)
    game = make_game(config, fresh(config, spec, runtime), spec)
    seconds = list[float]()
    while len(seconds) < _STEPS and (allowance.left or not seconds):
        start = time.perf_counter()
        game.step(lambda: real, lambda: latents.draw(config.batch, device=runtime.device))
        if not float(game.healthy):
            raise Diverged("a gradient was not finite")
        seconds.append(time.perf_counter() - start)
    remark, precision = "", runtime.choices.precision
    if precision == "bfloat16" and allowance.left:
        pair = Pair(*(runtime.place(network) for network in make_pair(config, spec)))
        remark = disagreement(config, pair, spec, Runtime(runtime.choices), real)
    return {
        "size": size,
        "batch": config.batch,
        "steps": len(seconds),
        "step_ms": round(1000 * min(seconds), 3),
        "precision": "float32" if remark else precision,
        "remark": remark,
    }


def check_resume(row: ResumeRow, runtime: Runtime, folder: Path, allowance: Allowance) -> dict[str, Any]:
    """Train with a stop and without one, and compare all tensors of the last checkpoints."""
    allowance.need()
    steps, stop = _RESUMED
    whole = _trained(row.recipe, row.size, runtime, folder / f"whole-{row.recipe}", steps)
    broken = _trained(row.recipe, row.size, runtime, folder / f"broken-{row.recipe}", stop)
    resume(broken.path, Budget(steps=steps), console=Silent())
    largest, tensor = difference(_tensors(whole), _tensors(broken))
    found: dict[str, Any] = {"steps": steps, "stopped_after": stop, "exact": not largest, "largest_difference": largest}
    if largest:
        again = _trained(row.recipe, row.size, runtime, folder / f"again-{row.recipe}", steps)
        found |= {"tensor": tensor, "repeat_difference": difference(_tensors(whole), _tensors(again))[0]}
    return found | {"batch": whole.info().config["batch"]}


def _trained(recipe: str, size: int, runtime: Runtime, out: Path, steps: int) -> Run:
    """A run of so many steps on drawn images, without scores against held-out ones."""
    images = out.parent / f"images-{size}"
    if not is_dataset(images):
        source = "builtin:ring" if size == 1 else "builtin:critters"
        prepare(source, images, PrepareSettings(size=size if size > 1 else None, limit=_IMAGES), workers=0)
    chosen: dict[str, Any] = {
        name: getattr(runtime.choices, name) for name in ("device", "precision", "layout", "threads")
    }
    chosen["convolution"] = "plain"  # each of the runs that are compared might choose otherwise
    settings: dict[str, Any] = {"runtime": chosen, "budget": {"steps": steps}, "scores": {"metrics": []}}
    if size > 1:
        settings["size"] = size  # a recipe may have one of its own
    config, dataset, _ = plan(images, recipe, settings, Silent())
    return train(config, out, Silent(), dataset)


def _tensors(run: Run) -> dict[str, Tensor]:
    """Those of the last checkpoint."""
    parts = checkpoint.load(run.checkpoint("latest"))
    return {f"{part}.{name}": tensor for part, named in parts.items() for name, tensor in named.items()}


def difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> tuple[float, str]:
    """The largest difference of any number of these tensors, and in which of them; infinite where only one has it."""
    found = {name: _apart(one.get(name), other.get(name)) for name in sorted(one.keys() | other.keys())}
    name = max(found, key=lambda name: found[name])
    return found[name], name


def _apart(one: Tensor | None, other: Tensor | None) -> float:
    if one is None or other is None or one.shape != other.shape:
        return math.inf
    if not one.numel():
        return 0.0
    a, b = one.double(), other.double()
    same = (a == b) | (a.isnan() & b.isnan())
    return float((a - b).abs().nan_to_num(nan=math.inf, posinf=math.inf).masked_fill(same, 0).max())
