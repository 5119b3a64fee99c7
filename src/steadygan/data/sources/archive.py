"""Image files in an archive, read in place."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict

from steadygan.data.sources.items import Found, Item, passed_over, skipped
from steadygan.errors import DataError


class Zip(BaseModel):
    """A zip archive, read in place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["zip"] = "zip"
    path: Path

    @property
    def name(self) -> str:
        """What the source is called among others."""
        return self.path.resolve().name.removesuffix(".zip") or "images"

    def entries(self) -> Iterator[Found]:
        """Image files, and the kind of each file passed over, in any order."""
        return members(self.path)


def members(path: Path) -> Iterator[Found]:
    """Everything in a zip archive; of two members with the same name the later, as for every unpacker."""
    infos = {info.filename: info for info in _archive(path).infolist() if not info.is_dir()}
    for member, info in infos.items():
        name = member.replace("\\", "/").lstrip("/")
        reader = partial(_open_member, path, member)
        kind = next(filter(None, map(skipped, name.split("/"))), None) or passed_over(name, reader)
        yield kind or Item(name, info.file_size, info.CRC, reader)


def _open_member(path: Path, member: str) -> IO[bytes]:
    return _archive(path).open(member)


def _archive(path: Path) -> zipfile.ZipFile:
    status = path.stat()
    return _opened(path, (status.st_size, status.st_mtime_ns), os.getpid())


@lru_cache(maxsize=8)
def _opened(path: Path, version: tuple[int, int], process: int) -> zipfile.ZipFile:
    """The archive, opened once per version and process: two processes must not share its position in the file."""
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError) as problem:
        raise DataError(f"{path} cannot be read as a .zip: {problem}; download or pack it again") from problem
