"""Cutting a huge image into tiles, some rows at a time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from steadygan.data.settings import PrepareSettings, Tiles
from steadygan.data.sources.items import Rejection
from steadygan.data.tiles.pixels import Mask, read_pixels
from steadygan.data.tiles.raster import CACHE_BYTES, REMOTE, gdal, open_raster
from steadygan.data.tiles.scene import Scene
from steadygan.data.work import Entry, Result, Row, is_grey
from steadygan.errors import DataError

BLANK = "blank tile"
EMPTY = "tile with too little valid data"

_STRIP_BYTES = 24 * 2**20
_LINES_BYTES = 64 * 2**20

_PER_BLOCK = 512  # bytes that GDAL spends on a line beside its values

_RANDOM_ACCESS = frozenset({"GTiff", "JP2OpenJPEG"})

Span = tuple[int, int]

# The first row of tiles that could not be read of a file decoded line by line. None below can be: after the first
# error some of GDAL's decoders go on with grey, and others decode all lines above for each attempt.
_ends: dict[tuple[str, int], int] = {}


def cut(scene: Scene, tiles: Tiles, settings: PrepareSettings) -> list[CutStrip]:
    """The tasks that cut all whole tiles of an image, from top to bottom; to be handed out in this order.

    Each takes one row of tiles, or as many as a row of the file's blocks holds, so that a block is decoded once.
    Files that store whole lines are given out by whole rows: every process reads them forward only.
    """
    rows, columns = (len(tiles.starts(length)) for length in (scene.height, scene.width))
    once = 1 if scene.sequential else max(1, scene.block[1] // tiles.step)
    side = settings.size or tiles.side
    size = scene.samples * max(tiles.side**2 * np.dtype(scene.dtype).itemsize, side**2)
    across = max(1, (_LINES_BYTES if scene.sequential else _STRIP_BYTES) // (size * once))
    if not scene.sequential:
        aligned = max(1, scene.block[0] // tiles.step)
        across = max(1, across // aligned) * aligned
    return [
        CutStrip(scene, tiles, settings, (top, min(top + once, rows)), (left, min(left + across, columns)))
        for top in range(0, rows, once)
        for left in range(0, columns, across)
    ]


@dataclass(frozen=True)
class CutStrip:
    """Cut some neighbouring tiles: rows and columns of tiles, each from the first to before the last."""

    scene: Scene
    tiles: Tiles
    settings: PrepareSettings
    rows: Span
    columns: Span

    @property
    def key(self) -> str:
        """What it reads."""
        scene, tiles = self.scene, self.tiles.model_dump_json()
        told = f"{scene.label}|{scene.attributes}"
        return f"{scene.name}|{scene.stamp}|{scene.stretch}|{told}|{tiles}|{self.rows}|{self.columns}"

    @property
    def size(self) -> int:
        """0: no whole file is read."""
        return 0

    @property
    def weight(self) -> int:
        """How many tiles there are before any is left out."""
        return (self.rows[1] - self.rows[0]) * (self.columns[1] - self.columns[0])

    def run(self) -> list[Result]:
        """The tiles that hold enough and are not blank, row by row, and a word for each of the others.

        Where the file is damaged the tiles concerned become one Rejection. Raises DataError if the image is on a
        server that gives up, because another attempt would give another data set.
        """
        spots = [(row, column) for row in range(*self.rows) for column in range(*self.columns)]
        identity = self.scene.address, self.scene.stamp
        if self.rows[0] >= _ends.get(identity, self.rows[1]):
            return [self._rejection(spots, DataError("cannot be read"))]
        try:
            with gdal(self.scene.address, self._cache()):
                return self._cut(spots)
        except DataError as problem:
            if self.scene.address.startswith(REMOTE):
                raise DataError(f"{self.scene.name} {problem}; nothing was made of it, try again") from problem
            if self.scene.driver in _RANDOM_ACCESS:
                return self._cut_each(spots)
            _ends[identity] = self.rows[0]
            return [self._rejection(spots, problem)]

    def lost(self) -> list[Result]:
        """What to say if the process died of it."""
        reason = f"crashed GDAL, or needed more memory than there is; {self.weight} tiles are lost"
        return [Rejection(self._file(self.rows[0], self.columns[0]), reason)]

    def _cache(self) -> int:
        """Lines that the next row needs again must not be decoded again: that would begin at the top of the file."""
        lines = self.tiles.side
        needed = round(1.1 * self.scene.line_bytes(lines)) + _PER_BLOCK * lines * self.scene.layers
        return max(CACHE_BYTES, needed) if self._again() else CACHE_BYTES

    def _again(self) -> bool:
        return self.scene.sequential and (self.tiles.step < self.tiles.side or self.columns[0] > 0)

    def _cut(self, spots: list[tuple[int, int]]) -> list[Result]:
        """Tiles (row, column) of the grid, which fill a rectangle, from one read."""
        raster = open_raster(self.scene.address, self.scene.stamp, self.scene.driver)
        (first, last), side = (spots[0], spots[-1]), self.tiles.side
        top, left, bottom, right = (number * self.tiles.step for number in (*first, *last))
        pixels, valid = read_pixels(raster, self.scene, (left, top, right + side, bottom + side))
        found: list[Result] = []
        for row, column in spots:
            y, x = row * self.tiles.step - top, column * self.tiles.step - left
            window = slice(y, y + side), slice(x, x + side)
            found.append(self._tile(row, column, pixels[window], None if valid is None else valid[window]))
        return found

    def _cut_each(self, spots: list[tuple[int, int]]) -> list[Result]:
        """The tiles one by one, after reading them together has failed."""
        found: list[Result] = []
        failed: list[tuple[int, int]] = []
        reason = DataError("cannot be read")
        for spot in spots:
            try:
                with gdal(self.scene.address, self._cache()):
                    found += self._cut([spot])
            except DataError as problem:
                failed.append(spot)
                reason = problem
        return [*found, self._rejection(failed, reason)] if failed else found

    def _rejection(self, spots: list[tuple[int, int]], problem: DataError) -> Rejection:
        lost = f"; {len(spots)} tiles from here on are lost" if len(spots) > 1 else ""
        return Rejection(self._file(*spots[0]), f"{problem}: the file is damaged or cut short{lost}; get it again")

    def _file(self, row: int, column: int) -> str:
        return f"{self.scene.name}/{row * self.tiles.step:06d}_{column * self.tiles.step:06d}"

    def _tile(self, row: int, column: int, picture: NDArray[np.uint8], valid: Mask | None) -> Result:
        if valid is not None and np.count_nonzero(valid) < self.tiles.min_content * valid.size:
            return EMPTY
        if _is_constant(picture):
            return BLANK
        scene, side = self.scene, self.tiles.side
        pixels = _fitted(picture, self.settings)
        left, top = column * self.tiles.step, row * self.tiles.step
        box = left, top, left + side, top + side
        entry = Entry(
            file=self._file(row, column),
            size=(scene.width, scene.height),
            mode="RGB" if scene.samples == 3 else "L",
            format=scene.driver,
            crop=box,
            digest=hashlib.sha256(pixels.tobytes()).hexdigest(),
            changes=scene.changes,
            enlarged=pixels.shape[0] > side,
            grey=is_grey(pixels),
            label=scene.label,
            attributes={**scene.attributes, "row": row, "col": column},
            place=scene.place(*box),
        )
        return Row(entry, pixels)


def _is_constant(picture: NDArray[np.uint8]) -> bool:
    """Whether a picture (H, W, C) has one colour. One line is looked at first: it settles most."""
    return all(bool((part == picture[0, 0]).all()) for part in (picture[len(picture) // 2], picture))


def _fitted(picture: NDArray[np.uint8], settings: PrepareSettings) -> NDArray[np.uint8]:
    """A tile at its final size and with the channels asked for, on its own in memory."""
    grey = picture.shape[2] == 1
    side = settings.size or len(picture)
    convert = settings.channels == "grey" and not grey
    if side == len(picture) and not convert:
        return np.ascontiguousarray(picture)
    image = Image.fromarray(np.ascontiguousarray(picture[..., 0] if grey else picture))
    image = image.convert("L") if convert else image
    pixels = np.asarray(image.resize((side, side), Image.Resampling.LANCZOS) if side != len(picture) else image)
    return pixels[..., None] if pixels.ndim == 2 else pixels
