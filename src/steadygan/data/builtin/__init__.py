"""Data sets that draw themselves, so that everything can be tried without a file: `builtin:NAME`."""

from __future__ import annotations

import difflib
from typing import Annotated, get_args
from urllib.parse import parse_qsl

from pydantic import Field, ValidationError

from steadygan.data.builtin.aerial import Aerial
from steadygan.data.builtin.drawing import Drawing
from steadygan.data.builtin.glyphs import Glyphs
from steadygan.data.builtin.ring import Ring, modes_recovered
from steadygan.errors import ConfigError

__all__ = ["Aerial", "AnyBuiltin", "Drawing", "Glyphs", "Ring", "modes_recovered", "parse_builtin"]

AnyBuiltin = Annotated[Aerial | Glyphs | Ring, Field(discriminator="kind")]

# a setting that makes another set has a name of its own; what is drawn is the same
_SHORT = {"stacked-glyphs": ("glyphs", "stacked=true")}


def parse_builtin(text: str) -> AnyBuiltin:
    """The set that `builtin:NAME` or `builtin:NAME?setting=value&setting=value` means; ConfigError if there is none."""
    name, _, query = text.removeprefix("builtin:").partition("?")
    kinds = {kind.model_fields["kind"].default: kind for kind in get_args(get_args(AnyBuiltin)[0])}
    names = [*kinds, *_SHORT]
    if name not in names:
        raise ConfigError(f"there is no builtin:{name}{_meant(name, names)}; choose builtin:{', builtin:'.join(names)}")
    name, fixed = _SHORT.get(name, (name, ""))
    query = f"{query}&{fixed}"
    try:
        chosen: AnyBuiltin = kinds[name].model_validate(dict(parse_qsl(query, keep_blank_values=True)))
    except ValidationError as problem:
        raise ConfigError(f"builtin:{name}: {_explained(problem, list(kinds[name].model_fields))}") from problem
    return chosen


def _meant(word: str, valid: list[str]) -> str:
    close = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def _explained(problem: ValidationError, settings: list[str]) -> str:
    """All that is wrong with the settings, on one line."""
    known = [name for name in settings if name != "kind"]
    parts = []
    for error in problem.errors():
        name = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            parts.append(f"there is no setting {name!r}{_meant(name, known)}; it has {', '.join(known)}")
        else:
            parts.append(f"{name}={error['input']}: {error['msg'][0].lower()}{error['msg'][1:]}")
    return "; ".join(parts)
