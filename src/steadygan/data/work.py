"""What is done with one image, whichever process does it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict

from steadygan.data.builtin import AnyBuiltin
from steadygan.data.reading.decode import Mode, decode
from steadygan.data.reading.fit import Box, is_enlarged, kept, square
from steadygan.data.settings import PrepareSettings
from steadygan.data.sources.items import Item, Rejection
from steadygan.errors import DataError

T = TypeVar("T")

MAX_BYTES = 2**30
_GROUP_BYTES, _GROUP_LENGTH = 2**22, 32
_MODES: dict[str, Mode] = {"rgb": "RGB", "gray": "L"}
_DRAWN = {1: "L", 3: "RGB"}


class Place(BaseModel):
    """Where a tile lies: `bounds` west, south, east, north in units of `crs`, which is an EPSG code or WKT."""

    model_config = ConfigDict(frozen=True)

    crs: str
    bounds: tuple[float, float, float, float]


class Entry(BaseModel):
    """A line of `index.jsonl`: where an image of the set comes from and what was done to it.

    `size` is (width, height) of the upright picture, `crop` the part of it that was used (left, top, right,
    bottom), `digest` the SHA-256 of the file, `frame` the number of the page or frame from 0, `attributes` what the
    source knows about the image, `place` where on earth a tile lies.
    """

    model_config = ConfigDict(frozen=True)

    file: str
    size: tuple[int, int]
    mode: str
    format: str
    crop: Box
    digest: str
    changes: tuple[str, ...] = ()
    enlarged: bool = False
    grey: bool = False
    label: str | None = None
    frame: int = 0
    attributes: dict[str, int | float | str] = {}
    place: Place | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """An image of the set, uint8 (S, S, C), and its line of the index; no pixels if only the facts were wanted."""

    entry: Entry
    pixels: NDArray[np.uint8] | None


Result = Row | Rejection
"""What a task gives any number of: an image of the set, or a file that cannot be used."""


@dataclass(frozen=True)
class ReadFile:
    """Read, check and fit one file."""

    item: Item
    settings: PrepareSettings
    keep_pixels: bool = True

    def run(self) -> list[Result]:
        """The images, or why the file cannot be used; no file makes this raise."""
        try:
            data = self._bytes()
            decoded = decode(data, _MODES.get(self.settings.channels), self.settings.background, self.settings.side)
            pixels = square(decoded, self.settings)
        except (DataError, MemoryError) as problem:
            return [Rejection(self.item.name, str(problem) or "needs more memory than there is")]
        entry = Entry(
            file=self.item.name,
            size=decoded.size,
            mode=decoded.mode,
            format=decoded.format,
            crop=kept(decoded.size, self.settings),
            digest=hashlib.sha256(data).hexdigest(),
            changes=decoded.changes,
            enlarged=is_enlarged(decoded.size, self.settings),
            grey=is_grey(pixels),
            label=self.item.label,
            attributes=dict(self.item.attributes),
        )
        return [Row(entry, pixels if self.keep_pixels else None)]

    def lost(self) -> list[Result]:
        """What to say if reading killed the process."""
        reason = "crashed the decoder, or needed more memory than there is; convert or remove it"
        return [Rejection(self.item.name, reason)]

    def _bytes(self) -> bytes:
        if self.item.size > MAX_BYTES:
            raise DataError(f"has {self.item.size / 2**30:.1f} GB, more than the 1 GB allowed; cut it into tiles first")
        try:
            with self.item.open() as stream:
                return stream.read()
        except Exception as problem:
            raise DataError(f"cannot be read ({problem})") from problem


@dataclass(frozen=True)
class Draw:
    """Draw one image of a built-in set."""

    builtin: AnyBuiltin
    index: int
    settings: PrepareSettings

    def run(self) -> list[Result]:
        """The drawn image."""
        drawing = self.builtin.draw(self.index, self.settings.side)
        pixels = _with_channels(drawing.image, self.settings)
        height, width, _ = pixels.shape
        entry = Entry(
            file=f"{self.builtin.kind}/{self.index:06d}",
            size=(width, height),
            mode=_DRAWN.get(pixels.shape[2], "points"),
            format="builtin",
            crop=(0, 0, width, height),
            digest=hashlib.sha256(pixels.tobytes()).hexdigest(),
            grey=pixels.shape[2] in _DRAWN and is_grey(pixels),
            label=None if drawing.label is None else self.builtin.class_names()[drawing.label],
            attributes=drawing.attributes,
        )
        return [Row(entry, pixels)]

    def lost(self) -> list[Result]:
        """What to say if drawing killed the process."""
        return [Rejection(f"{self.builtin.kind}/{self.index:06d}", "could not be drawn; the process died")]


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Whether all channels of a picture (H, W, C) are equal. One row is looked at first: it settles most pictures."""
    return all(bool((part == part[..., :1]).all()) for part in (pixels[len(pixels) // 2], pixels))


def groups(tasks: Sequence[T], side: int) -> Iterator[Sequence[T]]:
    """Tasks in groups whose pixels together take a few megabytes."""
    length = max(1, min(_GROUP_LENGTH, _GROUP_BYTES // (side * side * 3)))
    return (tasks[start : start + length] for start in range(0, len(tasks), length))


def _with_channels(image: NDArray[np.uint8], settings: PrepareSettings) -> NDArray[np.uint8]:
    mode = _MODES.get(settings.channels)
    if mode is None:
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).convert(mode)
    pixels = np.asarray(picture)
    return pixels[..., None] if pixels.ndim == 2 else pixels
