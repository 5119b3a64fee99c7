"""What is known of a huge image before its tiles are cut."""

from __future__ import annotations

import hashlib

import numpy as np
from pydantic import BaseModel, ConfigDict

from steadygan.data.settings import Tiles
from steadygan.data.sources.items import Place
from steadygan.names import exact

Limits = tuple[float, float]


class Scene(BaseModel):
    """An image that can be cut: where it is, which bands are used and how they become 8 bits.

    - `address`: what GDAL opens; `stamp` changes with the content.
    - `block`: (width, height) of the pieces that the file stores.
    - `layers`: number of bands in the file.
    - `bands`: numbers, from 1, of the bands that become grey or red, green and blue.
    - `stretch`: for each of them the values that become 0 and 255; None leaves 8-bit values untouched.
    - `alpha`: number of the band that is 0 where the image holds nothing.
    - `masked`: the file has a mask of its own, or a value that means "no data".
    - `palette`: the values are numbers of colours; `inverted`: 0 means white.
    - `transform`: a, b, c, d, e, f with x = a·column + b·row + c and y = d·column + e·row + f, in units of `crs`.
    - `notes`: sentences for the user on what was chosen.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    address: str
    stamp: int
    driver: str
    width: int
    height: int
    block: tuple[int, int]
    dtype: str
    layers: int
    bands: tuple[int, ...]
    stretch: tuple[Limits, ...] | None = None
    alpha: int | None = None
    masked: bool = False
    palette: bool = False
    inverted: bool = False
    crs: str | None = None
    transform: tuple[float, float, float, float, float, float] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    label: str | None = None
    attributes: dict[str, int | float | str] = {}
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[str, ...]:
        """What is done to every tile of it, in the words of the index."""
        found = (("colour table applied", self.palette), ("brought to 8 bits", self.stretch is not None))
        return tuple(words for words, is_so in found if is_so)

    @property
    def sequential(self) -> bool:
        """Whether the file stores whole lines, which can only be read from the first to the last."""
        return self.block[0] >= self.width

    @property
    def samples(self) -> int:
        """Values of a pixel of the tiles: 1 or 3."""
        return 3 if self.palette else len(self.bands)

    def line_bytes(self, lines: int) -> int:
        """Bytes that so many whole lines of the file take, with all bands, decoded."""
        return self.width * lines * self.layers * np.dtype(self.dtype).itemsize

    def count(self, tiles: Tiles) -> int:
        """Number of whole windows in the image, before any is left out as blank."""
        return len(tiles.starts(self.width)) * len(tiles.starts(self.height))

    def place(self, left: int, top: int, right: int, bottom: int) -> Place | None:
        """Where a window lies on earth: the bounds of its corners; None if the image does not say."""
        if self.crs is None:
            return None
        a, b, c, d, e, f = self.transform
        corners = [(x, y) for x in (left, right) for y in (top, bottom)]
        across = [a * x + b * y + c for x, y in corners]
        along = [d * x + e * y + f for x, y in corners]
        return Place(crs=self.crs, bounds=(min(across), min(along), max(across), max(along)))


def identity(text: str) -> int:
    """A number that changes with a text, for the stamp of an item."""
    return int.from_bytes(hashlib.sha256(exact(text)).digest()[:7])
