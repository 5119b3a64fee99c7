"""What an owner asks of a machine: what a run chooses on it, whether all works, how fast it is and what it takes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import torch

from steadygan.config import resolve
from steadygan.data.pool import cores
from steadygan.part import Value
from steadygan.recipes import RECIPES
from steadygan.studies.device.checks import check_recipe, check_resume
from steadygan.studies.device.memory import memory_by_batch
from steadygan.studies.device.report import (
    TITLES,
    AnswerRow,
    Chosen,
    DeviceReport,
    InputRow,
    MemoryRow,
    RecipeRow,
    ResumeRow,
    StepRow,
    WayRow,
)
from steadygan.studies.device.speed import time_compiled, time_input, time_step, time_ways, variants
from steadygan.studies.device.timing import Allowance, filled
from steadygan.training.config import Budget, RuntimeSettings
from steadygan.training.runtime import Runtime, choose
from steadygan.training.speed import has_bfloat16

Say = Callable[[str], None]
Rows = Iterator[AnswerRow]

_MATRIX = 2048
_PRODUCTS, _PRODUCTS_SECONDS = 8, 3.0
_MOST = 0.3  # of the time that is left for all recipes, for one


class Scope(Value):
    """What is asked of a machine: all `recipes` are tried, and timed at `size`, the `main` ones at all `sizes`; at
    `compared_size` `several` of them are timed in other ways, and the first of those with several `batches`.
    """

    recipes: tuple[str, ...] = tuple(RECIPES)
    main: tuple[str, ...] = ("steady", "dcgan", "sngan", "r3gan", "wgan-gp")
    several: tuple[str, ...] = ("steady", "dcgan")
    size: int = 32
    sizes: tuple[int, ...] = (32, 64, 128)
    compared_size: int = 64
    batches: tuple[int, ...] = (16, 32, 64, 128, 256)

    @classmethod
    def of(cls, device: str) -> Scope:
        """What is asked of a kind of device; of a GPU more."""
        if device != "cuda":
            return cls()
        return cls(size=64, sizes=(32, 64, 128, 256), batches=(32, 64, 128, 256, 512, 1024))


@dataclass(frozen=True)
class Asked:
    """What is asked, and what is known by now: `folder` is removed at the end."""

    runtime: Runtime
    scope: Scope
    folder: Path
    report: DeviceReport


def bench_device(
    device: str = "auto", minutes: float = 5.0, say: Say = lambda text: None, scope: Scope | None = None
) -> DeviceReport:
    """Ask all questions of a device, the cheap ones first, until the minutes are over; `say` hears every answer.

    Raises ConfigError for a device that is not there; what fails beside that is an answer.
    """
    resolve(Budget, {"minutes": minutes})
    start, allowance = time.perf_counter(), Allowance.of(60 * minutes)
    runtime = Runtime(choose(resolve(RuntimeSettings, {"device": device})))
    report = DeviceReport(chosen=_chosen(runtime, device), minutes=minutes)
    for line in report.machine():
        say(line)
    with TemporaryDirectory(prefix="steadygan-") as folder:
        asked = Asked(runtime, scope or Scope.of(runtime.device.type), Path(folder), report)
        for name, share, question in _QUESTIONS:
            say(f"{TITLES[name]}:")
            for row in question(asked, allowance.part(share)):
                say(f"  {row.name()}: {row.words()}")
                getattr(report, name).append(row)
    report.ways.sort(key=lambda row: asked.scope.several.index(row.recipe))
    report.seconds = round(time.perf_counter() - start, 1)
    return report


def _recipes(asked: Asked, allowance: Allowance) -> Rows:
    for row in (RecipeRow(recipe=recipe) for recipe in asked.scope.recipes):
        yield filled(row, partial(check_recipe, row, asked.runtime, allowance.part(_MOST)))


def _resume(asked: Asked, allowance: Allowance) -> Rows:
    for row in (ResumeRow(recipe=recipe, size=asked.scope.size) for recipe in asked.scope.several):
        yield filled(row, partial(check_resume, row, asked.runtime, asked.folder, allowance))


def _input(asked: Asked, allowance: Allowance) -> Rows:
    row = InputRow(recipe=asked.scope.several[0], size=asked.scope.compared_size)
    yield filled(row, partial(time_input, row, asked.runtime, asked.folder, allowance))


def _memory(asked: Asked, allowance: Allowance) -> Rows:
    row = MemoryRow(recipe=asked.scope.several[0], size=asked.scope.compared_size)
    yield from memory_by_batch(row, asked.scope.batches, asked.runtime, allowance)


def _ways(asked: Asked, allowance: Allowance) -> Rows:
    recipes = asked.scope.several
    for number, recipe in enumerate(recipes):
        part, row = allowance.part(1 / (len(recipes) - number)), WayRow(recipe=recipe, size=asked.scope.compared_size)
        yield from time_ways(row, variants(asked.runtime), part)


def _compiled(asked: Asked, allowance: Allowance) -> Rows:
    for recipe in asked.scope.several:
        row = WayRow(recipe=recipe, size=asked.scope.compared_size, way="torch.compile")
        yield filled(row, partial(time_compiled, row, asked.runtime, allowance))


def _steps(asked: Asked, allowance: Allowance) -> Rows:
    """Size by size, so that the largest are those left out; the other recipes at one size, or the nearest they have."""
    scope, report = asked.scope, asked.report
    others = [recipe for recipe in scope.recipes if recipe not in scope.main]
    for size in sorted({*scope.sizes, scope.size}):
        for recipe in (*(scope.main if size in scope.sizes else ()), *(others if size == scope.size else ())):
            row, before = StepRow(recipe=recipe, size=size), list[RecipeRow | StepRow](report.recipes)
            known = [one for one in before + report.steps if one.recipe == recipe and one.step_ms]
            yield filled(row, partial(time_step, row, asked.runtime, allowance, known[-1] if known else None))


_QUESTIONS: tuple[tuple[str, float, Callable[[Asked, Allowance], Rows]], ...] = (
    ("recipes", 0.3, _recipes),
    ("resume", 0.25, _resume),
    ("input", 0.2, _input),
    ("memory", 0.25, _memory),
    ("ways", 0.3, _ways),
    ("steps", 0.75, _steps),
    ("ways", 1.0, _compiled),
)
"""The field of the report, the share of the time that is left then, and what gives the rows."""


def _chosen(runtime: Runtime, asked: str) -> Chosen:
    choices, kind = runtime.choices, runtime.device.type
    on_card, bfloat16 = kind == "cuda", has_bfloat16(kind) is not False
    card = torch.cuda.get_device_properties(runtime.device).total_memory if on_card else 0
    own, gain = os.environ.get("OMP_NUM_THREADS"), choices.bfloat16_gain
    faster = f"in a typical layer bfloat16 is {gain:.2f}× as fast as float32"
    precisions = ("float32", "bfloat16") if bfloat16 else ("float32",)
    return Chosen(
        choices=runtime.describe(),
        reasons={
            "device": "as asked" if asked != "auto" else "the first that is there of cuda, mps and cpu",
            "precision": faster if gain else "it has no bfloat16 of its own",
            "layout": f"in a typical layer channels last is {choices.channels_last_gain:.2f}× as fast",
            "threads": f"of {cores()} processors" + (f", as OMP_NUM_THREADS={own} says" if own else ""),
        },
        torch=torch.__version__,
        processors=cores(),
        memory_gib=round((card or psutil.virtual_memory().total) / 2**30, 1),
        matrix_peak_gflops={name: round(matrix_peak_gflops(runtime.device, name), 1) for name in precisions},
    )


def finish(device: torch.device) -> None:
    """Wait for the device to be done."""
    torch.zeros((), device=device).item()


def matrix_peak_gflops(device: torch.device, precision: str) -> float:
    """The best rate of a square matrix product in a precision: what the machine can do at all."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    # on a GPU a wait takes as long as a product, so that it is one for several, of larger matrices
    side, several = (2 * _MATRIX, 10) if device.type == "cuda" else (_MATRIX, 1)
    matrix = torch.randn(side, side, device=device).to(dtype)
    taken: list[float] = []
    while len(taken) < _PRODUCTS and sum(taken) < _PRODUCTS_SECONDS:
        start = time.perf_counter()
        for _ in range(several):
            matrix @ matrix
        finish(device)
        taken.append(time.perf_counter() - start)
    return 2 * several * side**3 / min(taken) / 1e9
