"""A part may be named by its kind alone: `loss=hinge` for `loss={"kind": "hinge"}`."""

from __future__ import annotations

from typing import Any

from pydantic import BeforeValidator


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


BY_NAME = BeforeValidator(_named)
