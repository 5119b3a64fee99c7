"""Which bands of an image become its colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steadygan.errors import ConfigError, DataError

MASK_SHARE = 0.9
"""Share of the values of a band that must be lowest or highest for it to be a mask and not a picture."""

_RED_GREEN_BLUE = ("red", "green", "blue")
_INFRARED = (("nir", "near infrared", "near-infrared", "infrared"), ("red",), ("green",))
_INK = frozenset({"cyan", "magenta", "yellow", "black"})


@dataclass(frozen=True)
class Header:
    """What a file says about its bands: what each shows (GDAL's words) and how each is called."""

    shows: tuple[str, ...]
    called: tuple[str | None, ...]

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self.shows)

    @property
    def alpha(self) -> int | None:
        """Number of the band that claims to be transparency."""
        return self.shows.index("alpha") + 1 if "alpha" in self.shows else None


@dataclass(frozen=True)
class BandChoice:
    """The bands to use and a sentence about it if there was anything to choose."""

    bands: tuple[int, ...]
    note: str = ""


def is_mask(values: NDArray[np.generic]) -> bool:
    """Whether values of a band are a mask: nearly all of them lowest or highest, and not all of them 0."""
    if not values.size or not values.any():
        return False
    highest = values.max()
    return bool(np.mean((values == 0) | (values == highest)) >= MASK_SHARE)


def choose(name: str, header: Header, wanted: tuple[int, ...] | None, alpha: int | None) -> BandChoice:
    """The bands of image `name`: the `wanted` ones, or else colours by what the file calls them, or the first.

    `alpha` is the band that proved to be a mask. Raises ConfigError if a wanted band does not exist, DataError if
    the file holds printing inks.
    """
    if wanted is not None:
        return _wanted(name, header, wanted)
    if set(header.shows) >= _INK:
        raise DataError("holds printing inks (CMYK); save it as RGB")
    numbers = [number for number in range(1, header.count + 1) if number != alpha]
    if not numbers:
        raise DataError("holds a mask and no picture")
    if len(numbers) == 1:
        return BandChoice((numbers[0],))
    if found := _named(header, numbers):
        return found
    if len(numbers) == 2:
        return BandChoice((numbers[0],), f"{name} has 2 bands; band {numbers[0]} is used as grey (--bands chooses)")
    first = numbers[0], numbers[1], numbers[2]
    if len(numbers) == 3:
        return BandChoice(first)
    listed = ", ".join(map(str, first))
    return BandChoice(
        first, f"{name} has {len(numbers)} bands; {listed} are used as red, green and blue (--bands chooses others)"
    )


def _wanted(name: str, header: Header, wanted: tuple[int, ...]) -> BandChoice:
    missing = [number for number in wanted if not 1 <= number <= header.count]
    if missing:
        asked = ",".join(map(str, wanted))
        range_ = "only band 1" if header.count == 1 else f"bands 1 to {header.count}"
        raise ConfigError(f"{name} has {range_}; --bands {asked} asks for band {missing[0]}; choose others")
    return BandChoice(wanted)


def _named(header: Header, numbers: list[int]) -> BandChoice | None:
    """Red, green and blue by what the bands show or are called, or else the usual infrared picture."""
    shown = {header.shows[number - 1]: number for number in reversed(numbers)}
    called = {(header.called[number - 1] or "").strip().lower(): number for number in reversed(numbers)}
    for names in (shown, called):
        if all(colour in names for colour in _RED_GREEN_BLUE):
            return BandChoice((names["red"], names["green"], names["blue"]), _remark(header, numbers, names))
    infrared = [next((called[name] for name in names if name in called), 0) for names in _INFRARED]
    if all(infrared):
        nir, red, green = infrared
        note = f"there is no blue band; near infrared, red and green (bands {nir}, {red}, {green}) are used"
        return BandChoice((nir, red, green), f"{note} (--bands chooses others)")
    return None


def _remark(header: Header, numbers: list[int], names: dict[str, int]) -> str:
    listed = ", ".join(str(names[colour]) for colour in _RED_GREEN_BLUE)
    plain = len(numbers) == 3 and listed == "1, 2, 3"
    return "" if plain else f"of {header.count} bands, {listed} are used: the file calls them red, green and blue"
