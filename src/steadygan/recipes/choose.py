"""From the word after `--recipe` to a configuration: a name, a TOML file, or a function in a Python file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from steadygan.config import nearest, python_function, read_toml
from steadygan.errors import ConfigError
from steadygan.recipes import classic
from steadygan.recipes.facts import USUAL, Facts
from steadygan.recipes.modern import r3gan, steady
from steadygan.training.changing import override
from steadygan.training.config import Cadence, RunConfig
from steadygan.training.restoring import own_again

Recipe = Callable[[Facts], RunConfig]

RECIPES: dict[str, Recipe] = {
    "steady": steady,
    "dcgan": classic.dcgan,
    "satellite": classic.satellite,
    "eleven-hacks": classic.eleven_hacks,
    "upsample": classic.upsample,
    "unrolled": classic.unrolled,
    "wgan-gp": classic.wgan_gp,
    "faces256": classic.faces256,
    "ten-lessons": classic.ten_lessons,
    "msg": classic.msg,
    "sngan": classic.sngan,
    "r3gan": r3gan,
    "ring": classic.ring,
}
DEFAULT = "steady"
_EITHER: dict[str, Iterable[str]] = {
    "budget": ("images", "steps", "minutes"),
    **dict.fromkeys(("log", "samples", "checkpoint"), Cadence.model_fields),
}


def choose_recipe(text: str, facts: Facts = USUAL) -> RunConfig:
    """The configuration of `NAME`, `FILE.toml` or `FILE.py:FUNCTION`, asked with `facts`; errors as in `recipe_of`."""
    return recipe_of(text)(facts)


def recipe_of(recipe: str | RunConfig) -> Recipe:
    """What gives the configuration of `NAME`, `FILE.toml` or `FILE.py:FUNCTION`; ConfigError names the nearest recipe.

    A file is read here, once, however often the recipe is asked. A function of the user's own may take facts or not.
    What a recipe says of itself is its docstring; a file of settings has that of the recipe it names.

    A TOML file lays its settings over the recipe it names in `recipe`, the default one if it names none. If it names a
    file, as a printed configuration may, it is complete and stands alone.
    """
    if isinstance(recipe, RunConfig):
        return lambda facts: recipe
    if not isinstance(recipe, str):
        raise ConfigError(f"recipe: {recipe!r} is no text; give a name, FILE.toml, FILE.py:FUNCTION, or a RunConfig")
    if recipe in RECIPES:
        return RECIPES[recipe]
    if recipe.endswith(".toml"):
        return _from_toml(recipe)
    if ".py:" in recipe:
        return _from_python(recipe)
    hint = nearest(recipe, RECIPES) or "."
    raise ConfigError(f"no recipe '{recipe}'{hint} There are: {', '.join(RECIPES)}, FILE.toml and FILE.py:FUNCTION")


def _from_toml(text: str) -> Recipe:
    settings = read_toml(Path(text))
    named = str(settings.get("recipe", DEFAULT))
    base = recipe_of(RunConfig() if named.endswith(".toml") else named)

    def recipe(facts: Facts) -> RunConfig:
        config = base(facts)
        return override(config, whole({**own_again(settings, config, Path(text), named), "recipe": text}))

    recipe.__doc__ = base.__doc__
    return recipe


def _from_python(text: str) -> Recipe:
    """The user's own function, asked once unless it takes facts: as `facts`, or without a default."""
    function = python_function("--recipe", text)
    asked = inspect.signature(function).parameters
    wanted = "facts" in asked or any(place.default is place.empty for place in asked.values())

    @cache
    def recipe(facts: Facts | None) -> RunConfig:
        given = {"facts": facts} if "facts" in asked else {}
        config = function(**given) if given or not wanted else function(facts)
        if not isinstance(config, RunConfig):
            raise ConfigError(f"--recipe {text}: the function must return a RunConfig, not {type(config).__name__}")
        return config.model_copy(update={"recipe": text})

    def told(facts: Facts) -> RunConfig:
        return recipe(facts if wanted else None)

    told.__doc__ = function.__doc__
    return told


def whole(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which a limit, if any is given, is the whole budget, and a cadence likewise: the others are none."""
    groups = {name: value for name, value in settings.items() if isinstance(value, Mapping) and name in _EITHER}
    given = {name: dict(value) for name, value in groups.items() if value.keys() & set(_EITHER[name])}
    return {**settings, **{name: dict.fromkeys(_EITHER[name]) | value for name, value in given.items()}}


def describe(name: str) -> str:
    """First line of a recipe's docstring."""
    return (inspect.getdoc(RECIPES[name]) or "").partition("\n")[0]
