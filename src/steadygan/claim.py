"""One writer a folder: who holds it, and how a new one is claimed.

The sign is a lock of the system on a file, not the file itself, so that it ends with its process, however that ends.
Neither programs that the holder starts nor its forks inherit it.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout, lock_descriptor

from steadygan.errors import ConfigError, StorageError
from steadygan.rundir import storage_errors, through_links

LOCK = ".steadygan.lock"
"""The file in a run folder that its writer holds; it is there as long as something writes, or was killed."""

Say = Callable[[str], None]

_GRACE = 0.1  # seconds, for a holder that is leaving, or has just come and not yet said who it is
_LONGEST_SIGN = 300  # bytes of a process and a machine
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}  # some network file systems


def first_process() -> bool:
    """Whether this is the only process of a run, or of several that torchrun started the one that writes."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def alone(lock: Path, doing: str, way_out: str, wait: Say | None = None) -> Iterator[None]:
    """Keep every other process that asks for the same lock out while the block lasts; its folder must be there.

    Whoever comes second is refused with a ConfigError that names the first and the `way_out`, or, with `wait`, says
    so and waits. Where files cannot be locked that is said, and the block runs all the same.
    """
    held = FileLock(lock, timeout=_GRACE, fallback_to_soft=False, on_acquired=_sign, poll_interval=0.02)
    try:
        held.acquire()
    except Timeout:
        if wait is None:
            raise ConfigError(f"{_holder(lock, doing)}; {way_out}") from None
        wait(f"{_holder(lock, doing)}; waiting for it")
        held.acquire(timeout=-1)
    except OSError as problem:
        if problem.errno not in _NO_LOCKS:
            with storage_errors(lock.parent):
                raise
        text = f"{lock.parent} lies where files cannot be locked; see to it that no other process writes there\n"
        with suppress(OSError):
            sys.stderr.write(text)
    try:
        yield
    finally:
        with suppress(OSError):  # whoever has opened it meanwhile notices; on Windows it goes with the release
            lock.unlink()
        held.release()


def _sign(descriptor: int) -> None:
    """Write into the lock who holds it, after a first byte, which Windows lets nobody else read."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f" {os.getpid()} {platform.node()}".encode())


def _holder(lock: Path, doing: str) -> str:
    """Who does it, as the beginning of a sentence."""
    pid, host = _signed(lock)
    here = host == platform.node()
    if here and pid == str(os.getpid()):
        return f"this process is already {doing}"
    named = f" (process {pid}{'' if here else f' on {host}'})" if pid else ""
    return f"another process is {doing}{named}"


def _signed(lock: Path) -> tuple[str, str]:
    """Process and machine that a lock names."""
    pid = host = ""
    with suppress(OSError), lock.open("rb", buffering=0) as file:
        file.seek(1)
        pid, _, host = file.read(_LONGEST_SIGN).decode(errors="replace").partition(" ")
    return pid, host


class Holder(NamedTuple):
    """Who writes into a run folder. `pid` is that process, None if it is of another machine or cannot be told."""

    pid: int | None
    host: str


def holder(folder: Path) -> Holder | None:
    """Who writes into a run folder; None if nobody does, though somebody who was killed may have left the lock.

    What stands in the lock is not believed: a process is named only if it is there and has this very file open.
    """
    lock = folder / LOCK
    try:
        with lock.open("rb") as file:
            if lock_descriptor(file.fileno(), blocking=False):  # and so nobody's; closing gives it back
                return None
    except OSError as problem:
        return Holder(None, "") if problem.errno in _NO_LOCKS else None
    pid, host = _signed(lock)
    here = host == platform.node() and pid.isdecimal() and _has_open(int(pid[:9]), lock)
    return Holder(int(pid[:9]) if here else None, host)


def _has_open(pid: int, file: Path) -> bool:
    import psutil

    try:
        opened = psutil.Process(pid).open_files()
    except (psutil.Error, OSError):
        return False
    with suppress(OSError):
        return any(os.path.samefile(one.path, file) for one in opened if os.path.exists(one.path))
    return False


def writer(folder: Path) -> AbstractContextManager[None]:
    """Be the one who writes into a run folder while the block lasts; ConfigError that names another who does."""
    if not first_process():
        return nullcontext()
    return alone(folder / LOCK, f"training {folder}", "wait for it, or stop it, and it saves its state")


@contextmanager
def claimed(folder: Path, source: str) -> Iterator[None]:
    """Make a new or empty folder that of a run while the block lasts; if nothing is written into it, it goes again.

    Raises ConfigError if there is something in it or another process has it, StorageError if it cannot be made.
    """
    if not first_process():
        yield
        return
    check_folder(folder, source)
    with _held(folder, _make(folder)):
        yield


@contextmanager
def claimed_next(stem: Path, source: str) -> Iterator[Path]:
    """As `claimed`, the first of STEM-01, STEM-02, … that is not there; of several processes each gets another."""
    for number in count(1):
        folder = stem.with_name(f"{stem.name}-{number:02d}")
        if os.path.lexists(folder):
            continue
        if not first_process():  # which will be told
            yield folder
            return
        check_folder(folder, source)
        made = _make(folder)
        if folder in made:
            with _held(folder, made):
                yield folder
            return


def check_folder(folder: Path, source: str) -> None:
    """Refuse to write a run where there is something, or among the images it is trained on."""
    if any(parent.is_file() for parent in folder.parents):
        raise StorageError(f"{folder}: a part of the path is a file, not a folder; choose another folder with -o")
    if folder.exists() and not (folder.is_dir() and (folder / LOCK).exists()):  # a lock tells who is there
        _refuse_used(folder)
    if Path(source).is_dir() and Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(source)):
        raise ConfigError(f"{folder} lies inside {source}, whose images are trained on; choose another folder with -o")


def _refuse_used(folder: Path) -> None:
    if not folder.is_dir() or any(entry.name != LOCK for entry in folder.iterdir()):
        raise ConfigError(
            f"{folder} exists; continue it with `steadygan resume {folder}` or choose another folder with -o"
        )


def _make(folder: Path) -> list[Path]:
    """Make a folder; returns what was not there, innermost first, without it if another process was faster."""
    with storage_errors(folder):
        folder = through_links(folder)
        made = [parent for parent in folder.parents if not parent.exists()]
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            folder.mkdir()
            made.insert(0, folder)
    return made


@contextmanager
def _held(folder: Path, made: list[Path]) -> Iterator[None]:
    """Hold a folder, and take away at the end what of it is empty and was made for it."""
    try:
        with writer(folder):
            _refuse_used(folder)
            yield
    finally:
        for empty in made:
            with suppress(OSError):
                empty.rmdir()
