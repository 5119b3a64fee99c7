"""How images are brought to one form."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from steadygan.data.reading.decode import WHITE
from steadygan.data.sources.labels import How
from steadygan.part import Value

__all__ = ["PrepareSettings"]

Level = Annotated[int, Field(ge=0, le=255)]

DEFAULT_SIZE = 64

FORMAT = 2
"""Number of the layout of a data set folder; a change of the files made raises it."""

READING = 2
"""Number of the rules by which pixels are read; a set made by others can be used, but none is made from it."""


def _one_spelling(value: object) -> object:
    return "grey" if value == "gray" else value


Channels = Annotated[Literal["auto", "rgb", "grey"], BeforeValidator(_one_spelling)]
"""What the images are brought to; `gray` is taken for `grey`, as older sets and runs spell it."""

Band = Annotated[int, Field(ge=1)]
Percent = Annotated[float, Field(ge=0, le=100)]

COLOURS = (1, 3)
"""Numbers of bands a picture can be made of: grey, or red, green and blue."""


class Tiles(Value):
    """How huge images are cut into square tiles.

    - `side`: pixels of each side of the window that is cut out, at least 8.
    - `stride`: pixels from one window to the next; None is `side`. Less makes tiles overlap, more leaves gaps.
    - `min_content`: share of a tile, 0 to 1, that must be valid data; of a tile that holds less nothing is kept.
    - `bands`: numbers of the bands, from 1, that become grey (one) or red, green and blue (three); None chooses.
    - `percentiles`: of all valid values of an image that is not 8-bit; what lies between them fills 0 to 255.
    """

    side: int = Field(default=256, ge=8, le=16384)
    stride: int | None = Field(default=None, ge=1)
    min_content: float = Field(default=0.5, ge=0, le=1)
    bands: tuple[Band, ...] | None = None
    percentiles: tuple[Percent, Percent] = (2.0, 98.0)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.bands is not None and len(self.bands) not in COLOURS:
            raise ValueError(f"bands are one (grey) or three (red, green, blue), not {len(self.bands)}")
        if self.percentiles[0] >= self.percentiles[1]:
            raise ValueError("the first of the percentiles must be less than the second")
        return self

    @property
    def step(self) -> int:
        """Pixels from one window to the next."""
        return self.stride or self.side

    def starts(self, length: int) -> range:
        """Where windows begin along an edge of so many pixels; only whole windows count."""
        return range(0, length - self.side + 1, self.step)


class PrepareSettings(Value):
    """The form all images of a set are brought to. Two sets prepared alike from equal files are equal.

    - `size`: pixels of each side; None is 64, or what a built-in set is drawn at.
    - `fit`: how an oblong picture becomes square. "crop" keeps the middle, "pad" keeps all of it on
      `background`, "stretch" keeps all of it and bends the proportions, "random-crops" takes `crops` squares of
      random size and place from each picture, "faces" the square around the largest face.
    - `frames`: of an animation or a file of several pages the "first", or "all".
    - `tiles`: cut every image into tiles; None takes whole images.
    - `channels`: "auto" is grey if every picture is, else RGB.
    - `background`: red, green and blue shown by transparent pixels and by "pad".
    - `filter`: of the reduction. Lanczos with antialiasing is what image metrics expect (Parmar et al. 2022).
    - `limit`: use no more than so many files, taken evenly from all; None uses all.
    - `duplicates`: files with the same bytes, "keep" them all or "remove" all but the first.
    - `labels`: "auto" takes them from tables, else from class folders, leaves out the few pictures that have none, and
      gives up classes if there are many of those. "folders" takes class folders alone, and leaves out whatever lies
      in none of them. "none" makes a set without classes of all pictures.
    - `held_out`: share of the images that no training sees, at most 5,000 images; `split.py` says which.
    """

    size: int | None = Field(default=None, ge=1, le=4096)
    fit: Literal["crop", "pad", "stretch", "random-crops", "faces"] = "crop"
    crops: int = Field(default=4, ge=1, le=1000)
    frames: Literal["first", "all"] = "first"
    tiles: Tiles | None = None
    channels: Channels = "auto"
    background: tuple[Level, Level, Level] = WHITE
    filter: Literal["lanczos"] = "lanczos"
    limit: int | None = Field(default=None, ge=2)
    duplicates: Literal["keep", "remove"] = "keep"
    labels: How = "auto"
    held_out: float = Field(default=0.1, ge=0, le=0.5)

    @property
    def side(self) -> int:
        """Pixels of each side of a prepared image that comes from a file."""
        return self.size or (self.tiles.side if self.tiles else DEFAULT_SIZE)
