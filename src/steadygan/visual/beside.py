"""Pictures below those that they stand for, a line of text under each pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from steadygan.visual.grid import Images, grid

_INK = (43, 47, 54)
_STRIP = 22
_COLUMNS = 8
_WIDTH = 160  # of a picture on the sheet, about: room for its text


def side_by_side(above: Images, below: Images, captions: Sequence[str]) -> Image.Image:
    """Pairs of images (N, H, W, C), eight beside each other, the first of each above the second above its caption."""
    factor = max(1, round(_WIDTH / above.shape[2]))
    bands = [
        (
            np.stack([above[start : start + _COLUMNS], below[start : start + _COLUMNS]]),
            captions[start : start + _COLUMNS],
        )
        for start in range(0, len(above), _COLUMNS)
    ]
    columns = min(_COLUMNS, len(above))
    font = ImageFont.load_default(size=13)
    sheet = Image.new("RGB", (columns * (above.shape[2] * factor + 2) + 2, 0), "white")
    for pair, texts in bands:
        top, rows = sheet.height, grid(pair.reshape(-1, *above.shape[1:]), columns=len(texts), scale=factor)
        taller = Image.new("RGB", (sheet.width, top + rows.height + _STRIP), "white")
        taller.paste(sheet, (0, 0))
        taller.paste(rows, (0, top))
        draw = ImageDraw.Draw(taller)
        for column, text in enumerate(texts):
            draw.text((column * rows.width / len(texts) + 4, taller.height - _STRIP / 2), text, _INK, font, anchor="lm")
        sheet = taller
    return sheet
