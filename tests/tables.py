"""Tables of what tests know of each kind of a part."""

from __future__ import annotations

from typing import TypeVar

import pytest

T = TypeVar("T")


class Table(dict[str, T]):
    """A table by kind; a kind that is not there fails with the place where it belongs."""

    def __init__(self, place: str, rows: dict[str, T]) -> None:
        super().__init__(rows)
        self.place = place

    def __missing__(self, kind: str) -> T:
        pytest.fail(f"add '{kind}' to {self.place}")
