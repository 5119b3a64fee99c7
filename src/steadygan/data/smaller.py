"""A prepared data set at fewer pixels, for a run that wants smaller images than were prepared."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from PIL import Image

from steadygan.claim import Say
from steadygan.data.cache import held, place_of
from steadygan.data.dataset import Dataset, open_dataset
from steadygan.data.describe import digest_of
from steadygan.data.making import Progress
from steadygan.data.mapped import blocks
from steadygan.errors import ConfigError, DataError
from steadygan.rundir import atomic_folder

_KEPT = ("labels.npy", "held_out.npy", "index.jsonl", "rejected.jsonl")
_BLOCK = 64


def smaller(dataset: Dataset, size: int, progress: Progress | None = None, say: Say = lambda text: None) -> Dataset:
    """The images of a set reduced to `size` pixels by Lanczos with antialiasing, in the same order, made once.

    Labels and what is held out stay. It is kept in the cache, under the digest of the set; a second process that wants
    it says so and waits its turn. `progress` is called with (done, total). Raises ConfigError if the images are smaller
    than that, StorageError if they cannot be stored.
    """
    if size > dataset.spec.size or dataset.spec.size == 1:
        raise ConfigError(
            f"size: {dataset.path} holds images of {dataset.spec.size} pixels, not {size}; "
            f"prepare it again with --size {size}, or give --size {dataset.spec.size}"
        )
    place = place_of(dataset.path.name, f"{size}px-{dataset.digest[:16]}")
    with suppress(DataError):
        return open_dataset(place)
    with held(place, f"reducing {dataset.path}", say):
        if not place.exists():
            with atomic_folder(place) as part:
                _fill(part, dataset, size, progress)
    return open_dataset(place)


def _fill(folder: Path, dataset: Dataset, size: int, progress: Progress | None) -> None:
    shape = (len(dataset), size, size, dataset.spec.channels)
    file = folder / "images.npy"
    reduced: np.memmap[Any, np.dtype[np.uint8]] = open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    for number, block in enumerate(blocks(dataset.images, _BLOCK)):
        first = number * _BLOCK
        reduced[first : first + len(block)] = np.stack([_reduced(image, size) for image in block])
        if progress:
            progress(first + len(block), len(dataset))
    reduced.flush()
    for name in _KEPT:
        if (dataset.path / name).exists():
            shutil.copyfile(dataset.path / name, folder / name)
    meta: dict[str, Any] = {
        **dataset.meta,
        "digest": digest_of(reduced, dataset.labels, dataset.held_out),
        "spec": dataset.spec.model_copy(update={"size": size}).model_dump(),
        "settings": {**dataset.meta["settings"], "size": size},
        "reduced_from": {"digest": dataset.digest, "size": dataset.spec.size},
    }
    (folder / "dataset.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")


def _reduced(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """An image uint8 (S, S, C) of any number of channels as (size, size, C)."""
    channels = (Image.fromarray(channel) for channel in np.moveaxis(image, -1, 0))
    smaller = [channel.resize((size, size), Image.Resampling.LANCZOS) for channel in channels]
    return np.stack([np.asarray(channel) for channel in smaller], axis=-1)
