"""The `.jsonl` files of run folders of any origin: read once, then only what is new; what is damaged is passed over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Generic, TypeVar

from steadygan.names import from_json
from steadygan.records import Record

R = TypeVar("R", bound=Record)

MOST = 64_000_000
"""Bytes at the end of a file that are read; a log of 100,000 ticks has half of them."""

Stamp = tuple[int, int]
"""When a file was last written, in nanoseconds, and its size; (0, 0) if it is not there."""


def stamp(path: Path) -> Stamp:
    """What tells whether a file is another than before."""
    try:
        there = path.stat()
    except OSError:
        return 0, 0
    return there.st_mtime_ns, there.st_size


def tail(path: Path, kind: type[R], most: int = 262_144) -> list[R]:
    """The records among the last bytes of a file, oldest first."""
    return GrowingLines(path, kind, most).new()


def last(path: Path, kind: type[R], most: int = 65_536) -> R | None:
    """The last record of a file; None if there is none among its last bytes."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - most))
            text = file.read(most)
    except OSError:
        return None
    whole = text[: text.rfind(b"\n") + 1].split(b"\n")
    return next((found for line in reversed(whole) if line.strip() and (found := _record(kind, line))), None)


def _record(kind: type[R], line: bytes) -> R | None:
    """The record that a line holds; None if it is damaged."""
    try:
        return from_json(kind, line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None


class GrowingLines(Generic[R]):
    """A file of records that grows. `damaged` counts lines that are no such records."""

    def __init__(self, path: Path, kind: type[R], most: int = MOST) -> None:
        self.path, self.kind, self.most = path, kind, most
        self.records: list[R] = []
        self.damaged = 0
        self._at = 0
        self._inode = -1

    def new(self) -> list[R]:
        """The records that were added since the last call; a line that has no end yet is not looked at."""
        try:
            with self.path.open("rb") as file:
                there = os.fstat(file.fileno())
                self._inode = there.st_ino
                begin = max(self._at, there.st_size - self.most)
                file.seek(begin)
                text = file.read(self.most)
        except OSError:
            return []
        end = text.rfind(b"\n") + 1
        skipped = text.find(b"\n") + 1 if begin > self._at else 0  # half a line
        self._at = begin + end
        found = [one for line in text[skipped:end].split(b"\n") if line.strip() and (one := self._read(line))]
        self.records += found
        return found

    @property
    def rewritten(self) -> bool:
        """Whether what was read is not the beginning of the file any more, as where a run is resumed."""
        try:
            there = self.path.stat()
        except OSError:
            return self._at > 0
        return self._inode >= 0 and (there.st_ino != self._inode or there.st_size < self._at)

    def _read(self, line: bytes) -> R | None:
        found = _record(self.kind, line)
        self.damaged += found is None
        return found
