"""Packed files (.gz, .bz2, .xz) unpacked once, so that any number of processes can read anywhere in them.

The unpacked file lies in the cache folder. Every process that uses it keeps a shared lock on it; the last one
to end removes it, and what killed processes left is removed by the next that unpacks something.
"""

from __future__ import annotations

import atexit
import bz2
import fcntl
import gzip
import hashlib
import lzma
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import FileLock

from steadygan.data.places import cache_folder
from steadygan.data.sources.items import version_of
from steadygan.errors import StorageError
from steadygan.names import exact
from steadygan.rundir import storage_errors

_CHUNK = 2**20
_OPENERS: tuple[tuple[bytes, Callable[[Path], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]], ...] = (
    (b"\x1f\x8b", gzip.GzipFile),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError)
_HELD: dict[Path, IO[bytes]] = {}


@dataclass(frozen=True)
class Unpacked:
    """An unpacked file, and what was wrong with the packed one if not all of it could be unpacked."""

    path: Path
    problem: str = ""


def is_packed(path: Path) -> bool:
    """Whether the first bytes of a file are those of gzip, bzip2 or xz."""
    with path.open("rb") as file:
        start = file.read(8)
    return any(start.startswith(magic) for magic, _ in _OPENERS)


def unpacked(path: Path) -> Unpacked:
    """What a packed file holds, as a file; a file that is not packed is given back as it is.

    Of a damaged file all is unpacked that can be. Raises StorageError if the disk is full.
    """
    if not is_packed(path):
        return Unpacked(path)
    place = _folder() / hashlib.sha256(exact(f"{path.resolve()} {version_of(path)}")).hexdigest()[:24]
    if not (place in _HELD and place.exists()):
        try:
            with storage_errors(place):
                _fetch(path, place)
        except StorageError as problem:
            raise StorageError(
                f"{path} has to be unpacked to be read: {problem} "
                "(the variable STEADYGAN_CACHE names another folder for it)"
            ) from problem
    return Unpacked(place, _note(place).read_text(encoding="utf-8") if _note(place).exists() else "")


def _folder() -> Path:
    return cache_folder() / "unpacked"


def _note(place: Path) -> Path:
    return place.with_name(f"{place.name}.problem")


def _fetch(path: Path, place: Path) -> None:
    """Take the unpacked file if another process has it, else make it. One process at a time does so."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.parent / ".lock"):
        _sweep(place.parent)
        if _take(place):
            return
        _note(place).unlink(missing_ok=True)
        part = place.with_name(f"{place.name}.part")
        try:
            if problem := _unpack(path, part):
                _note(place).write_text(problem, encoding="utf-8")
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
        _take(place)


def _unpack(path: Path, part: Path) -> str:
    """Write all that can be unpacked, and say what stopped it."""
    with path.open("rb") as file:
        start = file.read(8)
    opener = next(opener for magic, opener in _OPENERS if start.startswith(magic))
    with opener(path) as packed, part.open("wb") as file:
        while True:
            try:
                data = packed.read1(_CHUNK)  # `read` would lose what came before the damage
            except _BROKEN as problem:
                return "is cut short" if isinstance(problem, EOFError) else f"is damaged ({problem})"
            if not data:
                return ""
            file.write(data)


def _take(place: Path) -> bool:
    """Lock the unpacked file against removal; False if there is none, or if it was removed just now."""
    try:
        file = place.open("rb")
    except FileNotFoundError:
        return False
    fcntl.flock(file, fcntl.LOCK_SH)
    if not os.fstat(file.fileno()).st_nlink:
        file.close()
        return False
    _HELD[place] = file
    atexit.register(_release, place, os.getpid())
    return True


def _release(place: Path, process: int) -> None:
    """Let go of an unpacked file at the end of the process that took it; the last one removes it."""
    if os.getpid() == process and (file := _HELD.pop(place, None)):
        _remove_unused(place, file)


def _remove_unused(place: Path, file: IO[bytes]) -> None:
    with suppress(OSError), file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _note(place).unlink(missing_ok=True)
        place.unlink()


def _sweep(folder: Path) -> None:
    """Remove what killed processes left; called with the lock of the folder, so nothing is being unpacked."""
    for file in folder.glob("*.part"):
        file.unlink(missing_ok=True)
    for place in folder.iterdir():
        if place.suffix or place.name.startswith("."):
            continue
        with suppress(OSError):
            _remove_unused(place, place.open("rb"))
