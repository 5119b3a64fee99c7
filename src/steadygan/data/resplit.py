"""A prepared data set of which other images are held out, for studies in which the split varies with the seed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from steadygan.claim import Say
from steadygan.data.cache import held, place_of
from steadygan.data.dataset import Dataset, open_dataset
from steadygan.data.describe import digest_of
from steadygan.data.health.examine import examine
from steadygan.data.settings import PrepareSettings
from steadygan.data.split import hold_out
from steadygan.data.work import Entry
from steadygan.errors import DataError
from steadygan.rundir import atomic_folder

_SAME = ("images.npy", "labels.npy", "index.jsonl", "rejected.jsonl", "montage.png")


def resplit(dataset: Dataset, seed: int, say: Say = lambda text: None) -> Dataset:
    """The same images, as large a share of them held out, but others: those that `seed` draws. 0 is the set as it is.

    The files of a family stay together here too. It is kept in the cache, where the images take no room of their own if
    they lie on the same disk. StorageError if it cannot be stored.
    """
    if not seed or not len(dataset.held_out):
        return dataset
    place = place_of(dataset.path.name, f"split{seed}-{dataset.digest[:16]}")
    with suppress(DataError):
        return open_dataset(place)
    with held(place, f"drawing a split of {dataset.path}", say):
        if not place.exists():
            with atomic_folder(place) as part:
                _fill(part, dataset, seed)
    return open_dataset(place)


def _fill(folder: Path, dataset: Dataset, seed: int) -> None:
    entries = dataset.entries()
    settings = PrepareSettings.model_validate(dataset.meta["settings"])
    families = [*_families(entries, settings), *examine(dataset.images, entries).families]
    never = [index for index, entry in enumerate(entries) if entry.attributes.get("generated") == 1]
    digests = [entry.digest for entry in entries]
    held_out = hold_out(digests, families, settings.held_out, never=never, seed=seed)
    for name in _SAME:
        if (dataset.path / name).exists():
            _take(dataset.path / name, folder / name)
    np.save(folder / "held_out.npy", held_out)
    meta: dict[str, Any] = {
        **dataset.meta,
        "digest": digest_of(dataset.images, dataset.labels, held_out),
        "counts": {**dataset.meta["counts"], "held_out": len(held_out)},
        "split_of": {"digest": dataset.digest, "seed": seed},
    }
    (folder / "dataset.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")


def _families(entries: Sequence[Entry], settings: PrepareSettings) -> Iterator[list[int]]:
    """Crops and frames of one file, overlapping tiles of one image."""
    tiles = settings.tiles
    if tiles and tiles.step >= tiles.side:
        return
    together: dict[tuple[str, str], list[int]] = {}
    for index, entry in enumerate(entries):
        key = (entry.file.rpartition("/")[0], "") if tiles else (entry.file, entry.digest)
        together.setdefault(key, []).append(index)
    yield from together.values()


def _take(file: Path, to: Path) -> None:
    """The same file under a second name, or a copy where there is no such thing."""
    try:
        os.link(file, to)
    except OSError:
        shutil.copyfile(file, to)
