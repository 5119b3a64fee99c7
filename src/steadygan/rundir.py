"""The run folder: the name of every file in it, and how files are written so that none is ever half there."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import lock_descriptor

from steadygan.errors import DataError, StorageError

_STEM = "images-"


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an OSError on `path` into one line that says what to do."""
    try:
        yield
    except OSError as problem:
        raise StorageError(f"cannot write {path}: {_advice(problem)}") from problem


def _advice(problem: OSError) -> str:
    reasons = {
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "your disk quota is used up; free some space",
        errno.EFBIG: "the file would be larger than this system allows",
        errno.EACCES: "no permission; choose another folder with -o or change its permissions",
        errno.EPERM: "no permission; choose another folder with -o or change its permissions",
        errno.EROFS: "the file system is read-only; choose another folder with -o",
        errno.EEXIST: "a part of the path is a file, not a folder; choose another with -o",
        errno.ENOTDIR: "a part of the path is a file, not a folder; choose another with -o",
    }
    return reasons.get(problem.errno or 0, problem.strerror or str(problem))


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary file to write instead of `path`; it takes the name of `path` when the block ends well.

    The temporary name keeps the suffix of `path`, so that image writers recognise their format.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            with part.open("rb") as handle:
                os.fsync(handle.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(path.parent)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Write a whole file at once: temporary file, fsync, rename."""
    with atomic_path(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that takes the name of `path` when the block ends well; an older `path` is replaced."""
    part = path.with_name(f".{path.name}.part")
    with storage_errors(path):
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir(parents=True)
            yield part
            for file in part.rglob("*"):
                if file.is_file():
                    with file.open("rb") as handle:
                        os.fsync(handle.fileno())
            sync_folder(part)
            if path.exists():
                shutil.rmtree(path)
            part.replace(path)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        sync_folder(path.parent)


@contextmanager
def undisturbed(path: Path) -> Iterator[None]:
    """Let no other process add to a file of lines or rewrite it while the block lasts; there is a file afterwards.

    Windows, where an open file cannot be replaced, and file systems without locks go without.
    """
    while os.name == "posix":
        with path.open("ab") as file:
            with suppress(OSError):
                lock_descriptor(file.fileno(), poll_interval=0.005)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield
                return
    yield


def append_line(path: Path, line: str) -> None:
    """Add a line in one write; a last line that a crash cut short is removed first."""
    with storage_errors(path), undisturbed(path), path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
        file.write(line.encode() + b"\n")


@dataclass(frozen=True)
class RunDir:
    """Names of everything in a run folder. Holds a path and does no work."""

    path: Path

    @property
    def run_json(self) -> Path:
        return self.path / "run.json"

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def findings(self) -> Path:
        return self.path / "findings.jsonl"

    @property
    def scores(self) -> Path:
        return self.path / "scores.jsonl"

    @property
    def notes(self) -> Path:
        return self.path / "notes.jsonl"

    @property
    def inputs(self) -> Path:
        return self.path / "inputs.png"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def progress(self) -> Path:
        return self.path / "progress.gif"

    @property
    def curves(self) -> Path:
        return self.path / "curves.png"

    @property
    def nearest(self) -> Path:
        return self.path / "nearest.png"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def latest(self) -> Path:
        return self.checkpoints / "latest"

    @property
    def best(self) -> Path:
        return self.checkpoints / "best"

    def sample(self, images: int) -> Path:
        """Grid from the fixed latents after `images` images."""
        return self.samples / f"{images:09d}.png"

    def random_sample(self, images: int) -> Path:
        """Grid from fresh latents after `images` images."""
        return self.samples / f"random-{images:09d}.png"

    def fixed_samples(self) -> list[Path]:
        """Grids from the fixed latents, oldest first."""
        return sorted(file for file in self.samples.glob("*.png") if file.stem.isdigit())

    def checkpoint(self, images: int) -> Path:
        """Folder of the checkpoint after `images` images."""
        return self.checkpoints / f"{_STEM}{images:09d}"

    def all_checkpoints(self) -> list[Path]:
        """Folders of complete checkpoints, oldest first."""
        found = (meta.parent for meta in self.checkpoints.glob(f"{_STEM}*/meta.json"))
        return sorted(folder for folder in found if folder.name.removeprefix(_STEM).isdigit())

    def pointed(self, pointer: Path) -> Path:
        """The checkpoint that `latest` or `best` names; DataError if there is none."""
        try:
            name = pointer.read_text(encoding="utf-8", errors="replace").strip()
        except OSError as problem:
            raise DataError(f"{self.path} has no {pointer.name} checkpoint; is it the folder of a run?") from problem
        there = {folder.name: folder for folder in self.all_checkpoints()}
        if name not in there:
            names = ", ".join(there) or "none"
            raise DataError(f"{pointer} names '{name}', which is not there; write another into it, there are: {names}")
        return there[name]


def checkpoint_images(folder: Path) -> int:
    """Images seen at a checkpoint, read from its folder's name."""
    return int(folder.name.removeprefix(_STEM))
