"""Map tiles: how they are numbered and where they lie (Web Mercator, EPSG:3857)."""

from __future__ import annotations

import math
import re

from steadygan.data.sources.items import Place

MAX_LATITUDE = 85.0511287798066
"""Degrees north and south at which the square map of the world ends."""

MAX_ZOOM = 24

_HALF = math.pi * 6378137.0  # metres from the middle of the map to its edge
_EDGE = 1e-9  # of a tile: a box that ends where a tile begins does not touch it

Bounds = tuple[float, float, float, float]


def tile_range(bbox: Bounds, zoom: int) -> tuple[range, range]:
    """Columns x (from the west) and rows y (from the north) of the tiles that touch west, south, east, north (degrees).

    OpenStreetMap's formulas: x = 2^z (λ + 180)/360, y = 2^z (1 − asinh(tan φ)/π)/2.
    """
    west, south, east, north = bbox
    number: int = 2**zoom

    def rows(latitude: float) -> float:
        angle = math.radians(max(-MAX_LATITUDE, min(MAX_LATITUDE, latitude)))
        return number * (1 - math.asinh(math.tan(angle)) / math.pi) / 2

    x = number * (west + 180) / 360, number * (east + 180) / 360
    y = rows(north), rows(south)
    first, last = (
        [max(0, math.floor(edges[0] + _EDGE)) for edges in (x, y)],
        [min(number, math.ceil(edges[1] - _EDGE)) for edges in (x, y)],
    )
    return range(first[0], last[0]), range(first[1], last[1])


def tile_place(z: int, x: int, y: int) -> Place:
    """Where a tile lies, in metres of EPSG:3857."""
    side = 2 * _HALF / 2**z
    west, north = x * side - _HALF, _HALF - y * side
    return Place(crs="EPSG:3857", bounds=(west, north - side, west + side, north))


def quadkey(z: int, x: int, y: int) -> str:
    """Bing's name of a tile: for each zoom level the number of the quarter, 0 to 3."""
    return "".join(str((x >> level & 1) + 2 * (y >> level & 1)) for level in reversed(range(z)))


_FIELDS = frozenset({"{z}", "{x}", "{y}", "{-y}", "{q}", "{s}"})


def check_template(template: str) -> None:
    """Raise ValueError if an address does not say which tile it means, or has a placeholder that is unknown."""
    found = set(re.findall(r"\{[^{}]*\}", template))
    if unknown := sorted(found - _FIELDS):
        raise ValueError(f"{unknown[0]} is no placeholder; there are {{z}}, {{x}}, {{y}}, {{-y}}, {{q}} and {{s}}")
    if "{q}" not in found and not ({"{z}", "{x}"} <= found and {"{y}", "{-y}"} & found):
        raise ValueError("an address of tiles has {z}, {x} and {y} (or {-y}, or {q} alone) in it")


def tile_url(template: str, z: int, x: int, y: int, servers: str) -> str:
    """The address of a tile: {z}, {x}, {y}, {-y} (rows from the south), {q} (quadkey), {s} (one of the servers)."""
    values = {
        "{z}": str(z),
        "{x}": str(x),
        "{y}": str(y),
        "{-y}": str(2**z - 1 - y),
        "{q}": quadkey(z, x, y),
        "{s}": servers[(x + y) % len(servers)],
    }
    return re.sub(r"\{[^{}]*\}", lambda found: values[found[0]], template)
