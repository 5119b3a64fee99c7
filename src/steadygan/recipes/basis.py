"""What a run was made from, for its `run.json`: its recipe in its own words, and what was changed in it."""

from __future__ import annotations

import inspect

from steadygan.config import changes
from steadygan.recipes.choose import DEFAULT, RECIPES, Recipe
from steadygan.recipes.facts import Facts
from steadygan.recipes.papers import paper
from steadygan.recipes.references import ids_in
from steadygan.recipes.techniques import papers_of
from steadygan.runs import BasisInfo
from steadygan.runs.info import UNCHANGED
from steadygan.training.config import RunConfig


def basis_of(config: RunConfig, asked: str | RunConfig | None, chosen: Recipe, facts: Facts) -> BasisInfo:
    """Of settings that were laid over what a recipe says to these facts; `asked` is the word for the recipe.

    A configuration made in Python has no recipe that a command line could ask: it is compared with the one whose name
    it bears, or else with the default.
    """
    if isinstance(asked, RunConfig):
        asked = config.recipe if config.recipe in RECIPES else DEFAULT
        chosen = RECIPES[asked]
    about = inspect.getdoc(chosen) or ""
    names = dict.fromkeys([*ids_in(about), *papers_of(config)])
    changed = changes(config.dump(), chosen(facts).dump())
    return BasisInfo(
        asked=asked or "",
        about=about,
        changed={place: values for place, values in changed.items() if place not in UNCHANGED},
        sources=tuple((paper(name).reference(), paper(name).url) for name in names),
    )
