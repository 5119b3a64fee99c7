"""Files of any kind become one array of equal images."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL
from numpy.typing import NDArray

from steadygan.data.advice import advice, conversions
from steadygan.data.dataset import Dataset, open_dataset, read_meta
from steadygan.data.plan import FORMAT, Plan, make_plan
from steadygan.data.pool import cores, run_tasks
from steadygan.data.settings import PrepareSettings
from steadygan.data.sources import AnySource
from steadygan.data.sources.items import Rejection
from steadygan.data.sources.labels import class_names
from steadygan.data.work import Entry, Row, groups
from steadygan.errors import ConfigError, DataError, StorageError
from steadygan.rundir import atomic_folder
from steadygan.spec import ImageSpec
from steadygan.version import __version__
from steadygan.visual.grid import save_picture
from steadygan.visual.points import picture

Progress = Callable[[int, int], None]

_MONTAGE = 64


def prepare(
    sources: Sequence[AnySource],
    out: Path,
    settings: PrepareSettings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read, check and fit all images of the sources into a new data set folder `out`.

    The result does not depend on `workers`, the number of processes: None is one per core, 0 does all work in
    this process. `progress` is called with (done, total) files. What cannot be used is listed in
    `rejected.jsonl`. A data set made from the same files and settings is reused.
    Raises DataError if fewer than two images can be used, ConfigError if `out` is something else,
    StorageError if the disk is full; nothing half-made is left.
    """
    return carry_out(make_plan(sources, settings or PrepareSettings()), out, workers, progress)


def carry_out(plan: Plan, out: Path, workers: int | None = None, progress: Progress | None = None) -> Dataset:
    """Make the data set that `plan` describes, or open it if it is there."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        return _existing(out, plan)
    _check_space(out, plan)
    with atomic_folder(out) as folder:
        _fill(folder, plan, results_of(plan, workers, progress))
    return open_dataset(out)


def _existing(out: Path, plan: Plan) -> Dataset:
    try:
        same = out.is_dir() and read_meta(out).get("key") == plan.key
    except DataError:
        same = False
    if not same:
        raise ConfigError(f"{out} exists and holds something else; choose another folder with -o, or delete it first")
    return open_dataset(out)


def _check_space(out: Path, plan: Plan) -> None:
    """Refuse before an hour of work what cannot be stored."""
    needed = len(plan.tasks) * plan.settings.side**2 * (plan.channels or 3)
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"{out} needs {needed / 1e6:,.1f} MB and the disk has {free / 1e6:,.1f} MB free; "
            "choose another disk or a smaller --size"
        )


def results_of(plan: Plan, workers: int | None, progress: Progress | None) -> Iterator[Row | Rejection]:
    """Carry out the tasks of a plan, each once, and give their results in order."""
    parts = list(groups(plan.tasks, plan.settings.side))
    done = 0
    for results in run_tasks(parts, min(cores() if workers is None else workers, len(parts))):
        for some in results:
            yield from some
        done += len(results)
        if progress:
            progress(done, len(plan.tasks))


def _fill(folder: Path, plan: Plan, results: Iterator[Row | Rejection]) -> None:
    """Write all files of the data set."""
    images = folder / "images.npy"
    entries, rejected = _write_images(images, plan, results)
    if len(entries) < 2:
        raise _too_few(plan, len(entries), rejected)
    if not plan.channels and choose_channels(entries) == 1:
        _keep_first_channel(images)
    pixels: NDArray[np.uint8] = np.load(images, mmap_mode="r")
    labels, names = _labels(entries, plan)
    if labels is not None:
        np.save(folder / "labels.npy", labels)
    _write_lines(folder / "index.jsonl", (entry.model_dump_json(exclude_defaults=True) for entry in entries))
    _write_lines(folder / "rejected.jsonl", (json.dumps(asdict(it), ensure_ascii=False) for it in rejected))
    meta = _meta(plan, entries, rejected, pixels, labels, names)
    (folder / "dataset.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    shown = np.linspace(0, len(pixels) - 1, min(_MONTAGE, len(pixels))).astype(int)
    save_picture(picture(pixels[shown]), folder / "montage.png")


def choose_channels(entries: Sequence[Entry]) -> int:
    """Channels of a set that has no fixed number: 1 if every single picture is grey, else 3.

    One coloured picture is enough for 3, because grey fits into colour without loss and not the reverse.
    A picture stored in colour counts as grey if its channels are equal everywhere.
    """
    return 1 if all(entry.grey for entry in entries) else 3


def _write_images(path: Path, plan: Plan, results: Iterator[Row | Rejection]) -> tuple[list[Entry], list[Rejection]]:
    """Append the images to an .npy file as they come; while the channels are open, with three."""
    side, channels = plan.settings.side, plan.channels or 3
    entries: list[Entry] = []
    rejected = list(plan.problems)
    with path.open("wb") as file:
        _write_header(file, (0, side, side, channels))
        for result in results:
            if isinstance(result, Rejection):
                rejected.append(result)
                continue
            pixels = result.pixels
            assert pixels is not None
            file.write((pixels if pixels.shape[2] == channels else pixels.repeat(channels, axis=2)).tobytes())
            entries.append(result.entry)
        file.seek(0)
        _write_header(file, (len(entries), side, side, channels))
    return entries, rejected


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """The header of a uint8 .npy file. NumPy leaves room in it for the first number to grow, so its length is fixed."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _keep_first_channel(path: Path) -> None:
    """Rewrite an .npy file of grey RGB images (N, S, S, 3) as (N, S, S, 1), some rows at a time."""
    images: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        _write_header(file, (*images.shape[:3], 1))
        for start in range(0, len(images), 256):
            file.write(images[start : start + 256, ..., :1].tobytes())
    del images
    part.replace(path)


def _labels(entries: Sequence[Entry], plan: Plan) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Label numbers (N,) and their names; None if fewer than two classes have a usable image."""
    found = [entry.label for entry in entries if entry.label is not None]
    names = plan.class_names or class_names(found)
    if len(found) < len(entries) or len(names) < 2:
        return None, ()
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[label] for label in found], np.int64), names


def _meta(
    plan: Plan,
    entries: Sequence[Entry],
    rejected: Sequence[Rejection],
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    names: tuple[str, ...],
) -> dict[str, Any]:
    _, size, _, channels = pixels.shape
    classes = Counter(entry.label for entry in entries) if names else Counter()
    return {
        "format": FORMAT,
        "digest": _digest(pixels, labels),
        "spec": ImageSpec(size=size, channels=channels, classes=len(names)).model_dump(),
        "counts": {
            "images": len(entries),
            "rejected": len(rejected),
            "enlarged": sum(entry.enlarged for entry in entries),
            "grey": sum(entry.grey for entry in entries),
            "passed_over": dict(plan.passed_over),
            "classes": {name: classes[name] for name in names},
        },
        "class_names": names,
        "converted": conversions(entries, channels),
        "advice": advice(entries, len(rejected), size, channels),
        "settings": plan.settings.model_dump(),
        "sources": [source.model_dump(mode="json") for source in plan.sources],
        "fingerprint": plan.fingerprint,
        "key": plan.key,
        "versions": {
            "steadygan": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pillow": PIL.__version__,
        },
    }


def _digest(pixels: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> str:
    """SHA-256 over the form, the pixels and the labels."""
    digest = hashlib.sha256(f"{pixels.shape} {labels is not None}".encode())
    for start in range(0, len(pixels), 256):
        digest.update(pixels[start : start + 256].tobytes())
    if labels is not None:
        digest.update(labels.astype("<i8").tobytes())
    return digest.hexdigest()


def _write_lines(path: Path, lines: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def _too_few(plan: Plan, number: int, rejected: Sequence[Rejection]) -> DataError:
    where = ", ".join(str(getattr(source, "path", source)) for source in plan.sources)
    reasons = "; ".join(f"{it.file} {it.reason}" for it in rejected[:3])
    why = f": {len(rejected)} files were rejected, the first because: {reasons}" if rejected else ""
    if number == 0:
        return DataError(f"no usable image in {where}{why}")
    return DataError(f"a set needs at least 2 images, {where} has 1 that can be used{why or '; add more'}")
