"""A data set while it is made: images in one file, a journal beside it, so that a killed process loses little."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import IO

import numpy as np
from numpy.typing import NDArray

from steadygan.data.earlier import Carried, Earlier
from steadygan.data.mapped import let_go
from steadygan.data.sources.items import Rejection
from steadygan.data.work import Copy, Entry, ImageTask, Result, Row
from steadygan.names import to_json

JOURNAL = "journal.jsonl"

SAME_BYTES = "with the bytes of another"
"""The kind under which duplicates are counted that were left out."""

Pixels = NDArray[np.uint8]


class Growing:
    """The images of a set so far, uint8 (n, S, S, C) in a file as NumPy writes it, and what is known about each.

    The first line of the journal says which set it is, each further one what a task gave. Opened again for the same
    set, it goes on after the last task of which the line and the pixels are there.
    """

    def __init__(self, pixels: IO[bytes], journal: IO[bytes], key: str, shape: tuple[int, int, int],
                 earlier: Earlier | None = None, keep_duplicates: bool = True) -> None:  # fmt: skip
        self.entries: list[Entry] = []
        self.rejected: list[Rejection] = []
        self.passed_over: Counter[str] = Counter()
        self.carried: list[Carried] = []
        self._shape, self._bytes = shape, int(np.prod(shape))
        self._earlier = earlier
        self._seen: set[tuple[object, ...]] | None = None if keep_duplicates else set()
        self._pixels, self._journal = pixels, journal
        size = os.fstat(pixels.fileno()).st_size
        self._header = write_header(self._pixels, (0, *shape))
        first = json.dumps(key).encode() + b"\n"
        if self._journal.readline() == first:
            self._read_back((size - self._header) // self._bytes)
        else:
            self._journal.truncate(0)
            self._journal.seek(0)
            self._journal.write(first)
        self._pixels.seek(self._header + len(self.entries) * self._bytes)
        self._pixels.truncate()

    def add(self, task: ImageTask, results: Sequence[Result]) -> None:
        """Take in what a task gave."""
        found = [row for it in results for row in ([it] if isinstance(it, Row) else self._copied(it))]
        rows = [row for row in found if self._is_new(row.entry)]
        passed = [it for it in results if isinstance(it, str)] + [SAME_BYTES] * (len(found) - len(rows))
        for row in rows:
            self._write(row.pixels)
        entries = [row.entry for row in rows]
        rejected = [it for it in results if isinstance(it, Rejection)]
        said = ",".join(to_json(entry, exclude_defaults=True) for entry in entries)
        rest = json.dumps([[it.file, it.reason, it.passing] for it in rejected]), json.dumps(passed)
        self._journal.write(f"[{json.dumps(task.key)},{task.size},[{said}],{','.join(rest)}]\n".encode())
        self._take(task.key, task.size, entries, rejected, passed)

    def replace(self, index: int, row: Row) -> None:
        """Put another image in the place of one. The journal still speaks of the first: who goes on does it again."""
        self._pixels.seek(self._header + index * self._bytes)
        self._write(row.pixels)
        self.entries[index] = row.entry

    def _write(self, pixels: Pixels) -> None:
        whole = pixels if pixels.shape[-1] == self._shape[-1] else pixels.repeat(self._shape[-1], axis=-1)
        self._pixels.write(whole.tobytes())

    def flush(self) -> None:
        """Hand all to the system, pixels first, so that no line speaks of images that are not there."""
        self._pixels.flush()
        self._journal.flush()
        if self._earlier:
            let_go(self._earlier.dataset.images)

    def finish(self) -> None:
        """Write how many images there are."""
        self._pixels.seek(0)
        write_header(self._pixels, (len(self.entries), *self._shape))
        self.flush()

    def mapped(self) -> Pixels:
        """The images, read from the file while it is open."""
        shape = (len(self.entries), *self._shape)
        return (
            np.memmap(self._pixels, np.uint8, "r", self._header, shape) if self.entries else np.zeros(shape, np.uint8)
        )

    def _copied(self, result: Result) -> Iterable[Row]:
        return self._earlier.rows(result) if self._earlier and isinstance(result, Copy) else ()

    def _is_new(self, entry: Entry) -> bool:
        if self._seen is None:
            return True
        identity = (entry.digest, entry.frame, entry.crop)
        new = identity not in self._seen
        self._seen.add(identity)
        return new

    def _take(
        self, key: str, size: int, entries: list[Entry], rejected: list[Rejection], passed: Sequence[str]
    ) -> None:
        self.entries += entries
        self.rejected += rejected
        self.passed_over.update(passed)
        complete = entries and not rejected and SAME_BYTES not in passed
        self.carried.append(Carried(key, size, entries[0].digest if complete else "", len(entries), tuple(passed)))

    def _read_back(self, images: int) -> None:
        """Take in the journal of a killed process up to the last whole line of which all images are there."""
        end = self._journal.tell()
        with suppress(ValueError):
            for line in self._journal:
                task, size, entries, rejected, passed = json.loads(line)
                if len(self.entries) + len(entries) > images or not line.endswith(b"\n"):
                    break
                found = [entry for entry in map(Entry.model_validate, entries) if self._is_new(entry)]
                self._take(task, size, found, [Rejection(*it) for it in rejected], passed)
                end += len(line)
        self._journal.seek(end)
        self._journal.truncate()


def write_header(file: IO[bytes], shape: tuple[int, ...]) -> int:
    """Write the header of a uint8 .npy file; returns its length.

    NumPy leaves room in it for the first number to grow, so that its length does not depend on it.
    """
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.tell()
