"""Files of any kind become one array of equal images."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from steadygan.claim import alone
from steadygan.data.dataset import Dataset, open_dataset, read_meta
from steadygan.data.describe import describe
from steadygan.data.earlier import TASKS, Earlier
from steadygan.data.growing import JOURNAL, Growing
from steadygan.data.health import examine
from steadygan.data.plan import Plan, make_plan
from steadygan.data.pool import Pool, cores
from steadygan.data.scale import bring_to_one_scale
from steadygan.data.settings import READING, PrepareSettings, Tiles
from steadygan.data.sources.items import Rejection
from steadygan.data.sources.labels import class_names
from steadygan.data.sources.opening import AnyFiles, AnySource, open_source
from steadygan.data.split import hold_out
from steadygan.data.work import Entry, ImageTask, Result, carried_out
from steadygan.errors import ConfigError, DataError, Interrupted, StorageError, os_errors
from steadygan.names import exact, spelled, to_json
from steadygan.rundir import storage_errors, sync_folder, through_links
from steadygan.visual.grid import save_picture
from steadygan.visual.points import picture

__all__ = ["prepare"]

Progress = Callable[[int, int], None]

_MONTAGE = 64

GREY = "grey.npy"
"""Where the images of a grey set wait until the journal is gone."""


@os_errors()
def prepare(
    sources: str | Path | AnySource | Sequence[str | Path | AnySource],
    out: str | Path,
    settings: PrepareSettings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read, check and fit all images of the sources into a data set folder `out`.

    A source is a folder, an archive, a table, … as `open_source` takes it, or what that returned.

    The result does not depend on `workers`, the number of processes: None is one per core, 0 does all work in
    this process. `progress` is called with (done, total) files. What cannot be used is listed in `rejected.jsonl`.
    A data set made from the same files and settings is reused; if files were added, changed or removed since, the
    others are taken from it. What a killed or interrupted call has done, the next one goes on from.
    Raises DataError if fewer than two images can be used, ConfigError if `out` is something else or in use,
    StorageError if the disk is full, Interrupted at Ctrl-C.
    """
    several = sources if isinstance(sources, Sequence) and not isinstance(sources, str) else [sources]
    opened = [open_source(source) if isinstance(source, str | Path) else source for source in several]
    out = Path(out)
    with storage_errors(out):
        out = through_links(out)
        fresh = not out.exists()
    with Pool[list[Result]](cores() if workers is None else workers, at_once=fresh) as pool:
        plan = make_plan(opened, settings or PrepareSettings(), workers=workers)
        if os.path.realpath(out) == os.path.realpath(os.curdir):
            raise ConfigError(f"{out} is the folder you are in; name a new one for the data set with -o")
        with storage_errors(out):
            if (there := _there(out, plan)) and is_current(there, plan):
                return there
            out.parent.mkdir(parents=True, exist_ok=True)
            with alone(making(out), f"preparing {out}", "wait for it, or choose another folder with -o"):
                return carry_out(plan, out, pool, progress)


def carry_out(
    plan: Plan,
    out: Path,
    pool: Pool[list[Result]],
    progress: Progress | None = None,
    earlier: Dataset | None = None,
) -> Dataset:
    """Make the data set that `plan` describes, or open it if it is there; `earlier` is another to take images from.

    To be called by whoever holds the lock `making(out)`.
    """
    with storage_errors(out):
        if _old(out).exists() and not out.exists():  # a killed process had put it aside for the next version
            _old(out).replace(out)
        there = _there(out, plan)
        if there and is_current(there, plan):
            return there
        part = out.with_name(f".{out.name}.part")
        if _meta(part).get("key") != plan.key:  # else a process was killed when it had but to give the set its name
            _check_space(out, plan, part)
            part.mkdir(parents=True, exist_ok=True)
            (part / "dataset.json").unlink(missing_ok=True)
            with _keeping(part):
                _fill(part, plan, _grow(part, plan, there or earlier, pool, progress), there or earlier)
        _put_in_place(part, out)
    return open_dataset(out)


@contextmanager
def _keeping(part: Path) -> Iterator[None]:
    """If the block fails, what was done stays in the folder for the next time, if there is any."""
    try:
        yield
    except (DataError, OSError):
        journal = part / JOURNAL
        if not journal.exists() or journal.read_bytes().count(b"\n") < 2:
            shutil.rmtree(part, ignore_errors=True)
        raise
    except KeyboardInterrupt as stop:
        raise Interrupted("preparing was interrupted; the same command goes on where it stopped") from stop


def is_current(there: Dataset, plan: Plan) -> bool:
    """Whether a set holds what the plan would make, and no file is missing that may be readable now."""
    return there.meta.get("key") == plan.key and not there.meta["counts"].get("try_again")


def _meta(folder: Path) -> dict[str, Any]:
    """`dataset.json` of a folder, empty if it is no whole set."""
    with suppress(DataError):
        return read_meta(folder)
    return {}


def _there(out: Path, plan: Plan) -> Dataset | None:
    """The data set at `out` if this plan made it or may bring it up to date; ConfigError for anything else there."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    meta = _meta(out)
    if meta.get("origin") == plan.origin:
        return open_dataset(out)
    what = _difference(meta.get("settings"), plan) or "something else"
    raise ConfigError(f"{out} exists and holds {what}; choose another folder with -o, or delete it first")


def _difference(settings: object, plan: Plan) -> str:
    """How a set there was made otherwise, if it is one and that is the difference."""
    if not isinstance(settings, dict):
        return ""
    now = plan.settings.model_dump(mode="json")
    changed = [
        f"{name} {settings[name]}, now {now[name]}" for name in now if settings.get(name, now[name]) != now[name]
    ]
    return f"a set made otherwise ({'; '.join(changed)})" if changed else "a set made from other sources"


def _check_space(out: Path, plan: Plan, part: Path) -> None:
    """Refuse before an hour of work what cannot be stored."""
    needed = sum(task.weight for task in plan.tasks) * plan.settings.side**2 * (plan.channels or 3)
    if (part / "images.npy").exists():
        needed -= (part / "images.npy").stat().st_size
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"{out} needs {needed / 1e6:,.1f} MB and the disk has {free / 1e6:,.1f} MB free; "
            "choose another disk or a smaller --size"
        )


def making(out: Path) -> Path:
    """The lock of whoever makes the set; a killed process leaves the file, and does not hold it."""
    return out.with_name(f".{out.name}.making")


def _old(out: Path) -> Path:
    return out.with_name(f".{out.name}.old")


def _put_in_place(part: Path, out: Path) -> None:
    """Give a complete set its name; the one that has it goes."""
    for file in part.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
    if (part / GREY).exists():
        (part / GREY).replace(part / "images.npy")
    (part / JOURNAL).unlink(missing_ok=True)
    sync_folder(part)
    shutil.rmtree(_old(out), ignore_errors=True)
    if out.exists():
        out.replace(_old(out))
    part.replace(out)
    shutil.rmtree(_old(out), ignore_errors=True)
    sync_folder(out.parent)


def _grow(
    folder: Path, plan: Plan, before: Dataset | None, pool: Pool[list[Result]], progress: Progress | None
) -> Growing:
    """Carry out all tasks but those that an interrupted process has, with what can be taken from `before`."""
    earlier = None
    if before and before.meta.get("reading") == READING:
        with suppress(DataError):  # its records are damaged: all is done anew
            earlier = Earlier.of(before, same_source=before.meta["origin"] == plan.origin)
    shape = (plan.settings.side, plan.settings.side, plan.channels or 3)
    identity = hashlib.sha256(exact("\n".join([plan.key, *(task.key for task in plan.tasks)]))).hexdigest()
    with _opened(folder / "images.npy") as pixels, _opened(folder / JOURNAL) as journal:
        growing = Growing(pixels, journal, identity, shape, earlier, plan.settings.duplicates == "keep")
        rest: Iterable[ImageTask] = plan.tasks[len(growing.carried) :]
        for group in carried_out(earlier.spare(rest) if earlier else rest, plan.settings.side, pool):
            for task, results in group:
                growing.add(task, results)
            growing.flush()
            if progress:
                progress(len(growing.carried), len(plan.tasks))
        bring_to_one_scale(growing, plan.tasks, plan.settings.side, pool)
        growing.finish()
    return growing


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read and write, with what it holds."""
    path.touch()
    file = path.open("r+b")
    try:
        yield file
    finally:
        with suppress(OSError):  # the disk may be full: what counts was flushed
            file.close()


def _fill(folder: Path, plan: Plan, growing: Growing, before: Dataset | None) -> None:
    """Write all other files of the data set."""
    entries, rejected = growing.entries, [*plan.problems, *growing.rejected]
    if len(entries) < 2:
        shutil.rmtree(folder)
        raise _too_few(plan, len(entries), rejected)
    pixels: NDArray[np.uint8] = np.load(folder / "images.npy", mmap_mode="r")
    if not plan.channels and choose_channels(entries) == 1:
        np.save(folder / GREY, pixels[..., :1])  # the other stays as it is while the journal beside it speaks of it
        pixels = np.load(folder / GREY, mmap_mode="r")
    labels, names = _labels(entries, plan)
    if labels is not None:
        np.save(folder / "labels.npy", labels)
    digests = [entry.digest for entry in entries]
    health = examine(pixels, entries)
    families = [*_families(growing, plan.settings.tiles), *health.families]
    said = {entry.digest for entry in entries if entry.attributes.get("held_out") == 1}  # as `save_images` writes it
    fakes = [index for index, entry in enumerate(entries) if entry.attributes.get("generated") == 1]
    held_out = hold_out(digests, families, plan.settings.held_out, said | _held_before(before), fakes)
    np.save(folder / "held_out.npy", held_out)
    _write_lines(folder / "index.jsonl", (to_json(entry, exclude_defaults=True) for entry in entries))
    _write_lines(folder / "rejected.jsonl", (_spelled(it.record()) for it in rejected))
    _write_lines(folder / TASKS, map(_spelled, growing.carried))
    shown = np.linspace(0, len(pixels) - 1, min(_MONTAGE, len(pixels))).astype(int)
    save_picture(picture(pixels[shown]), folder / "montage.png")
    meta = describe(plan, growing, rejected, pixels, labels, names, held_out, health)
    # last: with it the set is finished
    _write_lines(folder / "dataset.json", [_spelled(meta, indent=1)])


def choose_channels(entries: Sequence[Entry]) -> int:
    """Channels of a set that has no fixed number: 1 if every single picture is grey, else 3.

    One coloured picture is enough for 3, because grey fits into colour without loss and not the reverse.
    A picture stored in colour counts as grey if its channels are equal everywhere.
    """
    return 1 if all(entry.grey for entry in entries) else 3


def _labels(entries: Sequence[Entry], plan: Plan) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Label numbers (N,) and their names; None if fewer than two classes have a usable image."""
    found = [entry.label for entry in entries if entry.label is not None]
    names = plan.class_names or class_names(found)
    if len(found) < len(entries) or len(names) < 2:
        return None, ()
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[label] for label in found], np.int64), names


def _families(growing: Growing, tiles: Tiles | None) -> Iterator[Sequence[int]]:
    """Images that must not be parted: crops and frames of one file, overlapping tiles of one image.

    Tiles that only touch share no pixel, and may be parted.
    """
    if tiles is None:
        start = 0
        for task in growing.carried:
            if task.images > 1:
                yield range(start, start + task.images)
            start += task.images
    elif tiles.step < tiles.side:
        scenes: dict[str, list[int]] = {}
        for index, entry in enumerate(growing.entries):
            scenes.setdefault(entry.file.rpartition("/")[0], []).append(index)
        yield from scenes.values()


def _held_before(before: Dataset | None) -> set[str]:
    with suppress(DataError, IndexError):  # damaged, or just removed by another process
        entries = before.entries() if before else []
        return {entries[index].digest for index in (before.held_out if before else ())}
    return set()


def _spelled(record: object, indent: int | None = None) -> str:
    return spelled(json.dumps(record, indent=indent, ensure_ascii=False))


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def _too_few(plan: Plan, number: int, rejected: Sequence[Rejection]) -> DataError:
    where = ", ".join(source.where if isinstance(source, AnyFiles) else source.kind for source in plan.sources)
    reasons = "; ".join(f"{it.file} {it.reason}" for it in rejected[:3])
    many = f"{len(rejected)} files were rejected, the first" if len(rejected) > 1 else "1 file was rejected,"
    why = f": {many} because: {reasons}" if rejected else ""
    if number == 0:
        return DataError(f"no usable image in {where}{why}")
    return DataError(f"a set needs at least 2 images, {where} has 1 that can be used{why or '; add more'}")
