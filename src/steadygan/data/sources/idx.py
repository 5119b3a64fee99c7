"""Pictures in the idx files of MNIST and its relatives: one array of bytes, and the labels in a file beside it."""

from __future__ import annotations

import io
import math
import re
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Literal, NamedTuple

from steadygan.data.sources.items import Found, Item, PathSource, Version, check_version, version_of
from steadygan.data.sources.unpacked import unpacked
from steadygan.errors import ConfigError, DataError

_NAME = re.compile(r"(?P<stem>.+?)[-._]idx[0-9][-._](ubyte|byte|short|int|float|double)(\.gz)?", re.IGNORECASE)
_TYPES = {0x08: "ubyte", 0x09: "byte", 0x0B: "short", 0x0C: "int", 0x0D: "float", 0x0E: "double"}
_UBYTE = 0x08
_MAGIC = {1: "P5", 3: "P6"}


class Idx(PathSource):
    """Pictures in an idx file of bytes, N×H×W or N×H×W×C, packed with gzip or not.

    The labels are taken from the file beside it: `t10k-labels-idx1-ubyte` for `t10k-images-idx3-ubyte`.
    """

    kind: Literal["idx"] = "idx"

    @property
    def name(self) -> str:
        """What the source is called among others."""
        return _stem(self.path.resolve().name)

    def entries(self) -> Iterator[Found]:
        """One item for each picture; ConfigError for a file of labels, DataError for any other that is no pictures."""
        try:
            yield from pictures(self.path)
        except _NoPictures as problem:
            images = _sibling(self.path, "labels", "images")
            meant = images or "the file of the images, like train-images-idx3-ubyte"
            raise ConfigError(f"{self.path} {problem}; give {meant} instead") from problem


class _NoPictures(DataError):
    """A file of one number for each picture: labels."""


class _Array(NamedTuple):
    """Bytes of an idx file: the file that holds them unpacked, where they begin, and their form."""

    path: Path
    start: int
    shape: tuple[int, ...]


def is_idx(name: str) -> bool:
    """Whether a file is called like an idx file, as in `train-images-idx3-ubyte.gz` or `train-images.idx3-ubyte`."""
    return _NAME.fullmatch(name) is not None


def idx_in_folder(path: Path) -> Iterator[Found]:
    """The pictures of an idx file in a folder, or its kind if it holds labels, or is packed and lies there unpacked.

    Raises DataError if the file is damaged.
    """
    if path.suffix.lower() == ".gz" and path.with_suffix("").exists():
        yield "packed copy of another file"
        return
    try:
        yield from pictures(path)
    except _NoPictures:
        yield "labels of idx"


def pictures(path: Path) -> Iterator[Item]:
    """One item for each picture, which opens as a PGM or PPM file; the stamp is the CRC of its bytes."""
    array = _array(path)
    if len(array.shape) == 1:
        raise _NoPictures(f"holds {array.shape[0]} labels and no pictures")
    if len(array.shape) not in (3, 4) or 0 in array.shape[1:] or (*array.shape, 1)[3] not in _MAGIC:
        form = "×".join(map(str, array.shape))
        raise DataError(f"{path} is an array of {form}; pictures are N×height×width or N×height×width×3")
    number, height, width, channels = (*array.shape, 1)[:4]
    labels = _labels(path, number)
    size, version, stem = height * width * channels, version_of(array.path), _stem(path.name)
    header = f"{_MAGIC[channels]} {width} {height} 255\n".encode()
    with array.path.open("rb") as file:
        file.seek(array.start)
        for index in range(number):
            reader = partial(_open_picture, array.path, version, array.start + index * size, size, header)
            stamp = zlib.crc32(file.read(size))
            label = None if labels is None else str(labels[index])
            yield Item(f"{stem}/{index:06d}", len(header) + size, stamp, reader, label, in_folders=False)


def _open_picture(path: Path, version: Version, start: int, size: int, header: bytes) -> IO[bytes]:
    check_version(path, version)
    with path.open("rb") as file:
        file.seek(start)
        return io.BytesIO(header + file.read(size))


def _array(path: Path) -> _Array:
    """Read and check the header; DataError says what is wrong with it or with the length of the file."""
    whole = unpacked(path)
    with whole.path.open("rb") as file:
        magic = file.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES:
            problem = f" and {whole.problem}" if whole.problem else ""
            raise DataError(f"{path} does not begin like an idx file{problem}; get it again")
        if magic[2] != _UBYTE:
            raise DataError(f"{path} holds numbers of type {_TYPES[magic[2]]}; only idx files of ubyte are read")
        sizes = file.read(4 * magic[3])
    shape = tuple(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, len(sizes), 4))
    start = 4 + 4 * magic[3]
    needed, there = math.prod(shape), whole.path.stat().st_size - start
    if whole.problem or len(sizes) < 4 * magic[3] or there < needed:
        form = "×".join(map(str, shape))
        reason = whole.problem or "is cut short"
        raise DataError(f"{path} {reason}: {form} are {needed:,} bytes, and {max(0, there):,} are there; get it again")
    return _Array(whole.path, start, shape)


def _labels(path: Path, number: int) -> bytes | None:
    """The labels of the pictures in the file beside it, None if there is none; DataError if the numbers differ."""
    beside = _sibling(path, "images", "labels")
    if beside is None:
        return None
    array = _array(beside)
    if array.shape != (number,):
        form = "×".join(map(str, array.shape))
        raise DataError(f"{path} holds {number} pictures and {beside.name} {form} labels; they do not belong together")
    with array.path.open("rb") as file:
        file.seek(array.start)
        return file.read(number)


def _sibling(path: Path, ours: str, theirs: str) -> Path | None:
    """The file that differs from `path` in `images` and `labels`, whatever its dimensions and packing."""
    stem = _stem(path.name).lower()
    if ours not in stem:
        return None
    wanted = stem.replace(ours, theirs)
    try:
        names = [file for file in path.parent.iterdir() if is_idx(file.name) and _stem(file.name).lower() == wanted]
    except OSError:
        return None
    return min((file for file in names if file.is_file()), key=lambda file: len(file.name), default=None)


def _stem(name: str) -> str:
    match = _NAME.fullmatch(name)
    return match["stem"] if match else name.removesuffix(".gz") or "images"
