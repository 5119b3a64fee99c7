"""Pictures of 2-D points, the images of size 1 with two channels: where the fakes lie among the reals."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from steadygan.visual.grid import Images, columns_of, grid

Floats = NDArray[np.floating]

EXTENT = 1.08
PAPER = (255, 255, 255)
LINE = (232, 234, 238)
REAL = (148, 152, 160)
FAKE = (213, 70, 20)


def picture(images: Images, reals: Images | None = None, classes: int = 0, columns: int | None = None) -> Image.Image:
    """How a batch (N, H, W, C) of uint8 is shown: a `scatter` if it holds 2-D points, a `grid` otherwise.

    `reals`, of the same form, are drawn behind the points and play no part in a grid. Where so many `classes` come in
    turn, each has columns of its own in the grid, unless it were too wide for that or has so many `columns`.
    """
    if images.shape[1:] != (1, 1, 2):
        return grid(images, columns or columns_of(len(images), classes))
    return scatter(points(images), None if reals is None else points(reals))


def points(images: Images) -> NDArray[np.float64]:
    """The points (N, 2) in [-1, 1] that a uint8 batch (N, 1, 1, 2) stands for."""
    return images.reshape(-1, 2) / 127.5 - 1


def scatter(fake: Floats, real: Floats | None = None, size: int = 512) -> Image.Image:
    """Points (N, 2) in [-1, 1] on a square of `size` pixels: reals grey below, fakes coloured above.

    The second coordinate points upwards. Colour grows deeper where points lie close together;
    points outside the square, or not finite, are not drawn.
    """
    sheet = _paper(size)
    for cloud, colour in ((real, REAL), (fake, FAKE)):
        if cloud is not None and len(cloud):
            cover = 1 - np.exp(-_density(np.asarray(cloud, np.float64), size))
            sheet += cover[..., None] * (np.asarray(colour) - sheet)
    result = Image.fromarray(sheet.round().astype(np.uint8), "RGB")
    if real is not None:
        _legend(result)
    return result


def _legend(sheet: Image.Image) -> None:
    """The words real and fake, each in its colour, in the lower left corner."""
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=max(9, sheet.width // 36))
    left, bottom = sheet.width // 36, sheet.height - sheet.height // 40
    draw.text((left, bottom), "real", REAL, font, anchor="ls")
    draw.text((left + draw.textlength("real  ", font), bottom), "fake", FAKE, font, anchor="ls")


def _paper(size: int) -> NDArray[np.float64]:
    """White with faint lines at every half unit."""
    sheet = np.empty((size, size, 3))
    sheet[:] = PAPER
    lines = _pixels(np.arange(-1, 1.1, 0.5), size).round().astype(int)
    sheet[lines] = LINE
    sheet[:, lines] = LINE
    return sheet


def _pixels(coordinate: Floats, size: int) -> Floats:
    return (coordinate / EXTENT + 1) * (size - 1) / 2


def _density(cloud: Floats, size: int) -> NDArray[np.float64]:
    """Sum of one soft disc per point, smaller and lighter the more points there are."""
    inside = cloud[(np.abs(cloud) <= EXTENT).all(axis=1)]
    radius = size / 512 * np.clip(14 / len(cloud) ** 0.2, 2.0, 7.0)
    reach = int(np.ceil(radius)) + 1
    across, up = _pixels(inside[:, 0], size) + reach, _pixels(-inside[:, 1], size) + reach
    steps = np.arange(-reach, reach + 1)
    rows, columns = (np.rint(place).astype(int)[:, None] + steps for place in (up, across))
    distance = np.hypot((rows - up[:, None])[:, :, None], (columns - across[:, None])[:, None, :])
    discs = np.clip(radius + 0.5 - distance, 0, 1)
    field = np.zeros((size + 2 * reach + 1,) * 2)
    np.add.at(field, (rows[:, :, None], columns[:, None, :]), discs)
    strength = min(1.2, max(0.15, 12 / math.sqrt(len(cloud))))
    return strength * field[reach : reach + size, reach : reach + size]
