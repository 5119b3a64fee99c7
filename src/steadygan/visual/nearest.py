"""Generated pictures above the real ones most like them, so that anybody can see whether they are copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from steadygan.visual.grid import Images, grid, save_picture

_INK = (43, 47, 54)
_STRIP = 20
_TITLES = (
    "generated, those nearest to a training image first",
    "the training image nearest to it",
    "the held-out image nearest to it, never trained on",
)


def nearest_sheet(fake: Images, training: Images, held_out: Images) -> Image.Image:
    """Three rows (N, H, W, C) one below the other with their titles: column by column what belongs together."""
    rows = [grid(images, columns=len(images)) for images in (fake, training, held_out)]
    width, height = rows[0].size
    sheet = Image.new("RGB", (width, len(rows) * (height + _STRIP)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for number, (title, row) in enumerate(zip(_TITLES, rows, strict=True)):
        top = number * (height + _STRIP)
        draw.text((4, top + _STRIP // 2), title, _INK, font, anchor="lm")
        sheet.paste(row, (0, top + _STRIP))
    return sheet


def save_nearest(fake: Images, training: Images, held_out: Images, path: Path) -> None:
    """Write the `nearest_sheet` of these images, atomically."""
    save_picture(nearest_sheet(*(np.ascontiguousarray(images) for images in (fake, training, held_out))), path)
