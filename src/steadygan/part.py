"""The base of everything that is chosen or said once and for all, and what an object of the user's own lacks beside."""

from __future__ import annotations

import difflib
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

__all__ = ["Part"]


class Value(BaseModel):
    """Base of all values: frozen, no unknown names, no infinite numbers.

    `mid_run` names those of its own settings that may be others from one step of a run to the next, with all that is
    inside them; `beside` those that change no weight, so that a run may go on under others after a stop.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mid_run: ClassVar[frozenset[str]] = frozenset()
    beside: ClassVar[frozenset[str]] = frozenset()


class Part(Value):
    """Base of the values that a technique is.

    `paper` is where it is from, as `recipes.references` writes it, if it is from anywhere; `helps` and `hurts` say in a
    sentence each when it does. `off` marks the value that stands for no technique at all.
    """

    paper: ClassVar[str] = ""
    helps: ClassVar[str] = ""
    hurts: ClassVar[str] = ""
    off: ClassVar[bool] = False


def lacks(part: object, *wanted: type) -> str:
    """What an object has not of the protocol, or of the abstract base, that it is nearest to; empty if it has all."""
    if isinstance(part, type):
        return f"{part.__name__} is a class; give an object of it, as in {part.__name__}()"
    missing = min(([name for name in _asked(kind) if not _has(part, name, kind)] for kind in wanted), key=len)
    if not missing and not isinstance(part, wanted):
        return f"{type(part).__name__} is no {wanted[0].__name__}; derive it from that"
    own = [name for name in dir(part) if not name.startswith("_")]
    near = [f"`{close}`" for name in missing for close in difflib.get_close_matches(name, own, n=1)]
    hint = f"; did you mean its {' and '.join(near)}?" if near else ""
    return f"{type(part).__name__} lacks {', '.join(f'`{name}`' for name in missing)}{hint}" if missing else ""


def _asked(kind: type) -> list[str]:
    """Names of all that a protocol has, or of the abstract methods of a class."""
    if not getattr(kind, "_is_protocol", False):
        return sorted(getattr(kind, "__abstractmethods__", ()))
    names = [name for base in reversed(kind.__mro__) for name in (*vars(base).get("__annotations__", ()), *vars(base))]
    return [name for name in dict.fromkeys(names) if name == "__call__" or not name.startswith("_")]


def _has(part: object, name: str, kind: type) -> bool:
    return callable(getattr(part, name, None)) if callable(getattr(kind, name, None)) else hasattr(part, name)
