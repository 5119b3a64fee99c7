"""What is in a data set, or in a source of images before it becomes one."""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadygan.data.advice import advice, conversions, meant
from steadygan.data.dataset import is_dataset, open_dataset
from steadygan.data.growing import Growing
from steadygan.data.health import examine
from steadygan.data.health.closely import FILES, chosen, look_closely
from steadygan.data.health.page import write_page
from steadygan.data.health.pixels import reduced, small_side
from steadygan.data.health.report import Inspection, Range
from steadygan.data.making import Progress, choose_channels
from steadygan.data.plan import Plan, make_plan
from steadygan.data.pool import Pool, cores
from steadygan.data.settings import PrepareSettings
from steadygan.data.sources.items import Rejection
from steadygan.data.sources.labels import class_names
from steadygan.data.sources.opening import AnyFiles, open_source
from steadygan.data.work import Entry, ReadFile, Result, Row, carried_out
from steadygan.errors import ConfigError, os_errors
from steadygan.rundir import storage_errors

__all__ = ["inspect"]


@os_errors()
def inspect(
    path: str | Path,
    settings: PrepareSettings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    page: str | Path | None = None,
) -> Inspection:
    """Look into a prepared data set, or read every image of a source without preparing it.

    `settings` say what an unprepared source would be prepared as; `workers` and `progress` are as for `prepare`.
    `page` is a file to write an HTML page with pictures to. Of an unprepared source up to 500 files are opened a second
    time, to see whether they were enlarged. Its images wait in a temporary file, reduced to 127 pixels at most.
    Raises ConfigError for a missing path, DataError if there is nothing to look at, StorageError if there is no room.
    """
    if is_dataset(Path(path)):
        dataset = open_dataset(path)
        passed_over, notes = dataset.meta["counts"]["passed_over"], dataset.meta.get("notes", ())
        about = {"path": dataset.path, "kind": "dataset", "passed_over": passed_over, "digest": dataset.digest}
        entries, rejected = dataset.entries(), dataset.rejected()
        return _found(page, dataset.images, entries, rejected, notes, dataset.spec.size, **about)
    source = open_source(path)
    if not isinstance(source, AnyFiles):
        raise ConfigError(f"{path} is drawn and holds no files to inspect; prepare it and inspect the data set")
    plan = make_plan([source], settings or PrepareSettings())
    files = len(plan.tasks)
    total = files + min(FILES, files)  # what is read, and then what is looked at closely

    def heard(done: int, _total: int = 0) -> None:
        if progress:
            progress(min(done, total), total)

    with _read(plan, workers, heard) as read:
        entries, rejected = read.entries, [*plan.problems, *read.rejected]
        channels = plan.channels or choose_channels(entries)
        images = read.mapped() if channels > 1 else read.mapped()[..., :1]
        factors = _factors(plan, entries, workers, lambda done: heard(files + done))
        heard(total)
        passed_over = plan.with_passed_over(read.passed_over)
        about = {"path": Path(source.where), "kind": source.kind, "passed_over": passed_over}
        return _found(page, images, entries, rejected, plan.notes, plan.settings.side, factors, **about)


@contextmanager
def _read(plan: Plan, workers: int | None, progress: Progress) -> Iterator[Growing]:
    """Carry out a plan; the images, reduced to 127 pixels at most, are there until the block ends."""
    side, room = small_side(plan.settings.side), Path(tempfile.gettempdir()) / "(images of inspect)"
    with tempfile.TemporaryFile() as pixels, tempfile.TemporaryFile() as journal:
        with storage_errors(room), Pool[list[Result]](cores() if workers is None else workers) as pool:
            growing = Growing(pixels, journal, plan.key, (side, side, plan.channels or 3))
            for group in carried_out(plan.tasks, plan.settings.side, pool):
                for task, results in group:
                    growing.add(task, [_small(result) for result in results])
                progress(len(growing.carried), len(plan.tasks))
            growing.finish()
        yield growing


def _small(result: Result) -> Result:
    return Row(result.entry, reduced(result.pixels[None])[0]) if isinstance(result, Row) else result


def _factors(
    plan: Plan, entries: Sequence[Entry], workers: int | None, heard: Callable[[int], None]
) -> dict[int, float]:
    """The true resolution of some files, by index; of those only that are read whole."""
    items = {task.item.name: task.item for task in plan.tasks if isinstance(task, ReadFile)}
    indices = [index for index in chosen(entries) if entries[index].file in items]
    some = [items[entries[index].file] for index in indices]
    factors = look_closely(some, cores() if workers is None else workers, heard)
    return {index: factor for index, factor in zip(indices, factors, strict=True) if factor is not None}


def _found(
    page: str | Path | None,
    images: NDArray[np.uint8],
    entries: Sequence[Entry],
    rejected: Sequence[Rejection],
    notes: Sequence[str],
    size: int,
    factors: dict[int, float] | None = None,
    **about: Any,
) -> Inspection:
    """All that is to be said, `about` what else than the pictures themselves; with a page if one is wanted."""
    labels = Counter(entry.label for entry in entries if entry.label is not None)
    health, channels = examine(images, entries, factors, size), images.shape[3]
    found = Inspection(
        images=len(entries),
        size=size,
        channels=channels,
        enlarged=sum(entry.enlarged for entry in entries),
        widths=_range([entry.size[0] for entry in entries]),
        heights=_range([entry.size[1] for entry in entries]),
        modes=_counted(entry.mode for entry in entries),
        formats=_counted(entry.format for entry in entries),
        changes=_counted(change for entry in entries for change in entry.changes),
        grey=sum(entry.grey for entry in entries),
        classes={name: labels[name] for name in class_names(labels)},
        rejected=tuple(rejected),
        converted=conversions(entries, channels),
        notes=(*notes, *meant(entries, rejected)),
        advice=(*notes, *advice(entries, rejected, health)),
        health=health,
        **about,
    )
    if page:
        write_page(found, images, entries, Path(page))
    return found


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


def _range(numbers: Sequence[int]) -> Range:
    if not numbers:
        return Range(min=0, median=0, max=0)
    return Range(min=min(numbers), median=statistics.median(numbers), max=max(numbers))
