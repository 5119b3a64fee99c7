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
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import FileLock

from steadygan.data.sources.items import version_of
from steadygan.errors import StorageError
from steadygan.names import exact
from steadygan.places import cache_folder
from steadygan.rundir import atomic_path, storage_errors

Opener = Callable[[Path], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]

_OPENERS: Mapping[bytes, Opener] = {b"\x1f\x8b": gzip.GzipFile, b"BZh": bz2.BZ2File, b"\xfd7zXZ\x00": lzma.LZMAFile}
_CHUNK = 2**20
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError)
_LOCK = ".lock"
_HELD: dict[Path, list[IO[bytes]]] = {}


@dataclass(frozen=True)
class Unpacked:
    """An unpacked file, and what was wrong with the packed one if not all of it could be unpacked."""

    path: Path
    problem: str = ""


def unpacked(path: Path) -> Unpacked:
    """What a packed file holds, as a file; a file that is not packed is given back as it is.

    Of a damaged file all is unpacked that can be. Raises StorageError if the disk is full.
    """
    with path.open("rb") as file:
        start = file.read(8)
    opener = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)
    if opener is None:
        return Unpacked(path)
    identity = hashlib.sha256(exact(f"{path.resolve()} {version_of(path)}")).hexdigest()[:24]
    place = cache_folder() / "unpacked" / identity
    note = place.with_name(f"{identity}.problem")
    if not (place in _HELD and place.exists()):
        try:
            with storage_errors(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(place.parent / _LOCK):
                    _remove_unused(place.parent)
                    if not place.exists():
                        with atomic_path(place) as part:
                            if problem := _unpack(opener, path, part):
                                note.write_text(problem, encoding="utf-8")
                    _hold(place, note)
        except StorageError as problem:
            raise StorageError(
                f"{path} has to be unpacked to be read: {problem} "
                "(the variable STEADYGAN_CACHE names another folder for it)"
            ) from problem
    return Unpacked(place, note.read_text(encoding="utf-8") if note.exists() else "")


def _unpack(opener: Opener, path: Path, part: Path) -> str:
    """Write all that can be unpacked, and say what stopped it."""
    with opener(path) as packed, part.open("wb") as file:
        while True:
            try:
                data = packed.read1(_CHUNK)  # `read` would lose what came before the damage
            except _BROKEN as problem:
                return "is cut short" if isinstance(problem, EOFError) else f"is damaged ({problem})"
            if not data:
                return ""
            file.write(data)


def _hold(place: Path, note: Path) -> None:
    """Keep an unpacked file from being removed as long as this process lives."""
    _HELD[place] = [file.open("rb") for file in (place, note) if file.exists()]
    for file in _HELD[place]:
        fcntl.flock(file, fcntl.LOCK_SH)
    atexit.register(_release, place, os.getpid())


def _release(place: Path, process: int) -> None:
    """Let go of an unpacked file at the end of the process that took it; the last one removes it."""
    if os.getpid() == process:
        for file in _HELD.pop(place, ()):
            file.close()
        with suppress(OSError), FileLock(place.parent / _LOCK, timeout=0):
            _remove_unused(place.parent)


def _remove_unused(folder: Path) -> None:
    """Remove what no process holds; called with the lock of the folder, so nothing is being unpacked."""
    for file in folder.iterdir():
        if file.name != _LOCK:
            with suppress(OSError), file.open("rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.unlink()
