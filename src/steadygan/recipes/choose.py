"""From the word after `--recipe` to a configuration: a name, a TOML file, or a function in a Python file."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from steadygan.config import explain, merge, python_function, read_toml, resolve
from steadygan.errors import ConfigError
from steadygan.recipes import classic
from steadygan.recipes.facts import USUAL, Facts
from steadygan.recipes.modern import r3gan, steady
from steadygan.training.config import RunConfig, own_places

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
LIMITS = ("images", "steps", "minutes")
_EITHER = {"budget": LIMITS, **dict.fromkeys(("log", "samples", "checkpoint"), ("every_images", "every_steps"))}


def choose_recipe(text: str, facts: Facts = USUAL) -> RunConfig:
    """The configuration of `NAME`, `FILE.toml` or `FILE.py:FUNCTION`; ConfigError names the nearest recipe.

    The recipe is asked with `facts`; a function of the user's own may take them or not.

    A TOML file lays its settings over the recipe it names in `recipe`, the default one if it names none. If it names a
    file, as a printed configuration may, it is complete and stands alone.
    """
    if text in RECIPES:
        return RECIPES[text](facts)
    if text.endswith(".toml"):
        settings = read_toml(Path(text))
        named = str(settings.get("recipe", DEFAULT))
        base = RunConfig() if named.endswith(".toml") else choose_recipe(named, facts)
        return override(base, whole({**settings, "recipe": text}))
    if ".py:" in text:
        return _from_python(text, facts)
    near = difflib.get_close_matches(text, RECIPES, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    raise ConfigError(f"no recipe '{text}'{hint} There are: {', '.join(RECIPES)}, FILE.toml and FILE.py:FUNCTION")


def _from_python(text: str, facts: Facts) -> RunConfig:
    """What the user's own function returns."""
    recipe = python_function("--recipe", text)
    try:
        config = _ask(recipe, facts)
    except ValidationError as problem:
        raise ConfigError(f"--recipe {text}: {explain(RunConfig, problem)}") from problem
    except Exception as problem:  # whatever a user's function may do
        raise ConfigError(f"--recipe {text}: {type(problem).__name__}: {problem}") from problem
    if not isinstance(config, RunConfig):
        raise ConfigError(f"--recipe {text}: the function must return a RunConfig, not {type(config).__name__}")
    return config.model_copy(update={"recipe": text})


def _ask(recipe: Callable[..., Any], facts: Facts) -> Any:
    """Ask a function of the user's own, with the facts if it has `facts` or a parameter without a default."""
    asked = inspect.signature(recipe).parameters
    wanted = [name for name, place in asked.items() if place.default is place.empty]
    if "facts" in asked:
        return recipe(facts=facts)
    return recipe(facts) if wanted else recipe()


def whole(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which a limit, if any is given, is the whole budget, and a cadence likewise: the others are none."""
    groups = {name: value for name, value in settings.items() if isinstance(value, Mapping) and name in _EITHER}
    given = {name: dict(value) for name, value in groups.items() if value.keys() & _EITHER[name]}
    return {**settings, **{name: dict.fromkeys(_EITHER[name]) | value for name, value in given.items()}}


def override(config: RunConfig, *layers: Mapping[str, Any]) -> RunConfig:
    """A configuration with settings laid over it, checked as a whole; objects of the user's own stay."""
    tree = config.dump()
    for path in own_places(tree):
        owner, value = tree, getattr(config, path[0])
        for name in path[:-1]:
            owner = owner[name]
        for name in path[1:]:
            value = getattr(value, name)
        owner[path[-1]] = value
    return resolve(RunConfig, merge(tree, *layers))


def describe(name: str) -> str:
    """First line of a recipe's docstring."""
    return (inspect.getdoc(RECIPES[name]) or "").partition("\n")[0]
