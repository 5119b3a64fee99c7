"""One scale of bits for all images of a set whose files hold more than 8 bits and do not say how many they use.

Each is read on the scale that it needs itself. When all are there, those are read again that need fewer bits than
another: what one value looks like must not depend on the file that it stands in, nor on when that came into the set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from steadygan.data.growing import Growing
from steadygan.data.pool import Pool
from steadygan.data.work import Entry, ImageTask, ReadFile, Result, Row, groups
from steadygan.errors import DataError


def bits_of(entries: Sequence[Entry]) -> int:
    """The bits that the largest value of all needs, 8 to 16; 0 if there is no such file."""
    return max((entry.needed for entry in entries), default=0)


@dataclass(frozen=True)
class ReadAgain:
    """Read one file again for these of its images, on the scale of so many bits."""

    task: ReadFile
    start: int
    entries: tuple[Entry, ...]
    bits: int

    seconds: ClassVar[float] = ReadFile.seconds

    @property
    def key(self) -> str:
        return self.task.key

    @property
    def size(self) -> int:
        return self.task.size

    @property
    def weight(self) -> int:
        return len(self.entries)

    def run(self) -> list[Result]:
        return self.task.again(self.entries, self.bits)

    def lost(self) -> list[Result]:
        return self.task.lost()


def bring_to_one_scale(growing: Growing, tasks: Sequence[ImageTask], side: int, pool: Pool[list[Result]]) -> None:
    """Replace the images whose scale is not that of the set. Raises DataError if their files have changed since."""
    parts = list(groups(_uneven(growing, tasks), side))
    for part, answers in zip(parts, pool.run(parts), strict=True):
        for task, results in zip(part, answers, strict=True):
            assert isinstance(task, ReadAgain)
            rows = [result for result in results if isinstance(result, Row)]
            if len(rows) < len(task.entries):
                name = task.task.item.name
                raise DataError(f"{name} changed while the set was made; give the same command again")
            for index, row in enumerate(rows, task.start):
                growing.replace(index, row)


def _uneven(growing: Growing, tasks: Sequence[ImageTask]) -> Iterator[ReadAgain]:
    bits, start = bits_of(growing.entries), 0
    for task, carried in zip(tasks, growing.carried, strict=True):
        entries = growing.entries[start : start + carried.images]
        if isinstance(task, ReadFile) and any(entry.needed and entry.bits != bits for entry in entries):
            yield ReadAgain(task, start, tuple(entries), bits)
        start += carried.images
