"""Pictures that hold more than 8 bits of each value, from what Pillow decodes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from steadygan.data.reading.levels import STEPS, Values, hole_of

GREY = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
"""Modes of one band with more than 8 bits."""

Tile = Any
"""A piece that Pillow is to decode: by which decoder, where in the picture, where in the file, with which arguments."""

_BITS, _PHOTOMETRIC, _NODATA = 258, 262, 42113
_SMALL = 2 ** (STEPS[-2] - 8)
"""High bytes that are all below this belong to values that need fewer than 16 bits."""

_GREY_ALPHA = "LA;16B"
_LOW = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
"""The order of bytes in which Pillow, which takes the high one, takes the low one."""

_OPEN = 65535
"""The largest value of a PPM that says nothing about how many bits it uses."""


def first_tile(image: Image.Image) -> Tile:
    """How an opened picture will be decoded; it forgets that when it is."""
    tiles = getattr(image, "tile", ())
    return tiles[0] if tiles else None


def values_of(image: Image.Image, tile: Tile, data: bytes, again: Callable[[], Image.Image]) -> Values | None:
    """The values of a loaded picture if its file holds more than 8 bits of each; None if it does not.

    `tile` is what `first_tile` gave before loading, `data` the file, and `again` opens the same picture anew. Pillow
    keeps the high byte of colours. Where values are so small that this is not all we show, the low one is decoded, too.
    """
    raw, largest = _arguments(tile)
    if image.mode in GREY:
        return _grey(image, largest)
    if image.mode == "RGB" and tile and tile[0] == "ppm" and largest == _OPEN:
        held = np.frombuffer(data, ">u2", image.width * image.height * 3, tile[2])
        return Values(held.reshape(image.height, image.width, 3))
    moving = image.format == "PNG" and getattr(image, "is_animated", False)
    return _colours(image, raw, again) if ";16" in raw and not moving else None


def _grey(image: Image.Image, largest: int) -> Values:
    tags = getattr(image, "tag_v2", {})
    said = tags.get(_BITS, (0,))
    declared = said[0] if isinstance(said, tuple) and said and 8 < said[0] < 16 else 0
    if largest not in (0, _OPEN):  # Pillow has brought the values to 16 bits
        declared = 16
    values: NDArray[Any] = np.asarray(image)[..., None]
    inverted = image.format == "TIFF" and tags.get(_PHOTOMETRIC) == 0
    alpha = _keyed(values, image.info.get("transparency"))
    return Values(values, alpha, declared, hole_of(tags.get(_NODATA)), inverted)


def _colours(image: Image.Image, raw: str, again: Callable[[], Image.Image]) -> Values:
    """Colours of 16 bits, or grey of 16 bits with alpha, which Pillow decodes as RGBA."""
    chosen = [0, 3] if raw == _GREY_ALPHA else slice(None)
    high = np.asarray(image)[..., chosen]
    count = high.shape[2] - (image.mode == "RGBA")
    opaque = 255 if image.format == "PNG" else high[..., count:].max(initial=0)  # the format says what is opaque
    hole = hole_of(getattr(image, "tag_v2", {}).get(_NODATA))
    values = high.astype(np.uint16) << 8
    small = high[..., :count].max(initial=0) < _SMALL or opaque < _SMALL or hole is not None
    if small:
        values |= _low_bytes(again(), raw)
    if count == high.shape[2]:
        key = image.info.get("transparency")
        key = key if small or key is None else [part & 0xFF00 for part in key]
        return Values(values, _keyed(values, key), hole=hole)
    return Values(values[..., :count], values[..., -1] if opaque < _SMALL else high[..., -1], hole=hole)


def _low_bytes(image: Image.Image, raw: str) -> NDArray[np.uint8]:
    """The low bytes of an opened picture of 16 bits, in as many bands as `_colours` takes."""
    other = "RGBA" if raw == _GREY_ALPHA else raw[:-1] + _LOW[raw[-1]]
    opened: Any = image
    opened.tile = [_renamed(tile, other) for tile in opened.tile]
    image.load()
    return np.asarray(image)[..., [1, 3] if raw == _GREY_ALPHA else slice(None)]


def _renamed(tile: Tile, raw: str) -> Tile:
    arguments = raw if isinstance(tile[3], str) else (raw, *tile[3][1:])
    return tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments)  # before Pillow 11


def _keyed(values: NDArray[Any], key: object) -> NDArray[np.uint8] | None:
    """Alpha of a picture in which one value, or one colour, stands for transparency; None if nothing shines through."""
    if not isinstance(key, int | list | tuple):
        return None
    alpha = np.where((values == key).all(axis=-1), 0, 255).astype(np.uint8)
    return None if alpha.all() else alpha


def _arguments(tile: Tile) -> tuple[str, int]:
    """The form in which the file holds its values, in Pillow's words, and the largest value of a PPM, else 0."""
    arguments = tile[3] if tile else ""
    if isinstance(arguments, str):
        return arguments, 0
    raw, *further = arguments or ("",)
    return str(raw), further[0] if str(tile[0]).startswith("ppm") and further else 0
