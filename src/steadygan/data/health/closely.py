"""A closer look at some files of a set, at their full resolution."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from steadygan.data.health.resolution import true_resolution
from steadygan.data.indices import evenly
from steadygan.data.pool import run_tasks
from steadygan.data.reading.decode import decode
from steadygan.data.sources.items import Item
from steadygan.data.work import Entry

FILES = 500
"""At most so many files are looked at closely."""

PIXELS = 1_000_000_000
"""At most so many pixels are decoded for it: some 80 pictures of a modern camera."""

_GROUP = 4


@dataclass(frozen=True)
class LookClosely:
    """The true resolution of one file; None if it cannot be read, which others have said already."""

    item: Item

    def run(self) -> float | None:
        """Read and judge it, in whatever process."""
        try:
            with self.item.open() as stream:
                return true_resolution(np.asarray(decode(stream.read()).image))
        except Exception:  # noqa: BLE001  a file gone bad since it was read is no reason to stop
            return None

    def lost(self) -> None:
        """Nothing, if looking killed the process."""


def chosen(entries: Sequence[Entry]) -> list[int]:
    """Indices of the entries to look at closely: evenly among the files, one image of each."""
    first = list({entry.file: index for index, entry in reversed(list(enumerate(entries)))}.values())[::-1]
    if not first:
        return []
    usual = float(np.median([entries[index].size[0] * entries[index].size[1] for index in first]))
    number = min(FILES, len(first), max(1, int(PIXELS / max(1.0, usual))))
    return [first[place] for place in evenly(len(first), number)]


def look_closely(items: Sequence[Item], workers: int, progress: Callable[[int], None]) -> Iterator[float | None]:
    """The true resolution of each file; `progress` hears how many are done."""
    parts = [[LookClosely(item) for item in items[at : at + _GROUP]] for at in range(0, len(items), _GROUP)]
    done = 0
    for results in run_tasks(parts, min(workers, len(parts))):
        yield from results
        done += len(results)
        progress(done)
