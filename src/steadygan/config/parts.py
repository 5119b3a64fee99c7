"""A part may be named by its kind alone, `loss=hinge` for `loss={"kind": "hinge"}`, and be given without its list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, BeforeValidator

_NAMES = re.compile(r"\[?\s*([\w-]+(\s*,\s*[\w-]+)*\s*,?)?\s*\]?")


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        if not _NAMES.fullmatch(value):
            raise ValueError(f'write it as NAME, as [NAME, NAME] or as [{{"kind": "NAME", ...}}], got {value!r}')
        return re.findall(r"[\w-]+", value)
    alone = isinstance(value, Mapping | BaseModel) or not isinstance(value, Iterable | int | float | None)
    return [value] if alone else value


BY_NAME = BeforeValidator(_named)
BY_NAMES = BeforeValidator(_listed)
"""For lists of parts: `penalties=r1`, `penalties=[r1, l2]` and a single part are taken for lists of them."""
