"""A data set while it is made: images in one file, a journal beside it, so that a killed process loses little."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from steadygan.data.earlier import Carried, Earlier
from steadygan.data.mapped import let_go
from steadygan.data.sources.items import Item, Rejection
from steadygan.data.work import Copy, Entry, ImageTask, Result, Row
from steadygan.names import spelled, to_json

JOURNAL = "journal.jsonl"

SAME_BYTES = "with the bytes of another"
"""The kind under which duplicates are counted that were left out."""

Pixels = NDArray[np.uint8]


class Growing:
    """The images of a set so far, uint8 (n, S, S, C) in `images.npy`, and what is known about each.

    The first line of the journal says which set it is, each further one what a task gave. Opened again for the same
    set, it goes on after the last task of which the line and the pixels are there. Use it in `with`.
    """

    def __init__(self, folder: Path, key: str, shape: tuple[int, int, int], earlier: Earlier | None = None,
                 keep_duplicates: bool = True) -> None:  # fmt: skip
        self.entries: list[Entry] = []
        self.rejected: list[Rejection] = []
        self.passed_over: Counter[str] = Counter()
        self.carried: list[Carried] = []
        self._shape = shape
        self._earlier = earlier
        self._old = earlier.dataset.entries() if earlier else []
        self._seen: set[tuple[object, ...]] | None = None if keep_duplicates else set()
        self._pixels, self._journal = _open(folder / "images.npy"), _open(folder / JOURNAL)
        header = write_header(self._pixels, (0, *shape))
        kept = self._read_back(key, (_size(self._pixels) - header) // int(np.prod(shape)))
        if not kept:
            self._journal.truncate(0)
            self._journal.write(_line(key))
        self._pixels.seek(header + len(self.entries) * int(np.prod(shape)))
        self._pixels.truncate()

    def __enter__(self) -> Growing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(OSError):  # the disk may be full: what counts was flushed
            self._pixels.close()
        with suppress(OSError):
            self._journal.close()

    def add(self, task: ImageTask, results: Sequence[Result]) -> None:
        """Take in what a task gave."""
        found = [(entry, pixels) for result in results for entry, pixels in self._rows(result)]
        rows = [(entry, pixels) for entry, pixels in found if self._is_new(entry)]
        passed = [it for it in results if isinstance(it, str)] + [SAME_BYTES] * (len(found) - len(rows))
        for _, pixels in rows:
            whole = pixels if pixels.shape[-1] == self._shape[-1] else pixels.repeat(self._shape[-1], axis=-1)
            self._pixels.write(whole.tobytes())
        entries = [entry for entry, _ in rows]
        rejected = [it for it in results if isinstance(it, Rejection)]
        self._journal.write(_task_line(task, entries, rejected, passed))
        self._take(task.key, task.size, entries, rejected, passed)

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

    def _rows(self, result: Result) -> Iterator[tuple[Entry, Pixels]]:
        if isinstance(result, Row):
            yield result.entry, result.pixels
        if isinstance(result, Copy):
            assert self._earlier is not None
            item = result.item
            now = {} if item is None else _of_item(item)
            for index in range(result.start, result.start + result.count):
                yield self._old[index].model_copy(update=now), np.array(self._earlier.dataset.images[index])

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

    def _read_back(self, key: str, images: int) -> bool:
        """Take in the journal of a killed process up to the last whole line; False if there is none of this set."""
        if self._journal.readline() != _line(key):
            return False
        end = self._journal.tell()
        for line in self._journal:
            with suppress(ValueError):
                task, size, entries, rejected, passed = json.loads(line)
                if len(self.entries) + len(entries) > images or not line.endswith(b"\n"):
                    break
                found = [entry for entry in map(Entry.model_validate, entries) if self._is_new(entry)]
                self._take(task, size, found, [Rejection(*it) for it in rejected], passed)
                end += len(line)
                continue
            break
        self._journal.seek(end)
        self._journal.truncate()
        return True


def _of_item(item: Item) -> dict[str, Any]:
    """What an entry says of the item that its image comes from."""
    return {"file": item.name, "label": item.label, "attributes": dict(item.attributes), "place": item.place}


def has_tasks(folder: Path) -> bool:
    """Whether a set that is being made has got anywhere."""
    try:
        return (folder / JOURNAL).read_bytes().count(b"\n") > 1
    except OSError:
        return False


def write_header(file: BinaryIO, shape: tuple[int, ...]) -> int:
    """Write the header of a uint8 .npy file; returns its length.

    NumPy leaves room in it for the first number to grow, so that its length does not depend on it.
    """
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.tell()


def _open(path: Path) -> BinaryIO:
    """A file to read and write, with what it holds."""
    path.touch()
    return path.open("r+b")


def _size(file: BinaryIO) -> int:
    place = file.tell()
    size = file.seek(0, 2)
    file.seek(place)
    return size


def _line(value: Any) -> bytes:
    return spelled(json.dumps(value, ensure_ascii=False)).encode() + b"\n"


def _task_line(task: ImageTask, entries: list[Entry], rejected: list[Rejection], passed: Sequence[str]) -> bytes:
    lines = ",".join(to_json(entry, exclude_defaults=True) for entry in entries)
    rest = json.dumps([[it.file, it.reason, it.passing] for it in rejected]), json.dumps(list(passed))
    return f"[{json.dumps(task.key)},{task.size},[{lines}],{','.join(rest)}]\n".encode()
