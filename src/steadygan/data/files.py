"""Finding image files: below a folder, or in a zip archive."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import IO

from steadygan.data.decode import is_image
from steadygan.errors import DataError

_IMAGES = """
    avif avifs bmp dds dib gif heic heif icns ico j2k jfif jp2 jpe jpeg jpf jpg jpx jxl pbm pcx pfm pgm png pnm ppm
    psd qoi sgi tga tif tiff webp xbm
"""
_JUNK = """
    7z avi cfg csv db doc docx eps gz h5 hdf5 htm html ini ipynb js json jsonl lock log m4a mat md mov mp3 mp4 mpeg
    mpg npy npz parquet pdf pickle pkl ps pt pth py rar safetensors sh svg tar tfrecord toml tsv txt url wav wmf xlsx
    xml yaml yml zip
"""

IMAGE_SUFFIXES = frozenset(f".{name}" for name in _IMAGES.split())
"""Files named so are taken as images without looking; if one is not, it is rejected with a reason."""

JUNK_SUFFIXES = frozenset(f".{name}" for name in _JUNK.split())
"""Files named so are passed over without looking. All others are looked into: what Pillow knows is an image."""

_SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir"})
_OWN_FOLDERS = (frozenset({"dataset.json", "images.npy"}), frozenset({"run.json", "log.jsonl"}))


@dataclass(frozen=True)
class Rejection:
    """A file that cannot be used, and a sentence saying why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Item:
    """One file that claims to be an image.

    `name` is its path inside the source with `/`, `size` its bytes, `stamp` changes with its content
    (modification time in ns of a file, CRC of an archive member), `open` may be called in another process.
    """

    name: str
    size: int
    stamp: int
    open: Callable[[], IO[bytes]]
    label: str | None = None


Found = Item | Rejection | str
"""An image file, a problem, or the kind of a file or folder that is passed over."""


def is_own(names: Iterable[str]) -> bool:
    """Whether a folder with these names in it is a data set or a run of steadygan: its pictures are no inputs."""
    found = set(names)
    return any(own <= found for own in _OWN_FOLDERS)


def walk(root: Path) -> Iterator[Found]:
    """Everything below `root`. Links to folders are followed after all others, and no folder is read twice."""
    above = {_identity(str(folder)) for folder in root.resolve().parents}
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
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as problem:
            yield Rejection(_relative(folder, root), f"is a folder that cannot be read ({problem.strerror})")
            continue
        if is_own(entry.name for entry in entries):
            yield "folder made by steadygan"
            continue
        for entry in entries:
            if reason := _skipped(entry.name):
                yield reason
            elif _is_folder(entry):
                (links if entry.is_symlink() else waiting).append(entry.path)
            else:
                yield _file(entry, _relative(entry.path, root))


def members(path: Path) -> Iterator[Found]:
    """Everything in a zip archive; of two members with the same name the later, as for every unpacker."""
    infos = {info.filename: info for info in _archive(path).infolist() if not info.is_dir()}
    for member, info in infos.items():
        name = member.replace("\\", "/").lstrip("/")
        reader = partial(_open_member, path, member)
        kind = next(filter(None, map(_skipped, name.split("/"))), None) or _passed_over(name, reader)
        yield kind or Item(name, info.file_size, info.CRC, reader)


def open_file(path: str | Path) -> IO[bytes]:
    """A file for reading bytes; unlike a lambda it can be sent to another process."""
    return open(path, "rb")


def _skipped(name: str) -> str | None:
    """Why a file or folder is passed over whatever it holds: hidden, or put there by a system."""
    if name.startswith("."):
        return "hidden"
    return "of the system" if name in _SYSTEM_FOLDERS else None


def _passed_over(name: str, reader: Callable[[], IO[bytes]]) -> str | None:
    """The kind of a file that is no image, None for an image: by suffix where that is clear, else by content."""
    suffix = os.path.splitext(name)[1].lower()
    if suffix in IMAGE_SUFFIXES:
        return None
    return suffix or "without suffix" if suffix in JUNK_SUFFIXES or not is_image(reader) else None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is or leads to a folder; a link that leads to itself does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _file(entry: os.DirEntry[str], name: str) -> Found:
    try:
        status = entry.stat()
    except OSError as problem:
        return Rejection(name, f"cannot be read ({problem.strerror})")
    if not stat.S_ISREG(status.st_mode):
        return "not an ordinary file"
    reader = partial(open_file, entry.path)
    return _passed_over(name, reader) or Item(name, status.st_size, status.st_mtime_ns, reader)


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _relative(path: str, root: Path) -> str:
    """Path below `root` with `/`; bytes that are no UTF-8 are replaced, so that the name can be written down."""
    below = path[len(str(root)) :].replace(os.sep, "/").lstrip("/") or "."
    return os.fsencode(below).decode("utf-8", "replace")


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
