"""Of many members that are long to test: those that tell most by default, the others as slow tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def telling(members: Iterable[Any], *quick: Any) -> list[Any]:
    """All members as parameters of a test, those that are not `quick` marked as slow."""
    everyone = list(members)
    assert all(one in everyone for one in quick), quick
    return [pytest.param(one, marks=() if one in quick else pytest.mark.slow) for one in everyone]
