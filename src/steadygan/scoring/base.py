"""What a metric is: rows of pictures in, a number out, for all of them or for some."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from steadygan.features import Extractor
from steadygan.metrics.neighbours import Overlap, overlap
from steadygan.part import Part
from steadygan.records import Better
from steadygan.scoring.describe import Describer, Rows

__all__ = ["Metric", "OneSided"]

Index = Tensor | slice
ALL = slice(None)
Statistic = Callable[[Index, Index], float]
"""A metric of some of the reals and some of the fakes: by indices of rows."""


@dataclass(frozen=True)
class Sides:
    """Rows of the pictures to compare, reals and fakes.

    `pool` are those of training images (up to 20,000), for the metrics that ask for copies; else empty.
    """

    real: Rows
    fake: Rows
    pool: Rows
    _overlaps: dict[tuple[int, int], Overlap] = field(default_factory=dict)

    def overlap(self, real: Index, fake: Index) -> Overlap:
        """Four metrics are found in one go: it is kept, by the identity of the indices, which the caller holds."""
        key = id(real), id(fake)
        if key not in self._overlaps:
            self._overlaps[key] = overlap(self.real[0][real], self.fake[0][fake])
        return self._overlaps[key]


@dataclass(frozen=True)
class Circumstances:
    """What a metric may need to know before it sees pictures."""

    extractor: Extractor
    count: int
    seed: int


class Metric(Part, ABC):
    """Base of all metrics. `version` rises whenever the numbers change.

    Values lie in `lowest` to `highest`.
    """

    version: ClassVar[int] = 1
    better: ClassVar[Better] = "lower"
    unit: ClassVar[str] = ""
    lowest: ClassVar[float] = 0.0
    highest: ClassVar[float] = math.inf
    says: ClassVar[str] = ""
    looks_for_copies: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return str(getattr(self, "kind", type(self).__name__))

    @abstractmethod
    def describer(self, of: Circumstances) -> Describer:
        """What makes its rows."""

    @abstractmethod
    def compare(self, sides: Sides) -> Statistic:
        """The metric, ready for any subset of the rows."""

    def floor(self, sides: Sides) -> float:
        """What a perfect generator would score: the metric of sides whose fakes are other reals."""
        return self.compare(sides)(ALL, ALL)


class OneSided(Metric):
    """A measure of one set of pictures; its floor is that of the reals."""

    @abstractmethod
    def of(self, rows: Rows) -> Callable[[Index], float]:
        """The measure of these rows, ready for any of them."""

    def compare(self, sides: Sides) -> Statistic:
        measure = self.of(sides.fake)
        return lambda _, fake: measure(fake)

    def floor(self, sides: Sides) -> float:
        return self.of(sides.real)(ALL)
