"""All settings as a JSON schema, with what the values say of themselves: for forms, editors and other programs."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from steadygan.part import Part
from steadygan.recipes.choose import DEFAULT, RECIPES, choose_recipe, recipe_of
from steadygan.recipes.papers import paper
from steadygan.recipes.references import ids_in
from steadygan.recipes.wording import range_of
from steadygan.training.config import RunConfig


class RecipeEntry(BaseModel):
    """A recipe: `about` is its first line, `details` what else it says, `sources` references with their addresses.

    `config` is what it says to the facts with which `steadygan recipes NAME` shows it.
    """

    name: str
    about: str
    details: str
    sources: tuple[tuple[str, str], ...]
    config: dict[str, Any]


class OneRecipe(RecipeEntry):
    """A recipe, and the schema of all settings: the answer of `recipes NAME --json`."""

    json_schema: dict[str, Any]


class AllRecipes(BaseModel):
    """Every recipe, the one that is taken by `default`, and the schema of their settings: that of `recipes --json`."""

    default: str
    recipes: tuple[RecipeEntry, ...]
    json_schema: dict[str, Any]


class _Spoken(GenerateJsonSchema):
    """The schema of pydantic; each value has its `helps` and `hurts`, each setting its range in words as `range`."""

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        found, model = super().model_schema(schema), schema["cls"]
        found["description"] = inspect.cleandoc(model.__doc__ or "")
        for name, field in model.model_fields.items():
            found.get("properties", {}).get(name, {})["range"] = range_of(field)
        if issubclass(model, Part):
            found |= {"helps": model.helps, "hurts": model.hurts, "off": model.off}
        return found


def settings_schema() -> dict[str, Any]:
    """The schema of a complete configuration, as JSON Schema 2020-12."""
    return RunConfig.model_json_schema(schema_generator=_Spoken)


def one_recipe(text: str) -> OneRecipe:
    """What `NAME`, `FILE.toml` or `FILE.py:FUNCTION` says, with the schema; errors as in `choose_recipe`."""
    return OneRecipe(**_entry(text).model_dump(), json_schema=settings_schema())


def all_recipes() -> AllRecipes:
    """All that have a name."""
    return AllRecipes(default=DEFAULT, recipes=tuple(map(_entry, RECIPES)), json_schema=settings_schema())


def _entry(text: str) -> RecipeEntry:
    about, _, details = (inspect.getdoc(recipe_of(text)) or "").partition("\n")
    return RecipeEntry(
        name=text,
        about=about,
        details=details.strip(),
        sources=tuple((paper(name).reference(), paper(name).url) for name in ids_in(f"{about}\n{details}")),
        config=choose_recipe(text).dump(),
    )
