"""What differs between two configurations, as dotted paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """A nested tree of dicts and lists as `{"a.b[0].c": value}`; empty ones stay as values."""
    if isinstance(tree, Mapping) and tree:
        pairs = [(f"{path}.{name}".lstrip("."), value) for name, value in tree.items()]
    elif isinstance(tree, Sequence) and not isinstance(tree, str) and tree:
        pairs = [(f"{path}[{index}]", value) for index, value in enumerate(tree)]
    else:
        return {path: tree}
    return {name: leaf for start, value in pairs for name, leaf in flatten(value, start).items()}


def changes(first: Any, second: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """As `difference`, at the places and with the values that `--set` takes: a list whole, a part of another `kind`
    whole.
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping) and first.get("kind") == second.get("kind"):
        found: dict[str, tuple[Any, Any]] = {}
        for name in dict.fromkeys([*first, *second]):
            found |= changes(first.get(name), second.get(name), f"{path}.{name}".lstrip("."))
        return found
    return {} if first == second else {path: (first, second)}


def difference(first: Any, second: Any) -> dict[str, tuple[Any, Any]]:
    """The paths at which two trees differ, with both values; `None` where a path is missing."""
    a, b = flatten(first), flatten(second)
    paths = [*a, *(path for path in b if path not in a)]
    return {path: (a.get(path), b.get(path)) for path in paths if a.get(path) != b.get(path)}
