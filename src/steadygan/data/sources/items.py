"""What a source gives: items that claim to be images, problems, and files that are passed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from steadygan.data.reading.decode import is_image

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
    `label` and `attributes` are what the source itself says about the image; class folders are looked at later.
    """

    name: str
    size: int
    stamp: int
    open: Callable[[], IO[bytes]]
    label: str | None = None
    attributes: Mapping[str, int | float | str] = field(default_factory=dict)


Found = Item | Rejection | str
"""An image file, a problem, or the kind of a file or folder that is passed over."""


def open_file(path: str | Path) -> IO[bytes]:
    """A file for reading bytes; unlike a lambda it can be sent to another process."""
    return open(path, "rb")


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
