"""Data sets that draw themselves, so that everything can be tried without a file: `builtin:NAME`."""

from __future__ import annotations

import difflib
from typing import Annotated, get_args
from urllib.parse import parse_qsl

from pydantic import Field, ValidationError

from steadygan.config import explain
from steadygan.data.builtin.critters import Critters
from steadygan.data.builtin.drawing import Drawing
from steadygan.data.builtin.glyphs import Glyphs
from steadygan.data.builtin.ring import Ring, modes_recovered
from steadygan.errors import ConfigError

__all__ = ["AnyBuiltin", "Critters", "Drawing", "Glyphs", "Ring", "modes_recovered", "parse_builtin"]

AnyBuiltin = Annotated[Critters | Glyphs | Ring, Field(discriminator="kind")]

# a setting that makes another set has a name of its own; what is drawn is the same
_SHORT = {"stacked-glyphs": ("glyphs", "stacked=true")}


def parse_builtin(text: str) -> AnyBuiltin:
    """The set that `builtin:NAME` or `builtin:NAME?setting=value&setting=value` means; ConfigError if there is none."""
    name, _, query = text.removeprefix("builtin:").partition("?")
    kinds = {kind.model_fields["kind"].default: kind for kind in get_args(get_args(AnyBuiltin)[0])}
    names = [*kinds, *_SHORT]
    if name not in names:
        meant = "".join(f" (did you mean {near}?)" for near in difflib.get_close_matches(name, names, 1, 0.5))
        raise ConfigError(f"there is no builtin:{name}{meant}; choose builtin:{', builtin:'.join(names)}")
    name, fixed = _SHORT.get(name, (name, ""))
    query = f"{query}&{fixed}"
    try:
        chosen: AnyBuiltin = kinds[name].model_validate(dict(parse_qsl(query, keep_blank_values=True)))
    except ValidationError as problem:
        said = explain(kinds[name], problem).replace("\n", "; ")
        settings = ", ".join(field for field in kinds[name].model_fields if field != "kind")
        raise ConfigError(f"builtin:{name}: {said}; its settings: {settings}") from problem
    return chosen
