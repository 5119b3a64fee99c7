"""What can be said about the health of a set of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from steadygan.data.health.duplicates import DuplicateGroups
from steadygan.data.health.measures import Measures
from steadygan.data.indices import Groups
from steadygan.data.mapped import Pixels
from steadygan.data.work import Entry

Severity = Literal["info", "warning", "serious"]
Mask = NDArray[np.bool_]

EXAMPLES = 12
LISTED = 1000


class Remark(BaseModel):
    """One thing to know about a set.

    `count` is how many images it concerns; `indices` names the first 1,000 of them, `examples` the files of the
    first 12. `groups` are those that belong together, as near-duplicates do, first 1,000. `captions` says something
    about each of the examples, or is empty.
    """

    model_config = ConfigDict(frozen=True)

    check: str
    severity: Severity
    sentence: str
    remedy: str
    count: int
    examples: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    groups: Groups = ()


class Histogram(BaseModel):
    """How many values lie between each two neighbouring `edges`; values beyond the ends are in the outer bins."""

    model_config = ConfigDict(frozen=True)

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Health(BaseModel):
    """What is the matter with a set of images, the gravest first, and how its images spread.

    `looked_closely` counts the files whose true resolution was estimated; 0 if none was opened for it.
    `families` are groups of indices of the same picture, exact and near, all of them.
    """

    model_config = ConfigDict(frozen=True)

    images: int
    findings: tuple[Remark, ...] = ()
    histograms: dict[str, Histogram] = {}
    looked_closely: int = 0
    families: Groups = ()


@dataclass(frozen=True, eq=False)
class Seen:
    """All that the checks look at; arrays have one element per image.

    `blank` marks images of a single colour, `size` is the side they are prepared at, in pixels, `factors` has the true
    resolution of the files that were looked at closely, by index.
    """

    images: Pixels
    entries: Sequence[Entry]
    measures: Measures
    duplicates: DuplicateGroups
    blank: Mask
    size: int
    factors: Mapping[int, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def coloured(self) -> bool:
        """Whether the set has colours at all."""
        return self.images.shape[3] >= 3

    @property
    def labels(self) -> Counter[str]:
        """How many images each class has."""
        return Counter(entry.label for entry in self.entries if entry.label is not None)

    def size_of(self, index: int) -> str:
        """Width and height of the file of an image, as a caption."""
        return "{}×{}".format(*self.entries[index].size)

    def remark(
        self,
        check: str,
        sentence: str,
        remedy: str,
        where: Iterable[int] = (),
        *,
        severity: Severity | None = None,
        caption: Callable[[int], str] | None = None,
        groups: Groups = (),
        count: int | None = None,
    ) -> Remark | None:
        """What there is to know about the images at the indices `where`, or in `groups`; None if there are none.

        `count` is their number unless given, and of `groups` that of all but the first of each; how grave it is goes by
        that unless given.
        """
        indices = [int(index) for index in (chain.from_iterable(groups) if groups else where)]
        if not indices:
            return None
        count = count or copies(groups) or len(indices)
        return Remark(
            check=check,
            severity=severity or graded(count, len(self)),
            sentence=sentence,
            remedy=remedy,
            count=count,
            examples=tuple(self.entries[index].file for index in indices[:EXAMPLES]),
            captions=tuple(map(caption, indices[:EXAMPLES])) if caption else (),
            indices=tuple(indices[:LISTED]),
            groups=groups[:LISTED],
        )


def graded(count: int, number: int, warning: float = 0.01, serious: float = 0.1) -> Severity:
    """How grave it is that a thing concerns `count` of `number` images."""
    share = count / max(1, number)
    return "serious" if share >= serious else "warning" if share >= warning else "info"


def plural(count: int, one: str, many: str = "") -> str:
    """The number with its word."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def copies(groups: Groups) -> int:
    """How many there are besides the first of each group."""
    return sum(len(group) - 1 for group in groups)
