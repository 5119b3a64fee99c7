"""Images of a set as small pictures inside a page."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from steadygan import cards
from steadygan.data.mapped import Images, Pixels

BUDGET = 2_000_000
"""Characters that all pictures of a page may take together."""

_SIDES = (96, 64, 48, 32)
_SHARPEST = 48
_SAMPLES = 16


class Thumbnails:
    """Pictures of the images (N, S, S, C), of a size at which `number` of them fit into a page.

    One channel is shown grey, of more than three the first three. Images of fewer than 8 pixels show nothing.
    """

    def __init__(self, images: Pixels, number: int) -> None:
        self._images = images
        self.visible = len(images) > 0 and images.shape[1] >= 8
        self._side = _SIDES[-1]
        if self.visible:
            sample = np.unique(np.linspace(0, len(images) - 1, _SAMPLES).astype(np.int64))
            each = BUDGET / max(1, number) * len(sample)
            takes = ((side, sum(len(self._data(int(index), side)) for index in sample)) for side in _SIDES)
            self._side = next((side for side, length in takes if length <= each), _SIDES[-1])

    def source(self, index: int) -> str:
        """The image at `index` as an address that holds it."""
        return self._data(index, self._side)

    def _data(self, index: int, side: int) -> str:
        picture = _picture(self._images[np.array([index])][0])
        if picture.width > side:
            picture = picture.resize((side, side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        kind = "PNG" if picture.width < _SHARPEST and side == _SIDES[0] else "JPEG"
        picture.save(file, kind, quality=82)
        return cards.address(file.getvalue())


def _picture(image: Images) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2] < 3 else image[..., :3]))
