"""Pixels of a part of a huge image as 8 bits, and which of them are data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadygan.data.tiles.raster import Raster
from steadygan.data.tiles.scene import Scene
from steadygan.data.tiles.stretch import Piece, to_bytes

Mask = NDArray[np.bool_]


def read_values(raster: Raster, scene: Scene, box: Piece, step: int = 1) -> tuple[NDArray[Any], Mask]:
    """Values (bands, H, W) as they are stored, and which of them are data (bands, H, W).

    With `step`, of every so many pixels and lines, counted from the corner of the image and not of the part.
    Not data is what has the value for "no data", is not finite, is masked, or where alpha is 0.
    """
    data, window = raster.data, ((box[1], box[3]), (box[0], box[2]))
    every = (slice(None), slice(-box[1] % step, None, step), slice(-box[0] % step, None, step))
    values = data.read(list(scene.bands), window=window)[every]
    valid = np.ones(values.shape, np.bool_)
    if values.dtype.kind == "f":
        valid &= np.isfinite(values)
    if scene.alpha is not None:
        valid &= data.read([scene.alpha], window=window)[every] > 0
    if scene.masked:
        valid &= data.read_masks(list(scene.bands), window=window)[every] > 0
    return values, valid


def read_pixels(raster: Raster, scene: Scene, box: Piece) -> tuple[NDArray[np.uint8], Mask | None]:
    """The picture (H, W, 1 or 3) and where it holds data (H, W); None where it does so everywhere.

    A pixel holds data if any of its bands does. 8-bit values stay as they are even where they are no data; of the
    others what is no data becomes 0.
    """
    if scene.stretch is None and not (scene.palette or scene.masked or scene.alpha):
        pixels = np.empty((box[3] - box[1], box[2] - box[0], len(scene.bands)), np.uint8)
        raster.data.read(list(scene.bands), window=((box[1], box[3]), (box[0], box[2])), out=pixels.transpose(2, 0, 1))
        return (~pixels if scene.inverted else pixels), None
    values, valid = read_values(raster, scene, box)
    if scene.palette and raster.colours is not None:
        colours = raster.colours[values[0]]
        return np.ascontiguousarray(colours[..., :3]), np.logical_and(valid[0], colours[..., 3] > 0)
    if scene.stretch is not None:
        limits = zip(values, scene.stretch, strict=True)
        values = np.stack([to_bytes(band, limit) for band, limit in limits])
        values = ~values if scene.inverted else values
        values[~valid] = 0
    elif scene.inverted:
        values = ~values
    any_band: Mask = np.asarray(valid.any(axis=0), np.bool_)
    return np.ascontiguousarray(values.transpose(1, 2, 0)), any_band
