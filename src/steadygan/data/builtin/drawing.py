"""What every built-in set gives back, and the random numbers it draws with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from steadygan.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Drawing:
    """One drawn image and what is known about it.

    `image` is uint8 (H, W, C); `attributes` are measured or chosen facts; `label` is None without classes.
    """

    image: NDArray[np.uint8]
    attributes: dict[str, int | float | str]
    label: int | None


class Dice:
    """Random choices for one drawing: the same for the same (kind, index), whatever was drawn before."""

    def __init__(self, kind: str, index: int) -> None:
        seed = np.random.SeedSequence(list(kind.encode()), spawn_key=(index,))
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.random = self.rng.random

    def between(self, low: float, high: float) -> float:
        """A uniform number in [low, high)."""
        return low + (high - low) * self.random()

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.random() * len(options))]


def check_size(kind: str, size: int, low: int, high: int) -> int:
    """`size` itself; ConfigError if the set cannot be drawn at that many pixels."""
    if low <= size <= high:
        return size
    sizes = f"{low} pixel{'s' * (low > 1)}" if low == high else f"{low} to {high} pixels"
    raise ConfigError(f"builtin:{kind} cannot be drawn at size {size}; choose {sizes}")
