"""Finding image files below a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from steadygan.data.sources.annotations import Notes, Raw, annotated, is_notes
from steadygan.data.sources.idx import idx_in_folder, is_idx
from steadygan.data.sources.items import Found, Item, PathSource, Rejection, open_file, passed_over, skipped, under
from steadygan.errors import DataError, StorageError

_OWN_FOLDERS = (frozenset({"dataset.json", "images.npy"}), frozenset({"run.json", "log.jsonl"}))


class Folder(PathSource):
    """A folder and everything below it; hidden files and folders that steadygan wrote are passed over.

    The pictures of idx files count as images. What `dataset.json` and `metadata.csv` say is used (see `annotated`).
    """

    kind: Literal["folder"] = "folder"

    def entries(self) -> Iterator[Found]:
        """Image files, folders that cannot be read, and the kind of each file passed over, in any order."""
        return annotated(walk(self.path))


def beside(folder: Path, what: str) -> Iterator[Found]:
    """Everything in a folder of which not the pictures are used, but others in `what`: each picture is left out."""
    why = f"left out: beside {what} that hold more pictures; give its folder by itself to use it"
    for entry in Folder(path=folder).entries():
        yield Rejection(entry.name, why, left_out=True) if isinstance(entry, Item) else entry


def is_own(names: Iterable[str]) -> bool:
    """Whether a folder with these names in it is a data set or a run of steadygan: its pictures are no inputs."""
    found = set(names)
    return any(own <= found for own in _OWN_FOLDERS)


def walk(root: Path) -> Iterator[Raw]:
    """Everything below `root`. Links to folders are followed after all others, and no folder is read twice."""
    above = {_identity(str(folder)) for folder in Path(os.path.realpath(root)).parents}
    seen: set[tuple[int, int]] = set()
    waiting, links = [str(root)], list[str]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        try:
            identity = _identity(folder)
            if identity in seen or identity in above:
                yield "folder linked twice"
                continue
            seen.add(identity)
            entries = sorted(os.scandir(folder), key=lambda entry: (not is_notes(entry.name), entry.name))
        except OSError as problem:
            yield Rejection(_relative(folder, root), f"is a folder that cannot be read ({problem.strerror})")
            continue
        if is_own(entry.name for entry in entries):
            yield "folder made by steadygan"
            continue
        for entry in entries:
            if reason := skipped(entry.name):
                yield reason
            elif _is_folder(entry):
                (links if entry.is_symlink() else waiting).append(entry.path)
            else:
                yield from _files(entry, _relative(entry.path, root))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is or leads to a folder; a link that leads to itself does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _files(entry: os.DirEntry[str], name: str) -> Iterator[Raw]:
    """What one file of a folder is: mostly one image, of an idx file all in it."""
    try:
        status = entry.stat()
    except OSError as problem:
        yield Rejection(name, f"cannot be read ({problem.strerror})")
        return
    reader = partial(open_file, entry.path)
    if not stat.S_ISREG(status.st_mode):
        yield "not an ordinary file"
    elif is_notes(name):
        yield Notes(name, reader)
    elif is_idx(entry.name):
        try:
            yield from under(name.rpartition("/")[0], idx_in_folder(Path(entry.path)))
        except StorageError:
            raise
        except (DataError, OSError) as problem:
            yield Rejection(name, f"gives no pictures: {problem}")
    else:
        yield passed_over(name, reader) or Item(name, status.st_size, status.st_mtime_ns, reader)


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _relative(path: str, root: Path) -> str:
    """Path below `root` with `/`."""
    return path[len(str(root)) :].replace(os.sep, "/").lstrip("/") or "."
