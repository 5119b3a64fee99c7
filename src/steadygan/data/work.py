"""What is done with one image, whichever process does it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict

from steadygan.data.pool import Pool, Task
from steadygan.data.reading.decode import Decoded, Mode, decode_frames
from steadygan.data.reading.fit import Box, cut, is_enlarged, smallest, squares
from steadygan.data.settings import PrepareSettings
from steadygan.data.sources.items import Item, Place, Rejection
from steadygan.errors import DataError

if TYPE_CHECKING:
    from steadygan.data.builtin import AnyBuiltin

MAX_BYTES = 2**30
_GROUP_BYTES, _GROUP_LENGTH, _GROUP_FILES = 2**22, 128, 2**21
_MODES: dict[str, Mode] = {"rgb": "RGB", "grey": "L"}
_DRAWN = {1: "L", 3: "RGB"}
BUILTIN = "builtin"
"""The format of an image that the program drew."""


class Entry(BaseModel):
    """A line of `index.jsonl`: where an image of the set comes from and what was done to it.

    `size` is (width, height) of the upright picture, `crop` the part of it that was used (left, top, right,
    bottom), `digest` the SHA-256 of the file, `frame` the number of the page or frame from 0, `attributes` what the
    source knows about the image, `place` where on earth a tile lies. `needed` and `bits` are those of `Decoded`.
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
    needed: int = 0
    bits: int = 0
    attributes: dict[str, int | float | str] = {}
    place: Place | None = None


def told(item: Item) -> dict[str, Any]:
    """What an entry says of the item that its image comes from."""
    return {"file": item.name, "label": item.label, "attributes": dict(item.attributes), "place": item.place}


@dataclass(frozen=True, eq=False)
class Row:
    """An image of the set, uint8 (S, S, C), and its line of the index."""

    entry: Entry
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Copy:
    """Images `start` to `start + count` of the set that was here before; `item` is what their file is now."""

    start: int
    count: int
    item: Item | None = None


Result = Row | Copy | Rejection | str
"""What a task gives any number of: images, a file that cannot be used, or the kind of something passed over."""


class ImageTask(Task[list[Result]], Protocol):
    """A piece of the work of preparing a set.

    `key` names it and changes with what it reads, `size` is that of the file in bytes (0 if it reads no whole file),
    `weight` about how many images it will give.
    """

    @property
    def key(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def weight(self) -> int: ...


T = TypeVar("T", bound=ImageTask)


@dataclass(frozen=True)
class Known:
    """A task whose images are in the set that was here before."""

    key: str
    results: tuple[Result, ...]
    size: int = 0
    weight: int = 1

    def run(self) -> list[Result]:
        return list(self.results)

    lost = run


class _Unread(DataError):
    """A file that the system did not give; it may the next time."""


@dataclass(frozen=True)
class ReadFile:
    """Read, check and fit one file; what was made before of bytes with one of the digests in `known` is copied."""

    item: Item
    settings: PrepareSettings
    known: Mapping[str, Copy] = field(default_factory=dict)

    seconds: ClassVar[float] = 30.0

    @property
    def key(self) -> str:
        return self.item.key

    @property
    def size(self) -> int:
        return self.item.size

    @property
    def weight(self) -> int:
        return self.settings.crops if self.settings.fit == "random-crops" else 1

    def run(self) -> list[Result]:
        """The images, or why the file cannot be used; no file makes this raise."""
        results: list[Result] = []
        try:
            data = self._bytes()
            digest = hashlib.sha256(data).hexdigest()
            if known := self.known.get(digest):
                return [replace(known, item=self.item)]
            how = self.settings
            pictures = decode_frames(data, _MODES.get(how.channels), how.background, smallest(how), how.frames)
            for decoded in pictures:
                results += self._results(decoded, digest)
        except _Unread as problem:
            results.append(Rejection(self.item.name, str(problem), passing=True))
        except (DataError, MemoryError) as problem:
            results.append(Rejection(self.item.name, str(problem) or "needs more memory than there is"))
        return results

    def _results(self, decoded: Decoded, digest: str) -> Iterator[Result]:
        try:
            found = squares(decoded, self.settings, digest)
        except DataError as problem:  # no face in this frame; there may be one in the next
            yield Rejection(self.item.name, str(problem))
            return
        for pixels, box in found:
            entry = Entry(
                **told(self.item),
                size=decoded.size,
                mode=decoded.mode,
                format=decoded.format,
                crop=box,
                digest=digest,
                changes=decoded.changes,
                enlarged=is_enlarged((box[2] - box[0], box[3] - box[1]), self.settings),
                grey=is_grey(pixels),
                frame=decoded.frame,
                needed=decoded.needed,
                bits=decoded.bits,
            )
            yield Row(entry, pixels)

    def again(self, entries: Sequence[Entry], bits: int) -> list[Result]:
        """The images of these entries, which it gave, on the scale of so many bits; fewer if the file changed since."""
        rows: list[Result] = []
        how = self.settings
        with suppress(DataError):
            mode = _MODES.get(how.channels)
            for decoded in decode_frames(self._bytes(), mode, how.background, smallest(how), how.frames, bits):
                for entry in entries:
                    if entry.frame == decoded.frame:
                        now = entry.model_copy(update={"needed": decoded.needed, "bits": decoded.bits})
                        rows.append(Row(now, cut(decoded, entry.crop, how)))
        return rows

    def lost(self) -> list[Result]:
        """What to say if reading killed the process."""
        reason = "crashed the decoder, or took it too long or too much memory; convert or remove it"
        return [Rejection(self.item.name, reason, passing=True)]

    def _bytes(self) -> bytes:
        if self.item.size > MAX_BYTES:
            raise DataError(f"has {self.item.size / 2**30:.1f} GB, more than the 1 GB allowed; cut it into tiles first")
        try:
            with self.item.open() as stream:
                data = stream.read(self.item.size + 1)  # a read without end would trust a file that grows
                if len(data) > self.item.size:
                    data += stream.read(MAX_BYTES)
        except Exception as problem:
            raise _Unread(f"cannot be read ({problem})") from problem
        if len(data) > MAX_BYTES:
            raise DataError("has more than the 1 GB allowed; cut it into tiles first")
        return data


@dataclass(frozen=True)
class Draw:
    """Draw one image of a built-in set."""

    builtin: AnyBuiltin
    index: int
    settings: PrepareSettings
    size: int = 0
    weight: int = 1

    @property
    def key(self) -> str:
        return f"{self.builtin.kind}/{self.index}"

    def run(self) -> list[Result]:
        """The drawn image."""
        drawing = self.builtin.draw(self.index, self.settings.side)
        pixels = _with_channels(drawing.image, self.settings)
        height, width, _ = pixels.shape
        entry = Entry(
            file=f"{self.builtin.kind}/{self.index:06d}",
            size=(width, height),
            mode=_DRAWN.get(pixels.shape[2], "points"),
            format=BUILTIN,
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
    """Whether all channels of a picture (H, W, 1 or 3) are equal. One row is looked at first: it settles most."""
    if pixels.shape[2] == 1:
        return True
    row = pixels[len(pixels) // 2].tobytes()
    if row[::3] != row[1::3]:
        return False
    whole = pixels.tobytes()
    return whole[::3] == whole[1::3] == whole[2::3]


def carried_out(tasks: Iterable[T], side: int, pool: Pool[list[Result]]) -> Iterator[list[tuple[T, list[Result]]]]:
    """Each task once with what it gave, in order, a group at a time."""
    parts = list(groups(tasks, side))
    for part, answers in zip(parts, pool.run(parts), strict=True):
        yield list(zip(part, answers, strict=True))


def groups(tasks: Iterable[T], side: int) -> Iterator[list[T]]:
    """Tasks in groups whose files and pixels take a few megabytes each: some tenths of a second of work."""
    most = max(1, min(_GROUP_LENGTH, _GROUP_BYTES // (side * side * 3)))
    group: list[T] = []
    weight = size = 0
    for task in tasks:
        if group and (weight + task.weight > most or size + task.size > _GROUP_FILES):
            yield group
            group, weight, size = [], 0, 0
        group.append(task)
        weight += task.weight
        size += task.size
    if group:
        yield group


def _with_channels(image: NDArray[np.uint8], settings: PrepareSettings) -> NDArray[np.uint8]:
    mode = _MODES.get(settings.channels)
    if mode is None:
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).convert(mode)
    pixels = np.asarray(picture)
    return pixels[..., None] if pixels.ndim == 2 else pixels
