"""A part of a file, read as if it were a file of its own."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO

from steadygan.data.sources.items import Version, version_of
from steadygan.errors import DataError

_CHUNK = 2**20


class Window(io.RawIOBase):
    """`size` bytes of an open file from `start` on; closing it closes the file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the beginning")
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        self._file.seek(self._start + self._at)
        data = self._file.read(wanted)
        self._at += len(data)
        return data

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # RawIOBase says Buffer
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def open_window(path: Path, version: Version, start: int, size: int) -> IO[bytes]:
    """`size` bytes of a file from `start` on; DataError if the file is not the one of that version any more."""
    check_version(path, version)
    return io.BufferedReader(Window(path.open("rb", buffering=0), start, size), _CHUNK if size > _CHUNK else 8192)


def check_version(path: Path, version: Version) -> None:
    """Raise DataError if a file was written anew since its version was noted."""
    if version_of(path) != version:
        raise DataError(f"{path} was changed while it was read; start again")
