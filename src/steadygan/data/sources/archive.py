"""Image files in an archive, read in place."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Literal, NamedTuple

from steadygan.data.sources.annotations import Notes, Raw, annotated, is_notes, said_beside
from steadygan.data.sources.items import (
    Found,
    Item,
    PathSource,
    Rejection,
    Version,
    check_version,
    passed_over,
    skipped,
    tidy,
    version_of,
)
from steadygan.data.sources.unpacked import unpacked
from steadygan.errors import DataError

_ENCRYPTED, _UTF8 = 1, 2**11
_AGAIN = "get the archive again"


class _Member(NamedTuple):
    """A file in an archive: `look` opens it to see its beginning, `open` to read it; `found` is why it is not used."""

    size: int
    stamp: int
    look: Callable[[], IO[bytes]]
    open: Callable[[], IO[bytes]]
    found: Rejection | str | None


class _Archive(PathSource, ABC):
    """An archive; a `metadata.csv` or `.jsonl` beside it may say what is in its pictures."""

    def entries(self) -> Iterator[Found]:
        """Image files, what cannot be read, and the kind of each file passed over, in any order."""
        return said_beside(self.path, annotated(self._raw()))

    def _raw(self) -> Iterator[Raw]:
        """Everything in it, notes first; of two members with the same name the later, as for every unpacker."""
        members, damage = self._members()
        for name in sorted(members, key=is_notes, reverse=True):
            size, stamp, look, whole, found = members[name]
            if reason := next(filter(None, map(skipped, name.split("/"))), found):
                yield reason
            elif is_notes(name):
                yield Notes(name, look)
            else:
                yield passed_over(name, look) or Item(name, size, stamp, whole)
        if damage:
            yield Rejection(self.path.name, f"{damage}; files found before that: {len(members):,}; {_AGAIN}")

    @abstractmethod
    def _members(self) -> tuple[dict[str, _Member], str]:
        """All members but folders, by name, and what is wrong with the archive as a whole."""


class Zip(_Archive):
    """A zip archive, read in place."""

    kind: Literal["zip"] = "zip"

    def _members(self) -> tuple[dict[str, _Member], str]:
        infos = _archive(self.path).infolist()
        return dict(_zip_member(self.path, info) for info in infos if not info.is_dir()), ""


class Tar(_Archive):
    """A tar archive, read in place; one packed with gzip, bzip2 or xz is first unpacked to a temporary file."""

    kind: Literal["tar"] = "tar"

    def _members(self) -> tuple[dict[str, _Member], str]:
        whole = unpacked(self.path)
        members, problem = _tar_members(whole.path, version_of(whole.path), version_of(self.path)[1])
        return members, whole.problem or problem


def is_tar(path: Path) -> bool:
    """Whether a file is a tar archive, packed or not."""
    try:
        return tarfile.is_tarfile(path)
    except (OSError, EOFError, ValueError):
        return False


def _zip_member(path: Path, info: zipfile.ZipInfo) -> tuple[str, _Member]:
    name = info.filename
    if not info.flag_bits & _UTF8:
        with suppress(UnicodeError):  # it may be UTF-8 without the mark for it, as macOS writes it
            name = name.encode("cp437").decode()
    name = tidy(name.replace("\\", "/"))
    why = "is encrypted; unpack the archive with its password and give the folder"
    look = partial(_open_member, path, info.filename)
    whole = partial(_read_member, path, info.filename, info.file_size)
    closed = Rejection(name, why) if info.flag_bits & _ENCRYPTED else None
    return name, _Member(info.file_size, info.CRC, look, whole, closed)


def _open_member(path: Path, member: str) -> IO[bytes]:
    return _archive(path).open(member)


def _read_member(path: Path, member: str, size: int) -> IO[bytes]:
    """A whole member. Asking for its size, and not for all, bounds what a member that lies about it can take."""
    with _open_member(path, member) as stream:
        return io.BytesIO(stream.read(size))


def _archive(path: Path) -> zipfile.ZipFile:
    return _opened(path, version_of(path), os.getpid())


@lru_cache(maxsize=8)
def _opened(path: Path, version: Version, process: int) -> zipfile.ZipFile:
    """The archive, opened once per version and process: two processes must not share its position in the file."""
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError) as problem:
        raise DataError(f"{path} cannot be read as a .zip: {problem}; download or pack it again") from problem


class _Stream(tarfile.ExFileObject):
    """A member read in place; closing it closes the archive."""

    def __init__(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        super().__init__(archive, info)
        self._archive = archive

    def close(self) -> None:
        super().close()
        self._archive.close()


def open_member(path: Path, version: Version, start: int, size: int) -> IO[bytes]:
    """`size` bytes of a tar from `start` on; DataError if the archive is not the one of that version any more."""
    check_version(path, version)
    info = tarfile.TarInfo()
    info.offset_data, info.size = start, size
    return _Stream(tarfile.TarFile(path), info)


@lru_cache(maxsize=4)
def _tar_members(path: Path, version: Version, stamp: int) -> tuple[dict[str, _Member], str]:
    members: dict[str, _Member] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            try:
                while (info := archive.next()) is not None:
                    archive.members.clear()  # type: ignore[attr-defined]  # it would keep a kilobyte for each
                    if not info.isdir():
                        name, reader = tidy(info.name), partial(open_member, path, version, info.offset_data, info.size)
                        found = _not_ordinary(info) or _cut_short(name, info, version)
                        members[name] = _Member(info.size, stamp, reader, reader, found)
                end = archive.offset
            except tarfile.TarError:
                end = version[0]
            return members, _ending(path, end)
    except (tarfile.TarError, OSError, ValueError) as error:
        return members, f"cannot be read as a tar archive ({error})"


def _not_ordinary(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return "link in an archive"
    return "sparse file in an archive" if info.issparse() else None if info.isreg() else "not an ordinary file"


def _cut_short(name: str, info: tarfile.TarInfo, version: Version) -> Rejection | None:
    whole = info.offset_data + info.size <= version[0]
    return None if whole else Rejection(name, f"is cut short, for the archive ends within it; {_AGAIN}")


def _ending(path: Path, end: int) -> str:
    """What is wrong with the end of an archive: after the last member there should be a block of zeros."""
    with path.open("rb") as file:
        file.seek(end)
        block = file.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE:
        return "is cut short: the mark that ends a tar archive is missing"
    return f"is damaged at byte {end:,}" if any(block) else ""
