"""An upright picture of any shape becomes a square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from steadygan.data.reading.decode import Decoded
from steadygan.data.settings import PrepareSettings

Box = tuple[int, int, int, int]


def kept(size: tuple[int, int], settings: PrepareSettings) -> Box:
    """The part of a picture (width, height) that is used: left, top, right, bottom in its own pixels."""
    width, height = size
    if settings.fit != "crop":
        return 0, 0, width, height
    side = min(size)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def is_enlarged(size: tuple[int, int], settings: PrepareSettings) -> bool:
    """Whether a picture (width, height) has fewer pixels than it is to be given."""
    return (max if settings.fit == "pad" else min)(size) < settings.side


def square(decoded: Decoded, settings: PrepareSettings) -> NDArray[np.uint8]:
    """The picture at its final size: uint8 (S, S, 1) or (S, S, 3)."""
    image, (width, height) = decoded.image, decoded.size
    left, top, right, bottom = kept(decoded.size, settings)
    # `image` may have been decoded smaller than the size that the box is measured in
    across, down = image.width / width, image.height / height
    box = (left * across, top * down, right * across, bottom * down)
    inner = _inner((right - left, bottom - top), settings)
    small = image.resize(inner, Image.Resampling.LANCZOS, box=box)
    if settings.fit == "pad":
        small = _on_background(small, settings)
    pixels = np.asarray(small)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _inner(size: tuple[int, int], settings: PrepareSettings) -> tuple[int, int]:
    side, longer = settings.side, max(size)
    if settings.fit != "pad":
        return side, side
    return max(1, round(size[0] * side / longer)), max(1, round(size[1] * side / longer))


def _on_background(image: Image.Image, settings: PrepareSettings) -> Image.Image:
    side, colour = settings.side, settings.background
    sheet = Image.new("RGB", (side, side), colour)
    sheet.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    grey = image.mode == "L" and (len(set(colour)) == 1 or settings.channels == "gray")
    return sheet.convert("L") if grey else sheet
