"""An upright picture of any shape becomes one square or several."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from steadygan.data.reading.decode import Decoded
from steadygan.data.settings import PrepareSettings

Box = tuple[int, int, int, int]
Square = tuple[NDArray[np.uint8], Box]

_TRIES = 20


def kept(size: tuple[int, int], settings: PrepareSettings) -> Box:
    """The part of a picture (width, height) that is used: left, top, right, bottom in its own pixels."""
    width, height = size
    if settings.fit in ("pad", "stretch"):
        return 0, 0, width, height
    side = min(size)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def is_enlarged(size: tuple[int, int], settings: PrepareSettings) -> bool:
    """Whether a picture, or the part of it that is used (width, height), has fewer pixels than it is to be given."""
    return (max if settings.fit == "pad" else min)(size) < settings.side


def smallest(settings: PrepareSettings) -> int | None:
    """What may be asked of `decode`: the pixels that are needed along the shorter side. None is all there are."""
    return None if settings.fit in ("random-crops", "faces") else settings.side


def squares(decoded: Decoded, settings: PrepareSettings, digest: str) -> list[Square]:
    """What a picture gives: pixels (S, S, 1) or (S, S, 3) and the part that they show, in its own pixels.

    `digest` of the file decides where random crops lie. Raises DataError if `fit` is "faces" and no face is found,
    ConfigError if the library that finds them is missing.
    """
    return [(cut(decoded, box, settings), box) for box in _boxes(decoded, settings, digest)]


def _boxes(decoded: Decoded, settings: PrepareSettings, digest: str) -> list[Box]:
    if settings.fit == "random-crops":
        return random_crops(decoded.size, settings, f"{digest} {decoded.frame}")
    if settings.fit == "faces":
        from steadygan.data.reading.faces import face_box

        return [face_box(decoded)]
    return [kept(decoded.size, settings)]


def random_crops(size: tuple[int, int], settings: PrepareSettings, seed: str) -> list[Box]:
    """`settings.crops` different squares inside a picture (width, height); fewer if it has no room for so many.

    Each has a side evenly distributed between `settings.side` and the shorter side of the picture, and a place
    evenly distributed where it fits. Crop k depends on `seed` and k only. A picture with no room for two
    different squares gives its middle one.
    """
    width, height = size
    shorter = min(size)
    if shorter < settings.side or (shorter == settings.side and width == height):
        return [kept(size, settings)]
    boxes: dict[Box, None] = {}
    for crop in range(settings.crops):
        rng = random.Random(f"{seed} {crop}")
        for _ in range(_TRIES):
            side = rng.randint(settings.side, shorter)
            left, top = rng.randint(0, width - side), rng.randint(0, height - side)
            box = (left, top, left + side, top + side)
            if box not in boxes:
                boxes[box] = None
                break
    return list(boxes)


def cut(decoded: Decoded, box: Box, settings: PrepareSettings) -> NDArray[np.uint8]:
    """A part of the picture at its final size: uint8 (S, S, 1) or (S, S, 3).

    Reduced by Pillow's Lanczos filter, which widens with the reduction (so nothing aliases), on gamma-encoded
    sRGB values and rounded to whole levels. That is the reduction which Parmar et al. (2022), sec. 3, find correct;
    their own tool applies Pillow's filters to floats and differs by the rounding of half a level.
    """
    left, top, right, bottom = box
    region = decoded.region or (0, 0, *decoded.image.size)
    # `image` may have been decoded smaller than the size that the box is measured in
    across, down = (region[2] - region[0]) / decoded.size[0], (region[3] - region[1]) / decoded.size[1]
    source = (
        region[0] + left * across,
        region[1] + top * down,
        min(region[0] + right * across, decoded.image.width),
        min(region[1] + bottom * down, decoded.image.height),
    )
    small = decoded.image.resize(_inner((right - left, bottom - top), settings), Image.Resampling.LANCZOS, source)
    if settings.fit == "pad":
        small = _on_background(small, settings)
    pixels = np.asarray(small)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def square(decoded: Decoded, settings: PrepareSettings) -> NDArray[np.uint8]:
    """The picture at its final size where `fit` gives one: uint8 (S, S, 1) or (S, S, 3)."""
    return cut(decoded, kept(decoded.size, settings), settings)


def _inner(size: tuple[int, int], settings: PrepareSettings) -> tuple[int, int]:
    side, longer = settings.side, max(size)
    if settings.fit != "pad":
        return side, side
    return max(1, round(size[0] * side / longer)), max(1, round(size[1] * side / longer))


def _on_background(image: Image.Image, settings: PrepareSettings) -> Image.Image:
    side, colour = settings.side, settings.background
    sheet = Image.new("RGB", (side, side), colour)
    sheet.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    grey = image.mode == "L" and (len(set(colour)) == 1 or settings.channels == "grey")
    return sheet.convert("L") if grey else sheet
