"""A prepared data set: a folder with all images in one array."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from steadygan import cards
from steadygan.data.settings import FORMAT
from steadygan.data.sources.items import Rejection
from steadygan.data.work import Entry
from steadygan.errors import DataError, os_errors
from steadygan.names import from_json, shown
from steadygan.spec import ImageSpec

__all__ = ["Dataset", "open_dataset"]

R = TypeVar("R")

_MOST_CLASSES = 12


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images of one form, mapped from disk: `images` uint8 (N, S, S, C), `labels` int64 (N,) or None.

    `held_out` int64 (M,) are the indices of the images that training never sees, ascending. `digest` is the SHA-256
    of pixels, labels and held-out indices, `meta` all of `dataset.json`. Sent to another process it is mapped there.
    """

    path: Path
    spec: ImageSpec
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    held_out: NDArray[np.int64]
    digest: str
    meta: dict[str, Any]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int | None]:
        """Image (S, S, C) and label at `index`; IndexError beyond the end."""
        return self.images[index], None if self.labels is None else int(self.labels[index])

    def __reduce__(self) -> tuple[Any, ...]:
        return open_dataset, (self.path,)

    def __str__(self) -> str:
        return f"{len(self):,} images, {self.spec}, {len(self.held_out):,} of them held out"

    def __repr__(self) -> str:
        return f"<Dataset {shown(self.path)}: {self}>"

    def _repr_html_(self) -> str:
        montage = cards.picture(cards.small(self.path / "montage.png"), "some of its images")
        classes = cards.table(("class", "images"), [(name, f"{count:,}") for name, count in self._classes()])
        return cards.card(self.path.name, montage, cards.lines([str(self), *self.advice]) + classes)

    def _classes(self) -> list[tuple[str, int]]:
        """The names of the classes with their numbers of images, the largest ones first, the rest of many together."""
        if self.labels is None:
            return []
        counts = np.bincount(self.labels, minlength=len(self.class_names)).tolist()
        largest = sorted(zip(self.class_names, counts, strict=True), key=lambda it: -it[1])
        rest = largest[_MOST_CLASSES:]
        more = [(f"{len(rest):,} more", sum(count for _, count in rest))] if rest else []
        return [*largest[:_MOST_CLASSES], *more]

    @cached_property
    def training(self) -> NDArray[np.int64]:
        """Indices of the images to train on, int64 (N - M,), ascending."""
        return np.setdiff1d(np.arange(len(self)), self.held_out, assume_unique=True)

    @property
    def advice(self) -> tuple[str, ...]:
        """Sentences on what to expect of this set."""
        return tuple(self.meta["advice"])

    def entries(self) -> list[Entry]:
        """Where each image comes from, in the order of the images."""
        return self._records("index.jsonl", lambda line: from_json(Entry, line))

    def rejected(self) -> list[Rejection]:
        """The files that could not be used."""
        return self._records("rejected.jsonl", lambda line: Rejection(**json.loads(line)))

    def on_rejected(self) -> Iterator[str]:
        """Lines on the files that could not be used, if there are any: how many, and why the first were not.

        A list that is damaged is no reason to do without the images: that is the only line then.
        """
        try:
            rejected = [one for one in self.rejected() if not one.left_out]
        except DataError as problem:
            yield f"which files were left out is not known: {problem}"
            return
        if rejected:
            files = "file" if len(rejected) == 1 else "files"
            yield f"{len(rejected):,} {files} rejected, see {self.path / 'rejected.jsonl'}; the first:"
            for rejection in rejected[:5]:
                yield f"  {rejection.file}: {rejection.reason}"

    def _records(self, name: str, read: Callable[[str], R]) -> list[R]:
        try:
            return [read(line) for line in lines_of(self.path / name)]
        except (ValueError, TypeError) as problem:
            raise _damaged(self.path, f"{name} cannot be read") from problem


def is_dataset(path: Path) -> bool:
    """Whether a folder claims to be a prepared data set."""
    return (path / "dataset.json").is_file()


def read_meta(path: Path) -> dict[str, Any]:
    """All of `dataset.json`; DataError if it is missing, damaged or of another version."""
    try:
        meta = json.loads((path / "dataset.json").read_text(encoding="utf-8"))
        version = meta["format"]
    except FileNotFoundError as problem:
        raise DataError(
            f"{path} has no dataset.json and is no data set; make one with 'steadygan prepare'"
        ) from problem
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise _damaged(path, f"dataset.json cannot be read ({problem})") from problem
    if version != FORMAT:
        raise DataError(f"{path} has the format {version}, this version reads {FORMAT}; prepare it again")
    assert isinstance(meta, dict)
    if isinstance(settings := meta.get("settings"), dict) and settings.get("channels") == "gray":
        settings["channels"] = "grey"  # as older sets spell it
    return meta


@os_errors()
def open_dataset(path: str | Path) -> Dataset:
    """Map a prepared data set into memory; DataError if it is none, damaged, or of another version."""
    path = Path(path)
    meta = read_meta(path)
    try:
        spec = ImageSpec.model_validate(meta["spec"])
        number, held = int(meta["counts"]["images"]), int(meta["counts"]["held_out"])
        digest, class_names = str(meta["digest"]), tuple(meta["class_names"])
    except (KeyError, TypeError, ValueError, ValidationError) as problem:
        raise _damaged(path, f"dataset.json lacks or misspells {problem}") from problem
    images = _array(path, "images.npy", (number, spec.size, spec.size, spec.channels), np.uint8)
    labels = _array(path, "labels.npy", (number,), np.int64) if spec.classes else None
    if labels is not None and (labels.min() < 0 or labels.max() >= spec.classes):
        raise _damaged(path, f"labels.npy holds labels outside 0 to {spec.classes - 1}")
    held_out = _array(path, "held_out.npy", (held,), np.int64)
    if not np.array_equal(np.unique(held_out), held_out) or not np.isin(held_out, np.arange(number)).all():
        raise _damaged(path, "held_out.npy holds other numbers than those of its images")
    return Dataset(path, spec, images, labels, class_names, np.array(held_out), digest, meta)


def _array(path: Path, name: str, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path / name, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise _damaged(path, f"{name} is missing or cut short ({problem})") from problem
    if array.shape != shape or array.dtype != kind:
        raise _damaged(path, f"{name} holds {array.dtype} {array.shape}, expected {np.dtype(kind)} {shape}")
    return array


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a file of a data set; DataError if it cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            yield from file
    except OSError as problem:
        raise _damaged(path.parent, f"{path.name} cannot be read") from problem


def _damaged(path: Path, what: str) -> DataError:
    return DataError(f"the data set {path} is damaged: {what}; delete the folder and prepare it again")
