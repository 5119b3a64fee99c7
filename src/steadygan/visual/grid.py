"""Images side by side on one sheet, and images as files."""

from __future__ import annotations

import math
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from steadygan.errors import DataError
from steadygan.rundir import atomic_path, storage_errors, through_links

Images = NDArray[np.uint8]
"""A batch of images as on disk: (N, H, W, C) in [0, 255]."""

SHEET_WIDTH = 850
BACKGROUND = 255
_LEVEL = 3  # of PNG: a fifth of the default's time, a tenth larger
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def grid(images: Images, columns: int | None = None, scale: int | None = None, padding: int = 2) -> Image.Image:
    """All images of a batch (N, H, W, C) on one sheet, row by row.

    By default nearly square, and small images are enlarged by a whole factor without smoothing, so
    that the sheet comes out some 700 to 1000 pixels wide; images are never made smaller. `padding`
    is in pixels of the sheet, between images and around them. One or two channels are shown as the
    first one in grey; of four or more the first three are shown, because the fourth is as often
    infrared as it is transparency. Raises DataError if there is no image or it is not a uint8 batch.
    """
    tiles = _visible(_checked(images))
    number, height, width, channels = tiles.shape
    columns = columns or columns_of(number)
    rows = math.ceil(number / columns)
    factor = scale or _factor(columns * width)
    high, wide = height * factor + padding, width * factor + padding
    sheet = np.full((rows * high + padding, columns * wide + padding, channels), BACKGROUND, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        top, left = row * high + padding, column * wide + padding
        sheet[top : top + height * factor, left : left + width * factor] = tile.repeat(factor, 0).repeat(factor, 1)
    return _pillow(sheet)


def columns_of(number: int, classes: int = 0) -> int:
    """Columns of a nearly square sheet; a multiple of `classes` where that is at most twice as wide."""
    square = math.ceil(math.sqrt(number))
    whole = math.ceil(square / max(1, classes)) * max(1, classes)
    return whole if whole <= 2 * square else square


def save_grid(
    images: Images, path: Path, columns: int | None = None, scale: int | None = None, padding: int = 2
) -> None:
    """Write the `grid` of these images, atomically; the format follows the suffix, usually `.png`."""
    save_picture(grid(images, columns, scale, padding), path)


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write one picture, atomically; the format follows the suffix, usually `.png`, which it is without one, too."""
    with atomic_path(path) as part:
        picture.save(part, format=None if path.suffix else "PNG", compress_level=_LEVEL)


def as_png(picture: Image.Image) -> bytes:
    """The very bytes of a PNG that `save_picture` writes."""
    picture.save(made := BytesIO(), "PNG", compress_level=_LEVEL)
    return made.getvalue()


def save_images(images: Images, folder: Path, numbers: Iterable[int] | None = None) -> list[Path]:
    """One PNG per image, named by its number, `00000.png` and on; other files in `folder` are left alone.

    Four channels are all kept, the fourth as alpha; of two the first is written, of more than four the first three.
    """
    made = one_by_one(images)
    with storage_errors(folder):
        folder = through_links(folder)
    paths = [folder / f"{index:05d}.png" for index in (range(len(made)) if numbers is None else numbers)]
    for picture, path in zip(made, paths, strict=True):
        save_picture(picture, path)
    return paths


def one_by_one(images: Images) -> list[Image.Image]:
    """Each image of a batch (N, H, W, C) as a picture, with the channels that `save_images` keeps."""
    kept = _checked(images)
    return [_pillow(image) for image in (kept if kept.shape[3] == 4 else _visible(kept))]


def _checked(images: Images) -> Images:
    if images.ndim != 4 or images.dtype != np.uint8 or not images.size:
        raise DataError(
            f"images must be uint8 of shape (N, H, W, C) with N ≥ 1, not {images.dtype} of shape {images.shape}"
        )
    return images


def _visible(images: Images) -> Images:
    return images[..., :1] if images.shape[3] < 3 else images[..., :3]


def _factor(width: int) -> int:
    """Whole factor that brings `width` nearest to SHEET_WIDTH, counted in ratio."""
    smaller = max(1, SHEET_WIDTH // width)
    undershoot, overshoot = SHEET_WIDTH / (smaller * width), (smaller + 1) * width / SHEET_WIDTH
    return smaller if undershoot <= overshoot else smaller + 1


def _pillow(image: Images) -> Image.Image:
    """One image (H, W, C) for Pillow."""
    channels = image.shape[2]
    return Image.fromarray(np.ascontiguousarray(image[..., 0] if channels == 1 else image), _MODES[channels])
