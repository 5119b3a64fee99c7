"""The catalogue of techniques, read from the values themselves: what can be chosen where, and what it is good for."""

from __future__ import annotations

import inspect
import json
import shlex
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from steadygan.augment import AnyShow
from steadygan.config import nearest
from steadygan.errors import ConfigError
from steadygan.networks import AnyNetworks
from steadygan.networks.choices import AnyActivation, AnyInit, AnyMinibatch
from steadygan.networks.norms import AnyNorm
from steadygan.networks.resampling import AnyDownsampling, AnyUpsampling
from steadygan.objectives import AnyGeneratorTerm, AnyLoss, AnyPenalty
from steadygan.part import Part
from steadygan.recipes.by_setting import BY_SETTING
from steadygan.recipes.catalogue import Group, Setting, Technique
from steadygan.recipes.choose import RECIPES
from steadygan.recipes.references import ids_in
from steadygan.recipes.wording import choosable, default_of, range_of, shown
from steadygan.schedule import AnySchedule
from steadygan.training.average import EMA
from steadygan.training.config import RunConfig
from steadygan.training.opponent import AnyOpponent
from steadygan.training.optim import AnyOptimizer
from steadygan.training.replay import AnyReplay
from steadygan.training.turns import AnyTurns

GROUPS = (
    Group("losses", "What the two players minimise.", ("loss",), AnyLoss),
    Group("penalties", "What the discriminator pays besides its loss.", ("penalties",), AnyPenalty, several=True),
    Group(
        "generator terms",
        "What the generator pays besides its loss.",
        ("generator_terms",),
        AnyGeneratorTerm,
        several=True,
    ),
    Group("show", "What the discriminator looks through, at reals and fakes alike.", ("show",), AnyShow),
    Group("replay", "Which fakes the discriminator is shown in its own turn.", ("replay",), AnyReplay),
    Group("opponent", "The discriminator that the generator plays against.", ("opponent",), AnyOpponent),
    Group("turns", "Who moves in a step.", ("turns",), AnyTurns),
    Group("networks", "The pair of networks.", ("networks",), AnyNetworks),
    Group("upsampling", "How the generator doubles the side of a map.", ("networks.upsampling",), AnyUpsampling),
    Group("downsampling", "How the discriminator halves it.", ("networks.downsampling",), AnyDownsampling),
    Group(
        "normalisation",
        "What stands between a convolution and its activation.",
        ("networks.generator_norm", "networks.discriminator_norm"),
        AnyNorm,
    ),
    Group(
        "activations",
        "What makes layers more than one linear map.",
        ("networks.generator_activation", "networks.discriminator_activation"),
        AnyActivation,
    ),
    Group(
        "initialisation",
        "The weights at the start.",
        ("networks.generator_init", "networks.discriminator_init"),
        AnyInit,
    ),
    Group("minibatch", "What the discriminator sees of the other images.", ("networks.minibatch",), AnyMinibatch),
    Group(
        "optimizers",
        "How a gradient becomes a step.",
        ("optimizer.generator", "optimizer.discriminator"),
        AnyOptimizer,
    ),
    Group("average", "The generator that is sampled and saved.", ("ema",), EMA),
    Group(
        "schedules",
        "What a number may follow, here the learning rates; the settings of a technique say which others may.",
        ("optimizer.generator.lr", "optimizer.discriminator.lr"),
        AnySchedule,
        example={
            "start": 2e-4,
            "end": 1e-4,
            "images": 200_000,
            "value": 2e-4,
            "low": 1e-4,
            "high": 4e-4,
            "period_images": 50_000,
        },
    ),
)


def techniques() -> list[Technique]:
    """All of them, in the order of the groups and, within, of the unions; at the end those that are mere settings."""
    return [*(_entry(group, model) for group in GROUPS for model in members(group.choices)), *BY_SETTING]


def find(name: str) -> list[Technique]:
    """The techniques of that name, which may be several, or else those with a setting of that name.

    ConfigError names the nearest where there is none.
    """
    known, wanted = techniques(), name.lower().replace("-", "_")
    named = [entry for entry in known if entry.name == wanted]
    if found := named or [entry for entry in known if wanted in (setting.name for setting in entry.settings)]:
        return found
    hint = nearest(wanted, dict.fromkeys(entry.name for entry in known)) or "."
    raise ConfigError(f"no technique '{name}'{hint} `steadygan techniques` lists them all")


def members(choices: Any) -> tuple[type[Part], ...]:
    """The values of a union, or of one alone."""
    if get_origin(choices) is Annotated:
        return members(get_args(choices)[0])
    return get_args(choices) or (choices,)


def families(seam: str) -> list[str]:
    """The kinds of networks that have this setting; none if it is not one of networks."""
    whole, _, name = seam.partition(".")
    if whole != "networks" or not name:
        return []
    return [default_of(model, "kind") for model in members(AnyNetworks) if name in model.model_fields]


def papers_of(config: RunConfig) -> list[str]:
    """Ids of the papers behind a configuration, in order of first use; the recipe's own come first."""
    return list(uses(config))


def uses(config: RunConfig) -> dict[str, list[str]]:
    """As `papers_of`, with what each was used for: "recipe steady", "loss=hinge"."""
    found: dict[str, list[str]] = {}
    if recipe := RECIPES.get(config.recipe):
        for name in ids_in(inspect.getdoc(recipe) or ""):
            found[name] = [f"recipe {config.recipe}"]
    for path, value in parts_of(config):
        kind = getattr(value, "kind", None)
        for name in _papers(value):
            found.setdefault(name, []).append(f"{path}={kind}" if kind else path)
    return found


def _entry(group: Group, model: type[Part]) -> Technique:
    what, _, details = inspect.cleandoc(model.__doc__ or "").partition("\n")
    return Technique(
        name=str(default_of(model, "kind") or group.seams[0]),
        group=group,
        what=what,
        details=details.strip(),
        helps=model.helps,
        hurts=model.hurts,
        papers=tuple(dict.fromkeys((*_papers(model), *ids_in(details)))),
        settings=tuple(
            Setting(name, "required" if field.is_required() else shown(default_of(model, name)), range_of(field))
            for name, field in choosable(model).items()
        ),
        switches=tuple(_switch(group, seam, model) for seam in group.seams),
        off=model.off,
    )


def _switch(group: Group, seam: str, model: type[Part]) -> str:
    """The option of `steadygan train` that turns it on."""
    kind = default_of(model, "kind")
    if kind is None:
        name = next(iter(model.model_fields))
        return f"--set {seam}.{name}={shown(default_of(model, name))}"
    given = {name: group.example[name] for name, field in model.model_fields.items() if field.is_required()}
    value: Any = {"kind": kind, **given} if given else kind
    text = json.dumps([value] if group.several else value) if given else kind
    return f"--set {shlex.quote(f'{seam}={text}')}"


def _papers(value: Any) -> tuple[str, ...]:
    """What a value, or an object of the user's own, says it is from."""
    named = getattr(value, "paper", ()) or ()
    return (named,) if isinstance(named, str) else tuple(named) if isinstance(named, list | tuple) else ()


def parts_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """A value and all within it, with their places."""
    yield path, value
    inner: list[tuple[str, Any]] = []
    if isinstance(value, BaseModel):
        inner = [(f"{path}.{name}".lstrip("."), getattr(value, name)) for name in type(value).model_fields]
    elif isinstance(value, list | tuple):
        inner = [(f"{path}[{number}]", item) for number, item in enumerate(value)]
    for place, part in inner:
        yield from parts_of(part, place)
