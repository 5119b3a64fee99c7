"""The base of everything that is chosen or said once and for all: a value, and a value that is a technique."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

__all__ = ["Part"]


class Value(BaseModel):
    """Base of all values: frozen, no unknown names, no infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Part(Value):
    """Base of the values that a technique is.

    `paper` is where it is from, as `recipes.references` writes it, if it is from anywhere; `helps` and `hurts` say in a
    sentence each when it does. `off` marks the value that stands for no technique at all.
    """

    paper: ClassVar[str] = ""
    helps: ClassVar[str] = ""
    hurts: ClassVar[str] = ""
    off: ClassVar[bool] = False
