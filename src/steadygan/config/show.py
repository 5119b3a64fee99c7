"""A configuration as TOML that `--recipe FILE.toml` reads back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from steadygan.names import spelled


def to_toml(tree: Mapping[str, Any], path: str = "") -> str:
    """Nested dicts as TOML: plain values first, then one [table] for each nested dict; `None` is left out."""
    plain = {name: value for name, value in tree.items() if not isinstance(value, Mapping) and value is not None}
    tables = {name: value for name, value in tree.items() if isinstance(value, Mapping)}
    text = "".join(f"{name} = {_inline(value)}\n" for name, value in plain.items())
    for name, table in tables.items():
        full = f"{path}.{name}".lstrip(".")
        text += f"\n[{full}]\n{to_toml(table, full)}"
    return text


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_inline(v)}" for k, v in value.items() if v is not None) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return json.dumps(spelled(value) if isinstance(value, str) else value, ensure_ascii=False)
