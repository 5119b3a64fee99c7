"""What a source gives: items that claim to be images, problems, and files that are passed over."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from steadygan.data.reading.decode import is_image
from steadygan.errors import DataError
from steadygan.part import Value

_IMAGES = """
    avif avifs bmp dds dib gif heic heif icns ico j2k jfif jp2 jpe jpeg jpf jpg jpx jxl pbm pcx pfm pgm png pnm ppm
    psd qoi sgi tga tif tiff webp xbm
"""
_JUNK = """
    7z arrow avi bz2 cfg csv db doc docx eps gz h5 hdf5 htm html ini ipynb js json jsonl lock log m4a mat md mov mp3
    mp4 mpeg mpg npy npz parquet pdf pickle pkl ps pt pth py rar safetensors sh svg tar tbz2 tfrecord tgz toml tsv
    txt txz url wav wmf xlsx xml xz yaml yml zip zst
"""

IMAGE_SUFFIXES = frozenset(f".{name}" for name in _IMAGES.split())
"""Files named so are taken as images without looking; if one is not, it is rejected with a reason."""

JUNK_SUFFIXES = frozenset(f".{name}" for name in _JUNK.split())
"""Files named so are passed over without looking. All others are looked into: what Pillow knows is an image."""

_ARCHIVE = re.compile(r"\.(zip|tar(\.(gz|bz2|xz))?|tgz|tbz2?|txz)$", re.IGNORECASE)
_SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir"})


Attributes = Mapping[str, int | float | str]
Version = tuple[int, int]


@dataclass(frozen=True)
class Rejection:
    """A file that is not used, and a sentence saying why.

    `passing` if it may be usable the next time, `left_out` if it is a good picture, but not one that is meant.
    """

    file: str
    reason: str
    passing: bool = False
    left_out: bool = False

    def record(self) -> dict[str, str | bool]:
        """Its line of `rejected.jsonl`."""
        marks = {"passing": self.passing, "left_out": self.left_out}
        return {"file": self.file, "reason": self.reason} | {name: True for name, is_so in marks.items() if is_so}


class Place(BaseModel):
    """Where a tile lies: `bounds` west, south, east, north in units of `crs`, which is an EPSG code or WKT."""

    model_config = ConfigDict(frozen=True)

    crs: str
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True)
class Item:
    """One file that claims to be an image.

    `name` is its path inside the source with `/`, `size` its bytes (0 where that is not known without reading),
    `stamp` changes with its content (modification time in ns of a file, CRC of an archive member), `open` may be
    called in another process. `label` and `attributes` are what the source itself says about the image, `place` is
    where it lies on earth. Class folders are looked at later, unless `in_folders` is False: then the folders in the
    name are no classes.
    """

    name: str
    size: int
    stamp: int
    open: Callable[[], IO[bytes]]
    label: str | None = None
    attributes: Attributes = field(default_factory=dict)
    in_folders: bool = True
    place: Place | None = None

    @property
    def key(self) -> str:
        """Text that changes with all that is known of the image before it is read, its label included."""
        said = "" if self.label is None else f"|{self.label}"
        told = json.dumps(dict(self.attributes), sort_keys=True) if self.attributes else ""
        return f"{self.name}|{self.size}|{self.stamp}{said}{told}"


Found = Item | Rejection | str
"""An image file, a problem, or the kind of a file or folder that is passed over."""


def under(prefix: str, found: Iterable[Found]) -> Iterator[Found]:
    """The same images and problems, with a folder before their names unless that is empty."""
    for entry in found:
        if prefix and isinstance(entry, Item):
            yield replace(entry, name=f"{prefix}/{entry.name}")
        elif prefix and isinstance(entry, Rejection):
            yield replace(entry, file=f"{prefix}/{entry.file}")
        else:
            yield entry


class PathSource(Value):
    """A source that is a file or folder of this machine; its `entries` are what it holds."""

    kind: str
    path: Path

    @property
    def name(self) -> str:
        """What the source is called among others."""
        path = self.path.resolve()
        return (
            path.name if path.is_dir() else archive_stem(path.name) if is_archive(path.name) else path.stem
        ) or "images"

    @property
    def where(self) -> str:
        """What to call the source in messages."""
        return str(self.path)


def open_file(path: str | Path) -> IO[bytes]:
    """A file for reading bytes; unlike a lambda it can be sent to another process."""
    return open(path, "rb")


def version_of(path: Path) -> Version:
    """Size in bytes and modification time in ns: another pair as soon as somebody wrote the file anew."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def check_version(path: Path, version: Version) -> None:
    """Raise DataError if a file was written anew since its version was noted."""
    if version_of(path) != version:
        raise DataError(f"{path} was changed while it was read; start again")


def tidy(name: str) -> str:
    """The name of a member of an archive as a path below it: no `/` before it, no `.` in it."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def files_below(folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """The files in a folder and below it whose names are wanted, in order; hidden ones are left out."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not skipped(name)]
        found += [Path(place, name) for name in names if wanted(name) and not skipped(name)]
    return sorted(file for file in found if file.is_file())


def is_archive(name: str) -> bool:
    """Whether a file of this name is an archive that can be opened."""
    return _ARCHIVE.search(name) is not None


def archive_stem(name: str) -> str:
    """The name of an archive without its suffix."""
    return _ARCHIVE.sub("", name)


def skipped(name: str) -> str | None:
    """Why a file or folder is passed over whatever it holds: hidden, or put there by a system."""
    if name.startswith("."):
        return "hidden"
    return "of the system" if name in _SYSTEM_FOLDERS else None


def passed_over(name: str, reader: Callable[[], IO[bytes]]) -> str | None:
    """The kind of a file that is no image, None for an image: by suffix where that is clear, else by content."""
    suffix = os.path.splitext(name)[1].lower()
    if suffix in IMAGE_SUFFIXES:
        return None
    return suffix or "without suffix" if suffix in JUNK_SUFFIXES or not is_image(reader) else None
