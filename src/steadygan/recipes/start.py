"""Training by the name of a recipe: what `steadygan train` and `sg.train` share."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

from pydantic import ValidationError

from steadygan.care import AnyCare
from steadygan.claim import claimed, claimed_next, first_process
from steadygan.config import merge, nearest
from steadygan.data import Dataset, is_path
from steadygan.doctor.audit.plan import DEFAULT_IMAGES
from steadygan.errors import ConfigError, DataError, interruptible, os_errors
from steadygan.names import path_of, shown
from steadygan.recipes.basis import basis_of
from steadygan.recipes.choose import DEFAULT, recipe_of, whole
from steadygan.recipes.facts import USUAL, Facts
from steadygan.recipes.fine_tuning import starting_from
from steadygan.runs import BasisInfo, Run
from steadygan.training.build import open_data
from steadygan.training.changing import override
from steadygan.training.check import check_early
from steadygan.training.config import Budget, RunConfig, RuntimeSettings, Settings
from steadygan.training.console import Reporter, reporter
from steadygan.training.origin import open_origin
from steadygan.training.resuming import resume as go_on
from steadygan.training.run import train_in
from steadygan.training.runtime import choose_device

__all__ = ["resume", "train"]

_LONGEST = 50
"""Characters of the name of a source in that of a run's folder: four bytes each, and a name may have 255."""


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
    return _laid_over(recipe_of(recipe)(facts), source, settings)


def _laid_over(config: RunConfig, source: str | Path, settings: Mapping[str, Any] | None) -> RunConfig:
    text = str(source)
    absolute = str(path_of(text).absolute()) if is_path(text) else text
    return override(config, {"data": {"source": absolute}}, whole(settings or {}))


class PlannedRun(NamedTuple):
    """A configuration with its images, and what it was made from."""

    config: RunConfig
    dataset: Dataset
    basis: BasisInfo


def plan(
    source: str | Path,
    recipe: str | RunConfig | None = None,
    settings: Mapping[str, Any] | None = None,
    console: Reporter | None = None,
) -> PlannedRun:
    """As `configure`, but the recipe is told the facts: the images are opened, and prepared if need be, before.

    What can be refused without them is refused first. A recipe is asked again only when it can be told something new.
    No recipe is the default one or, where the settings name a start, that of what the run starts from.
    Raises ConfigError and DataError.
    """
    start = dict((settings or {}).get("start", {})).pop("source", "")
    settings = {name: value for name, value in (settings or {}).items() if name != "start" or not start}
    chosen = starting_from(start, recipe, source) if start else recipe_of(recipe or DEFAULT)
    ask = cache(lambda facts: _laid_over(chosen(facts), source, settings))
    asked: RunConfig = ask(USUAL)
    device = choose_device(asked.runtime.device)
    first: RunConfig = ask(Facts(device=device, size=asked.size or USUAL.size))
    check_early(first)
    if first.start.source:
        open_origin(first.start.source).check_networks(first)
    with closing(console or reporter(main=first_process())) as said:
        dataset = open_data(first, said)
        facts = facts_for(first, dataset, device)
        config: RunConfig = ask(facts)
        if _images(config) != _images(first):  # a recipe may choose them by what it was told
            dataset = open_data(config, said)
    return PlannedRun(config, dataset, basis_of(config, recipe, chosen, facts))


def facts_for(config: RunConfig, dataset: Dataset, device: str) -> Facts:
    """What there is to tell once the images are open."""
    batches = getattr(config.turns, "discriminator", 1)  # of reals in a step; moderated turns cannot be known before
    shown = _budget_images(config.budget, config.batch * batches)
    return Facts(**dataset.spec.model_dump(), images=len(dataset.training), device=device, budget_images=shown)


def _budget_images(budget: Budget, images_per_step: int) -> int | None:
    """How many images a budget lets a run show, as far as it is bounded by images or steps."""
    shown = budget.steps * images_per_step if budget.steps else None
    limits = [limit for limit in (budget.images, shown) if limit] or [DEFAULT_IMAGES] * budget.is_open()
    return min(limits, default=None)


def _images(config: RunConfig) -> tuple[Any, ...]:
    """The settings that decide which images there are."""
    return config.size, config.data.model_dump(exclude={"mirror"})


def facts_of(run: Run) -> Facts:
    """What a recipe was told when a run began, from its `run.json`; DataError if that lacks the settings."""
    data, config = run.info().data, run.info().config
    try:
        step = config["batch"] * config["turns"].get("discriminator", 1)
        budget, device = Budget(**config["budget"]), config["runtime"]["device"]
    except (KeyError, TypeError, AttributeError, ValidationError) as problem:
        raise DataError(
            f"{run.files.run_json} holds no settings that a recipe could be told of: {type(problem).__name__}"
        ) from problem
    shown = _budget_images(budget, step)
    return Facts(**data.spec.model_dump(), images=data.training, device=device, budget_images=shown)


class PlainSettings(TypedDict, total=False):
    """The settings that have plain names, here and on the command line; None is none given."""

    images: int | str | None
    steps: int | str | None
    minutes: float | None
    batch: int | None
    size: int | None
    seed: int | None
    device: str | None
    precision: str | None
    threads: int | None
    care: str | None
    start: str | os.PathLike[str] | None


def placed(**plain: Unpack[PlainSettings]) -> dict[str, Any]:
    """Plain settings where the configuration has them: limits in `budget`, those of the machine in `runtime`.

    What to start from is `start.source` there.
    """
    groups: dict[str, type[Settings]] = {"budget": Budget, "runtime": RuntimeSettings}
    home = {name: group for group, model in groups.items() for name in model.model_fields}
    known = PlainSettings.__annotations__
    for name in plain.keys() - known.keys():
        hint = nearest(name, known) or "."
        raise ConfigError(f"train takes no {name}{hint} It takes {', '.join(known)}, and all others in settings={{}}")
    given = {name: value for name, value in plain.items() if value is not None}
    if (start := plain.get("start")) is not None:
        given["start"] = {"source": os.fspath(start)}
    if "care" in given:
        given["care"] = {"kind": given["care"]}
    return merge({}, *({home[name]: {name: value}} if name in home else {name: value} for name, value in given.items()))


@os_errors()
@interruptible()
def train(
    source: str | Path,
    recipe: str | RunConfig | None = None,
    out: str | Path | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    **plain: Unpack[PlainSettings],
) -> Run:
    """Train a GAN on a folder of images, a zip, a prepared data set or `builtin:NAME`; returns the run.

    `recipe` is a name, a file, or a RunConfig, "steady" by default; `out` a new folder, by default the next free one in
    `runs/`. As on the command line there are `images`, `steps` (also "200k", "1.5M") or `minutes` to stop after,
    `batch`, `size`, `seed`, `device`, `precision`, `threads` and `care`; `settings` is a nested dict of all others.
    `start` is `--from` there: a run, one of its checkpoints or an exported generator to start from, and the recipe is
    by default that run's. Raises what `steadygan.errors` lists.
    """
    return begin(source, recipe, merge(settings or {}, placed(**plain)), Path(out) if out else None)


@os_errors()
@interruptible()
def resume(
    path: str | os.PathLike[str],
    budget: Budget | None = None,
    data: str = "",
    console: Reporter | None = None,
    recipe: str | RunConfig | None = None,
    care: str | AnyCare = "",
    checkpoint: str = "latest",
) -> Run:
    """Continue a run from its latest checkpoint, bit by bit as if it had not stopped (on the same kind of machine).

    `budget` replaces the run's own, counts from the run's beginning, and is the new length of schedules that have none
    of their own; `data` says where the images are now; `recipe` is what the run was started with, needed if it holds
    objects of the user's own. `care` ("watch", "keep", "treat" or a value) replaces what the run does by itself. From
    another `checkpoint`, by its name, what came after it is removed. Raises ConfigError if the run is still training.
    """
    return go_on(Path(path), budget, data, console, told_again(recipe, Run(Path(path))), care, checkpoint)


def told_again(recipe: str | RunConfig | None, run: Run) -> RunConfig | None:
    """What a recipe says to the facts with which a run began; None if there is no recipe."""
    return recipe_of(recipe)(facts_of(run)) if recipe else None


def begin(source: str | Path, recipe: str | RunConfig | None, settings: Mapping[str, Any], out: Path | None) -> Run:
    """Claim the run's folder, before any work if it is named; plan the run, and train it."""
    with ExitStack() as held:
        if out:
            held.enter_context(claimed(out, str(source)))
        config, dataset, basis = plan(source, recipe, settings)
        folder = out or held.enter_context(claimed_next(_stem(config), str(source)))
        return train_in(folder, config, dataset=dataset, basis=basis)


def _stem(config: RunConfig) -> Path:
    """The name of the run's folder, `runs/RECIPE-SOURCE`, without a number."""
    source = re.sub(r"^(builtin|hub):", "", config.data.source).partition("?")[0]
    name = shown(Path(source).stem).replace("\\", "-")[:_LONGEST]
    return Path("runs") / f"{Path(config.recipe.partition(':')[0]).stem}-{name}"
