"""The run folder: the name of every file in it, and how files are written so that none is ever half there."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import lock_descriptor

from steadygan.errors import DataError, StorageError, reason

_STEM = "images-"
_LINKS = 40  # as many as Linux follows
_LONG_NAME = 240  # bytes; systems allow 255, and a temporary name is longer


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an OSError in the work on `path` into one line that says what to do, and names another file if it is one."""
    try:
        yield
    except OSError as problem:
        named = problem.filename
        other = isinstance(named, str | bytes) and not _belongs(Path(os.fsdecode(named)).absolute(), path.absolute())
        where = f"{os.fsdecode(named)}: " if other else ""
        raise StorageError(f"cannot write {path}: {where}{reason(problem)}") from problem


def _belongs(named: Path, path: Path) -> bool:
    """Whether a file is `path`, lies in it or above it, or waits beside it to take its name."""
    if path.is_relative_to(named):
        return True
    return named.is_relative_to(path.parent) and path.stem in named.relative_to(path.parent).parts[0]


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def through_links(path: Path) -> Path:
    """What an output is written to: `path`, or what its symbolic links lead to, be it there or not.

    Raises OSError if they lead in a circle.
    """
    for _ in range(_LINKS):
        if not path.is_symlink() or _descriptor(path) is not None:
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def _descriptor(path: Path) -> int | None:
    """The number of an open file of this process, where `path` means one: /dev/stdout leads to /proc/self/fd/1."""
    folder = os.path.realpath(path.parent)
    ours = folder == "/dev/fd" or re.fullmatch(rf"/proc/{os.getpid()}(/task/\d+)?/fd", folder)
    return int(path.name) if ours and path.name.isdigit() else None


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary file to write instead of `path`; it takes the name of `path` when the block ends well.

    The temporary name keeps the suffix of `path`, so that image writers recognise their format. What is there stays
    what it is: links are followed, a file keeps its owner and permissions, and what is no ordinary file (a device, a
    pipe, /dev/stdout) gets the bytes written into it. A name that is one of several of a file (a hard link) is parted
    from them, as copies that share what did not change need it.
    """
    with storage_errors(path):
        target = through_links(path)
        way = _replacing if _replaceable(target) else _writing_into
        with way(target, path.suffix) as part:
            yield part


def check_output(path: Path) -> None:
    """Refuse before the work, with a StorageError, a file that could not be written after it."""
    with storage_errors(path):
        target = through_links(path)
        _replaceable(target)
        folder = next(folder for folder in (target, *target.absolute().parents) if folder.exists())
        if folder != target and not os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _replaceable(target: Path) -> bool:
    """Whether a new file may take the name: nothing is there, or a file whose owner and folder allow it."""
    try:
        there = target.stat()
    except FileNotFoundError:
        return _descriptor(target) is None
    if stat.S_ISREG(there.st_mode) or stat.S_ISDIR(there.st_mode):
        os.close(os.open(target, os.O_WRONLY))  # a folder, or no permission, is told before the work
    effective = os.access in os.supports_effective_ids
    mine = not hasattr(os, "geteuid") or os.geteuid() in (0, there.st_uid)
    movable = mine and os.access(target.parent, os.W_OK, effective_ids=effective)
    return stat.S_ISREG(there.st_mode) and movable and _descriptor(target) is None


@contextmanager
def _replacing(target: Path, suffix: str) -> Iterator[Path]:
    """A file beside `target` that takes its name, its owner and its permissions."""
    stem = target.stem if len(os.fsencode(target.name)) < _LONG_NAME else target.stem[:40]
    part = target.with_name(f".{stem}.part{suffix}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        with suppress(FileNotFoundError):
            there = target.stat()
            if hasattr(os, "chown"):
                with suppress(PermissionError):  # of a group that its owner has left
                    os.chown(part, there.st_uid, there.st_gid)
            part.chmod(stat.S_IMODE(there.st_mode))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(target.parent)


@contextmanager
def _writing_into(target: Path, suffix: str) -> Iterator[Path]:
    """A file elsewhere whose bytes go into `target` as it is; whoever reads there may leave."""
    with tempfile.TemporaryDirectory(prefix="steadygan-") as folder:
        part = Path(folder) / f"part{suffix}"
        yield part
        number = _descriptor(target)
        into = target if number is None else os.dup(number)
        with suppress(BrokenPipeError), part.open("rb") as made, open(into, "wb") as there:
            shutil.copyfileobj(made, there)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Write a whole file at once, as `atomic_path` does."""
    with atomic_path(path) as part:
        part.write_bytes(content.encode(errors="backslashreplace") if isinstance(content, str) else content)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that takes the name of `path` when the block ends well; an older folder there is replaced."""
    with storage_errors(path):
        path = through_links(path)
        part = path.with_name(f".{path.name}.part")
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


def append_line(path: Path, line: str, durable: bool = False) -> None:
    """Add a line in one write; a last line that a crash cut short is removed first.

    A `durable` one is on the disk before this returns.
    """
    with storage_errors(path), undisturbed(path), path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
        file.write(line.encode(errors="backslashreplace") + b"\n")
        if durable:
            file.flush()
            os.fsync(file.fileno())


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
    def signals(self) -> Path:
        return self.path / "signals.jsonl"

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

    def nearest_by(self, features: str) -> Path:
        """Where `evaluate` draws by features of this kind."""
        return self.nearest if features == "scattering" else self.path / f"nearest-{features}.png"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    def told(self, tool: str) -> Path:
        """What another program that shows runs was told of this one."""
        return self.path / f"{tool}.json"

    @property
    def turing(self) -> Path:
        return self.path / "turing"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

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
        found = (file for file in self.samples.glob("*.png") if file.stem.isdecimal())
        return sorted(found, key=lambda file: int(file.stem))

    def checkpoint(self, images: int) -> Path:
        """Folder of the checkpoint after `images` images."""
        return self.checkpoints / f"{_STEM}{images:09d}"

    def all_checkpoints(self) -> list[Path]:
        """Folders of complete checkpoints, oldest first."""
        found = (meta.parent for meta in self.checkpoints.glob(f"{_STEM}*/meta.json"))
        return sorted((one for one in found if one.name.removeprefix(_STEM).isdecimal()), key=checkpoint_images)

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
