"""Huge images cut into tiles, whether they lie on the disk, in an archive, on a web server or on a server of map tiles.

`Survey` looks at one image and gives a `Scene`, `cut` the tasks that cut it. `Remote` is an image at a web address,
`Xyz` all map tiles in a box. GDAL is loaded when the first image is looked at.
"""

from __future__ import annotations

from steadygan.data.tiles.mercator import tile_place
from steadygan.data.tiles.remote import Remote
from steadygan.data.tiles.scene import Scene
from steadygan.data.tiles.settings import Tiles
from steadygan.data.tiles.strips import BLANK, EMPTY, CutStrip, cut
from steadygan.data.tiles.survey import Survey
from steadygan.data.tiles.xyz import ASK_FROM, MISSING, Xyz

__all__ = [
    "ASK_FROM",
    "BLANK",
    "EMPTY",
    "MISSING",
    "CutStrip",
    "Remote",
    "Scene",
    "Survey",
    "Tiles",
    "Xyz",
    "cut",
    "tile_place",
]
