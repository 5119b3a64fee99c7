"""What is in a data set, or in a folder of images before it becomes one."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from steadygan.data.advice import advice, conversions
from steadygan.data.dataset import Dataset, is_dataset, open_dataset
from steadygan.data.plan import make_plan
from steadygan.data.prepare import Progress, choose_channels, results_of
from steadygan.data.settings import PrepareSettings
from steadygan.data.sources import Folder, Zip, open_source
from steadygan.data.sources.items import Rejection
from steadygan.data.sources.labels import class_names
from steadygan.data.work import Entry, Row
from steadygan.errors import ConfigError


class Range(BaseModel):
    """Smallest, middle and largest of some numbers."""

    model_config = ConfigDict(frozen=True)

    min: int
    median: float
    max: int


class Inspection(BaseModel):
    """What was found, as data: `model_dump_json()` is the answer of `inspect --json`.

    `images` counts those that can be used. Sizes are those of the upright source pictures in pixels; `modes`,
    `formats` and `changes` count what the files hold and what is converted. `size` is the side the images
    have, or are asked to be judged for, in pixels, and `enlarged` how many are smaller than it. `digest` is
    empty before preparing.
    """

    model_config = ConfigDict(frozen=True)

    path: Path
    kind: Literal["dataset", "folder", "zip"]
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
    digest: str = ""


def inspect(
    path: str | Path,
    settings: PrepareSettings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Inspection:
    """Look into a prepared data set, or read every image of a folder or `.zip` without preparing it.

    `settings` say what an unprepared source would be prepared as; `workers` and `progress` are as for `prepare`.
    Raises ConfigError for a missing path, DataError if there is nothing to look at.
    """
    if is_dataset(Path(path)):
        return _of_dataset(open_dataset(Path(path)))
    source = open_source(path)
    if not isinstance(source, Folder | Zip):
        raise ConfigError(f"{path} is drawn and holds no files to inspect; prepare it and inspect the data set")
    plan = make_plan([source], settings or PrepareSettings(), keep_pixels=False)
    results = list(results_of(plan, workers, progress))
    entries = [result.entry for result in results if isinstance(result, Row)]
    rejected = [*plan.problems, *(result for result in results if isinstance(result, Rejection))]
    facts = _facts(entries, rejected, plan.settings.side, plan.channels or choose_channels(entries))
    return Inspection(path=source.path, kind=source.kind, passed_over=dict(plan.passed_over), **facts)


def _of_dataset(dataset: Dataset) -> Inspection:
    facts = _facts(dataset.entries(), dataset.rejected(), dataset.spec.size, dataset.spec.channels)
    passed_over = dataset.meta["counts"]["passed_over"]
    return Inspection(path=dataset.path, kind="dataset", passed_over=passed_over, digest=dataset.digest, **facts)


def _facts(entries: Sequence[Entry], rejected: Sequence[Rejection], size: int, channels: int) -> dict[str, Any]:
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
        "advice": advice(entries, len(rejected), size, channels),
    }


def _range(numbers: Sequence[int]) -> Range:
    if not numbers:
        return Range(min=0, median=0, max=0)
    return Range(min=min(numbers), median=statistics.median(numbers), max=max(numbers))
