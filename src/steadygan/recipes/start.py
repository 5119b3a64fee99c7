"""Training by the name of a recipe: what `steadygan train` and `sg.train` share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steadygan.config import merge
from steadygan.data import Dataset
from steadygan.recipes.choose import DEFAULT, choose_recipe, override
from steadygan.recipes.facts import USUAL, Facts
from steadygan.training.build import check_size, open_data
from steadygan.training.config import RunConfig
from steadygan.training.console import Reporter, reporter
from steadygan.training.run import DEFAULT_IMAGES, Run
from steadygan.training.run import train as train_config
from steadygan.training.runtime import choose_device

_LIMITS = ("images", "steps", "minutes")


def configure(
    source: str | Path,
    recipe: str | RunConfig = DEFAULT,
    settings: Mapping[str, Any] | None = None,
    facts: Facts = USUAL,
) -> RunConfig:
    """The configuration of a recipe for a source of images, with settings laid over it.

    Paths become absolute, so that a run can be resumed from any folder. A limit given in `settings`
    replaces the recipe's whole budget.
    """
    config = recipe if isinstance(recipe, RunConfig) else choose_recipe(recipe, facts)
    text = str(source)
    absolute = text if text.startswith("builtin:") else str(Path(text).expanduser().absolute())
    layers = merge({"data": {"source": absolute}}, settings or {})
    if isinstance(layers.get("budget"), Mapping):
        layers["budget"] = dict.fromkeys(_LIMITS) | dict(layers["budget"])
    return override(config, layers)


def plan(
    source: str | Path,
    recipe: str | RunConfig = DEFAULT,
    settings: Mapping[str, Any] | None = None,
    console: Reporter | None = None,
) -> tuple[RunConfig, Dataset]:
    """As `configure`, but the recipe is told the facts: the images are opened, and prepared if need be, before."""
    first = configure(source, recipe, settings)
    check_size(first)
    dataset = open_data(first, console or reporter(main=os.environ.get("RANK", "0") == "0"))
    device = choose_device(first.runtime.device)
    spec, budget = dataset.spec, first.budget
    steps = budget.steps * first.batch if budget.steps else None
    limits = [limit for limit in (budget.images, steps) if limit] or [DEFAULT_IMAGES] * budget.is_open()
    facts = Facts(
        size=spec.size,
        channels=spec.channels,
        classes=spec.classes,
        images=len(dataset.training),
        device=device,
        budget_images=min(limits, default=None),
    )
    return configure(source, recipe, settings, facts), dataset


def train(
    source: str | Path,
    recipe: str | RunConfig = DEFAULT,
    out: str | Path | None = None,
    *,
    images: int | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Run:
    """Train a GAN on a folder of images, a zip, a prepared data set or `builtin:NAME`; returns the run.

    `recipe` is a name, a file, or a RunConfig; `settings` a nested dict, as `--set` on the command line;
    `out` a new folder, by default the next free one in `runs/`. Raises what `steadygan.errors` lists.
    """
    limits = {name: value for name, value in zip(_LIMITS, (images, steps, minutes), strict=True) if value is not None}
    config, dataset = plan(source, recipe, merge(settings or {}, {"budget": limits} if limits else {}))
    return train_config(config, Path(out) if out else next_folder(config), dataset=dataset)


def next_folder(config: RunConfig) -> Path:
    """The first folder `runs/RECIPE-SOURCE-NN` that does not exist."""
    source = Path(config.data.source.replace("builtin:", "").partition("?")[0]).stem
    stem = f"{Path(config.recipe.partition(':')[0]).stem}-{source}"
    number = 1
    while (folder := Path("runs") / f"{stem}-{number:02d}").exists():
        number += 1
    return folder
