"""What is in a data set, or in a source of images before it becomes one."""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from steadygan.data.advice import advice, conversions, meant
from steadygan.data.dataset import Dataset, is_dataset, open_dataset
from steadygan.data.health import Health, examine
from steadygan.data.health.closely import FILES, chosen, look_closely
from steadygan.data.health.page import write_page
from steadygan.data.health.pixels import reduced, small_side
from steadygan.data.making import Progress, choose_channels, results_of
from steadygan.data.plan import Plan, make_plan
from steadygan.data.pool import cores
from steadygan.data.settings import PrepareSettings
from steadygan.data.sources.items import Rejection
from steadygan.data.sources.labels import class_names
from steadygan.data.sources.opening import AnyFiles, open_source
from steadygan.data.work import Entry, ReadFile, Row
from steadygan.errors import ConfigError, os_errors
from steadygan.names import shown
from steadygan.rundir import storage_errors

__all__ = ["inspect"]

_LISTED = 10


class Range(BaseModel):
    """Smallest, middle and largest of some numbers."""

    model_config = ConfigDict(frozen=True)

    min: int
    median: float
    max: int


class Inspection(BaseModel):
    """What was found, as data: `model_dump_json()` is the answer of `inspect --json`, `str()` that without it.

    `images` counts those that can be used. Sizes are those of the upright source pictures in pixels; `modes`,
    `formats` and `changes` count what the files hold and what is converted. `size` is the side the images
    have, or are asked to be judged for, in pixels, and `enlarged` how many are smaller than it. `notes` say what the
    source was taken for: which files are left out, and why there are no classes. `kind` is "dataset" or
    that of the source. `digest` is empty before preparing. `health` says what is the matter with the images.
    """

    model_config = ConfigDict(frozen=True)

    path: Path
    kind: str
    images: int
    size: int
    channels: int
    enlarged: int
    widths: Range
    heights: Range
    modes: dict[str, int]
    formats: dict[str, int]
    changes: dict[str, int]
    grey: int
    classes: dict[str, int]
    rejected: tuple[Rejection, ...]
    passed_over: dict[str, int]
    converted: str
    advice: tuple[str, ...]
    notes: tuple[str, ...] = ()
    digest: str = ""
    health: Health = Health(images=0)

    def rows(self) -> dict[str, str]:
        """The facts in words, by name."""
        others, left_out = sum(self.passed_over.values()), sum(it.left_out for it in self.rejected)
        kept_out = f"{len(self.rejected) - left_out:,} rejected, " + (f"{left_out:,} left out, " if left_out else "")
        return {
            "images": f"{self.images:,} usable, {kept_out}{others:,} other files",
            "width": f"{self.widths.min:,} to {self.widths.max:,} pixels, median {self.widths.median:,.10g}",
            "height": f"{self.heights.min:,} to {self.heights.max:,} pixels, median {self.heights.median:,.10g}",
            "modes": _counts(self.modes),
            "formats": _counts(self.formats),
            "classes": _counts(self.classes),
            "converted": self.converted or "nothing",
            "enlarged": f"{self.enlarged:,} {'is' if self.enlarged == 1 else 'are'} smaller than {self.size} pixels",
        }

    def __str__(self) -> str:
        """A table for a terminal: facts, findings, rejected files."""
        lines = [f"{name:10} {text}" for name, text in self.rows().items()]
        lines += [f"{'note':10} {text}" for text in self.notes]
        for finding in self.health.findings:
            lines += [f"{finding.severity:10} {finding.sentence}", f"{'':10} → {finding.remedy}"]
            if finding.examples:
                more = ", …" if finding.count > 3 or len(finding.examples) > 3 else ""
                lines.append(f"{'':10}   {', '.join(finding.examples[:3])}{more}")
        rejected = [it for it in self.rejected if not it.left_out]
        lines += [f"{'rejected':10} {it.file}: {it.reason}" for it in rejected[:_LISTED]]
        if len(rejected) > _LISTED:
            lines.append(f"{'':10} and {len(rejected) - _LISTED:,} more; --json lists them all")
        return "\n".join(map(shown, lines))


def _counts(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in numbers.items()) or "none"


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
        return _of_dataset(open_dataset(Path(path)), page)
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
        channels = plan.channels or choose_channels(read.entries)
        images = read.images if channels > 1 else read.images[..., :1]
        factors = _factors(plan, read.entries, workers, lambda done: heard(files + done))
        heard(total)
        health = examine(images, read.entries, factors, plan.settings.side)
        rejected = [*plan.problems, *read.rejected]
        facts = _facts(read.entries, rejected, plan.notes, plan.settings.side, channels, health)
        passed_over = dict(sorted((Counter(dict(plan.passed_over)) + read.passed_over).items()))
        found = Inspection(path=Path(source.where), kind=source.kind, passed_over=passed_over, **facts)
        if page:
            write_page(found, images, read.entries, Path(page))
    return found


def _of_dataset(dataset: Dataset, page: str | Path | None) -> Inspection:
    entries = dataset.entries()
    health, notes, spec = examine(dataset.images, entries), dataset.meta.get("notes", ()), dataset.spec
    found = Inspection(
        path=dataset.path,
        kind="dataset",
        passed_over=dataset.meta["counts"]["passed_over"],
        digest=dataset.digest,
        **_facts(entries, dataset.rejected(), notes, spec.size, spec.channels, health),
    )
    if page:
        write_page(found, dataset.images, entries, Path(page))
    return found


class _Read(NamedTuple):
    """What the tasks of a plan gave: images uint8 (N, S, S, C) of at most 127 pixels, and their entries."""

    images: NDArray[np.uint8]
    entries: list[Entry]
    rejected: list[Rejection]
    passed_over: Counter[str]


@contextmanager
def _read(plan: Plan, workers: int | None, progress: Progress) -> Iterator[_Read]:
    """Carry out a plan; the images are there until the block ends."""
    side, channels = small_side(plan.settings.side), plan.channels or 3
    entries: list[Entry] = []
    rejected: list[Rejection] = []
    passed_over: Counter[str] = Counter()
    with tempfile.TemporaryFile() as file:
        for result in results_of(plan, workers, progress):
            if isinstance(result, Row):
                pixels = reduced(result.pixels[None])
                whole = pixels if pixels.shape[-1] == channels else pixels.repeat(channels, axis=-1)
                with storage_errors(Path(tempfile.gettempdir()) / "(images of inspect)"):
                    file.write(whole.tobytes())
                entries.append(result.entry)
            elif isinstance(result, Rejection):
                rejected.append(result)
            elif isinstance(result, str):
                passed_over[result] += 1
        file.flush()
        shape = (len(entries), side, side, channels)
        images = np.memmap(file, np.uint8, "r", shape=shape) if entries else np.zeros(shape, np.uint8)
        yield _Read(images, entries, rejected, passed_over)


def _factors(
    plan: Plan, entries: Sequence[Entry], workers: int | None, heard: Callable[[int], None]
) -> dict[int, float]:
    """The true resolution of some files, by index; of those only that are read whole."""
    items = {task.item.name: task.item for task in plan.tasks if isinstance(task, ReadFile)}
    indices = [index for index in chosen(entries) if entries[index].file in items]
    some = [items[entries[index].file] for index in indices]
    factors = look_closely(some, cores() if workers is None else workers, heard)
    return {index: factor for index, factor in zip(indices, factors, strict=True) if factor is not None}


def _facts(
    entries: Sequence[Entry],
    rejected: Sequence[Rejection],
    notes: Sequence[str],
    size: int,
    channels: int,
    health: Health,
) -> dict[str, Any]:
    """What is known of a set besides the pictures themselves."""
    labels = Counter(entry.label for entry in entries if entry.label is not None)
    return {
        "images": len(entries),
        "size": size,
        "channels": channels,
        "enlarged": sum(entry.enlarged for entry in entries),
        "widths": _range([entry.size[0] for entry in entries]),
        "heights": _range([entry.size[1] for entry in entries]),
        "modes": dict(Counter(entry.mode for entry in entries).most_common()),
        "formats": dict(Counter(entry.format for entry in entries).most_common()),
        "changes": dict(Counter(change for entry in entries for change in entry.changes).most_common()),
        "grey": sum(entry.grey for entry in entries),
        "classes": {name: labels[name] for name in class_names(labels)},
        "rejected": tuple(rejected),
        "converted": conversions(entries, channels),
        "notes": (*notes, *meant(entries, rejected)),
        "advice": (*notes, *advice(entries, rejected, health)),
        "health": health,
    }


def _range(numbers: Sequence[int]) -> Range:
    if not numbers:
        return Range(min=0, median=0, max=0)
    return Range(min=min(numbers), median=statistics.median(numbers), max=max(numbers))
