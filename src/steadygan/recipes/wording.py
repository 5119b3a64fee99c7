"""What a setting may be, in words, from its annotation."""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from steadygan.schedule import BelowOne, NonNegative, Positive, ScheduleSettings, Share

_PLAIN = {bool: ["true", "false"], int: ["whole number"], float: ["number"], str: ["text"], NoneType: ["null"]}
_LIMITS = {"ge": "{:g} or more", "gt": "more than {:g}", "le": "at most {:g}", "lt": "less than {:g}"}
_RANGES = (NonNegative, "0 or more"), (Positive, "more than 0"), (Share, "0 to 1"), (BelowOne, "0 to less than 1")


def default_of(model: type[BaseModel], name: str) -> Any:
    """The default of a field; None where there is no such field, or no default."""
    field = model.model_fields.get(name)
    return field.get_default(call_default_factory=True) if field and not field.is_required() else None


def choosable(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields that leave a choice; `kind` has one value only."""
    fields = model.model_fields.items()
    return {n: f for n, f in fields if get_origin(f.annotation) is not Literal or len(get_args(f.annotation)) > 1}


def shown(value: Any) -> str:
    """A value as `--set` would take it; a part by its name."""
    if isinstance(value, BaseModel):
        return str(default_of(type(value), "kind") or value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def range_of(field: FieldInfo) -> str:
    """Kind of value and limits: "whole number, 1 or more"."""
    return _joined(_limited(_kinds(field.annotation), field.metadata))


def _kinds(annotation: Any) -> list[str]:
    """What an annotation allows, one after another."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _limited(_kinds(inner[0]), inner[1:])
    if origin in (Union, UnionType):
        return _united(inner)
    if origin is Literal:
        return [shown(value) for value in inner]
    if origin is tuple:
        kind = _joined(_kinds(inner[0]))
        return [f"list, each a {kind}" if Ellipsis in inner else f"{len(inner)} values, each a {kind}"]
    return _PLAIN.get(annotation) or [_named(annotation)]


def _united(parts: tuple[Any, ...]) -> list[str]:
    """A union; all schedules are one kind."""
    bare = [get_args(part)[0] if get_origin(part) is Annotated else part for part in parts]
    if any(isinstance(part, type) and issubclass(part, ScheduleSettings) for part in bare):
        return ["number", "schedule"]
    return [kind for part in parts for kind in _kinds(part)]


def _named(annotation: Any) -> str:
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return str(default_of(annotation, "kind") or annotation.__name__) if is_model else str(annotation)


def _limited(kinds: list[str], metadata: Iterable[Any]) -> list[str]:
    """Kinds with the limits that stand in an annotation's metadata."""
    items = [inner for item in metadata for inner in (item.metadata if isinstance(item, FieldInfo) else [item])]
    limits = [
        words.format(getattr(item, name)) for name, words in _LIMITS.items() for item in items if hasattr(item, name)
    ]
    limits += [words for item in items for known, words in _RANGES if item is get_args(known)[-1]]
    if not limits:
        return kinds
    text = ", ".join(limits).replace(" or more, at most ", " to ")
    values = [kind for kind in kinds if kind != "null"]
    return [f"{_joined(values)}, {text}", *(["null"] if len(values) < len(kinds) else [])]


def _joined(kinds: list[str]) -> str:
    """one, two or three; a comma before "or" where one of them has commas itself."""
    *others, last = kinds
    comma = "," if any("," in kind for kind in others) else ""
    return f"{', '.join(others)}{comma} or {last}" if others else last
