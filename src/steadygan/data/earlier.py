"""What a data set that is there already saves us from doing again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from steadygan.data.dataset import Dataset, lines_of
from steadygan.data.work import Copy, Entry, ImageTask, Known, ReadFile, Row, told
from steadygan.errors import DataError

TASKS = "tasks.jsonl"

_MOST_ALIKE = 64  # uncompressed pictures may all have one size, and each task carries the digests of its size


class Carried(NamedTuple):
    """A line of `tasks.jsonl`: a task, the size and SHA-256 of the file it read, how many images it gave.

    `passed` are the kinds of what it passed over. The digest is empty if the task must be carried out anew next time.
    """

    key: str
    size: int
    digest: str
    images: int
    passed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Earlier:
    """The images of a set by the tasks they came from, and by the size of their files."""

    dataset: Dataset
    entries: list[Entry]
    by_key: dict[str, Known] = field(default_factory=dict)
    by_size: dict[int, dict[str, Copy]] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset, same_source: bool) -> Earlier:
        """What can be taken from `dataset`; DataError if its records are damaged.

        Of another source than that of the new set, only what has the same bytes: equal names, sizes and times mean
        nothing then.
        """
        earlier, start = cls(dataset, dataset.entries()), 0
        try:
            for task in (Carried(*json.loads(line)) for line in lines_of(dataset.path / TASKS)):
                if task.digest:
                    copy = Copy(start, task.images)
                    if same_source:
                        earlier.by_key[task.key] = Known(task.key, (copy, *task.passed), task.size)
                    earlier.by_size.setdefault(task.size, {}).setdefault(task.digest, copy)
                start += task.images
        except (ValueError, TypeError) as problem:
            raise DataError(f"{dataset.path / TASKS} cannot be read ({problem})") from problem
        if not start == len(dataset) == len(earlier.entries):
            raise DataError(f"{dataset.path / TASKS} does not speak of the images that are there")
        return earlier

    def spare(self, tasks: Iterable[ImageTask]) -> Iterator[ImageTask]:
        """The same tasks, less what is known: by name, size and time of a file, or else by its bytes once read."""
        for task in tasks:
            known = self.by_size.get(task.size)
            if task.key in self.by_key:
                yield self.by_key[task.key]
            elif isinstance(task, ReadFile) and known:
                yield replace(task, known=dict(islice(known.items(), _MOST_ALIKE)))
            else:
                yield task

    def rows(self, copy: Copy) -> Iterator[Row]:
        """The images that are to be taken over."""
        now = {} if copy.item is None else told(copy.item)
        for index in range(copy.start, copy.start + copy.count):
            yield Row(self.entries[index].model_copy(update=now), np.array(self.dataset.images[index]))
