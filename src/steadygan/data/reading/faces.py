"""The square around the largest face of a picture."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from steadygan.data.reading.decode import Decoded
from steadygan.errors import ConfigError, DataError

NO_FACE = "shows no face that the detector finds"

_MARGIN = 1.5
_RAISED = 0.1
# shorter side of the picture, and border added all round, in pixels; the detector finds faces from 80 pixels on
_LOOKS = ((300, 90), (900, 0))
_ENLARGED = 8.0

Face = tuple[float, float, float]
"""Centre across and down, and side, in pixels of the picture."""


def face_box(decoded: Decoded) -> tuple[int, int, int, int]:
    """The square (left, top, right, bottom, in pixels of the picture) around its largest face.

    Its side is 1.5 times that of the face, which the detector takes to reach from the brows to the chin, or as
    much of that as the picture has room for. Faces count from about a tenth of the shorter side on.
    Raises DataError if no face is found, ConfigError if dlib is missing.
    """
    grey = decoded.image.convert("L")
    for side, border in _LOOKS:
        if found := _faces(grey, side, border):
            across, down, size = max(found, key=lambda face: face[2])
            scale = decoded.size[0] / decoded.image.width
            return _around(across * scale, (down - _RAISED * size) * scale, _MARGIN * size * scale, decoded.size)
    raise DataError(NO_FACE)


def _faces(grey: Image.Image, side: int, border: int) -> list[Face]:
    """Faces by histograms of oriented gradients (Dalal and Triggs 2005), as King (2015) trained them for dlib."""
    scale = min(side / min(grey.size), _ENLARGED)
    size = max(1, round(grey.width * scale)), max(1, round(grey.height * scale))
    pixels = np.asarray(grey.resize(size, Image.Resampling.LANCZOS))
    # a face that fills the picture is found only if something surrounds it
    found = _detector()(np.ascontiguousarray(np.pad(pixels, border, mode="edge")), 0)
    return [
        (
            ((face.left() + face.right()) / 2 - border) / scale,
            ((face.top() + face.bottom()) / 2 - border) / scale,
            face.width() / scale,
        )
        for face in found
    ]


def _around(across: float, down: float, wanted: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    side = max(1, min(round(wanted), *size))
    left = min(max(round(across - side / 2), 0), size[0] - side)
    top = min(max(round(down - side / 2), 0), size[1] - side)
    return left, top, left + side, top + side


@lru_cache(maxsize=1)
def _detector() -> Any:
    try:
        import dlib
    except ImportError as problem:
        raise ConfigError('finding faces needs dlib-bin: pip install "steadygan[faces]"') from problem
    return dlib.get_frontal_face_detector()
