"""How images are brought to one form."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from steadygan.data.reading.decode import WHITE

Level = Annotated[int, Field(ge=0, le=255)]

DEFAULT_SIZE = 64


class PrepareSettings(BaseModel):
    """The form all images of a set are brought to. Two sets prepared alike from equal files are equal.

    - `size`: pixels of each side; None is 64, or what a built-in set is drawn at.
    - `fit`: how an oblong picture becomes square. "crop" keeps the middle, "pad" keeps all of it on
      `background`, "stretch" keeps all of it and bends the proportions, "random-crops" takes `crops` squares of
      random size and place from each picture, "faces" the square around the largest face.
    - `frames`: of an animation or a file of several pages the "first", or "all".
    - `channels`: "auto" is grey if every picture is, else RGB.
    - `background`: red, green and blue shown by transparent pixels and by "pad".
    - `filter`: of the reduction. Lanczos with antialiasing is what image metrics expect (Parmar et al. 2022).
    - `limit`: use no more than so many files, taken evenly from all; None uses all.
    - `duplicates`: files with the same bytes, "keep" them all or "remove" all but the first.
    - `held_out`: share of the images that no training sees, at most 5,000 images; `split.py` says which.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int | None = Field(default=None, ge=1, le=4096)
    fit: Literal["crop", "pad", "stretch", "random-crops", "faces"] = "crop"
    crops: int = Field(default=4, ge=1, le=1000)
    frames: Literal["first", "all"] = "first"
    channels: Literal["auto", "rgb", "gray"] = "auto"
    background: tuple[Level, Level, Level] = WHITE
    filter: Literal["lanczos"] = "lanczos"
    limit: int | None = Field(default=None, ge=2)
    duplicates: Literal["keep", "remove"] = "keep"
    held_out: float = Field(default=0.1, ge=0, le=0.5)

    @property
    def side(self) -> int:
        """Pixels of each side of a prepared image that comes from a file."""
        return self.size or DEFAULT_SIZE
