"""One scale of bits for all images of a set whose files hold more than 8 bits and do not say how many they use.

Each is read on the scale that it needs itself. When all are there, those are read again that need fewer bits than
another: what one value looks like must not depend on the file that it stands in, nor on when that came into the set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from steadygan.data.growing import Growing
from steadygan.data.pool import Pool
from steadygan.data.work import Entry, ImageTask, ReadFile, Result, Row, carried_out
from steadygan.errors import DataError


@dataclass(frozen=True)
class ReadAgain(ReadFile):
    """Read one file again for these of its images, on the scale of so many bits."""

    entries: tuple[Entry, ...] = ()
    bits: int = 0

    @property
    def weight(self) -> int:
        return len(self.entries)

    def run(self) -> list[Result]:
        return self.again(self.entries, self.bits)


def bring_to_one_scale(growing: Growing, tasks: Sequence[ImageTask], side: int, pool: Pool[list[Result]]) -> None:
    """Replace the images whose scale is not that of the set. Raises DataError if their files have changed since."""
    uneven = dict(_uneven(growing, tasks))
    starts = iter(uneven)
    for task, results in chain.from_iterable(carried_out(uneven.values(), side, pool)):
        rows = [result for result in results if isinstance(result, Row)]
        if len(rows) < len(task.entries):
            raise DataError(f"{task.item.name} changed while the set was made; give the same command again")
        for index, row in enumerate(rows, next(starts)):
            growing.replace(index, row)


def _uneven(growing: Growing, tasks: Sequence[ImageTask]) -> Iterator[tuple[int, ReadAgain]]:
    """Tasks for the files with an image of another scale, each with the index of its first image."""
    bits, start = max((entry.needed for entry in growing.entries), default=0), 0
    for task, carried in zip(tasks, growing.carried, strict=True):
        entries = growing.entries[start : start + carried.images]
        if isinstance(task, ReadFile) and any(entry.needed and entry.bits != bits for entry in entries):
            yield start, ReadAgain(task.item, task.settings, entries=tuple(entries), bits=bits)
        start += carried.images
