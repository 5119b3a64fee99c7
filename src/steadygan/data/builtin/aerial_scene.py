"""The plan of an aerial scene: shapes in image widths, x to the right and y down, that know nothing of pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from steadygan.data.builtin.drawing import Dice

Points = NDArray[np.float64]
Colour = tuple[float, float, float]

CLASSES = ("fields", "forest", "meadow", "water", "town")
FIELDS, FOREST, MEADOW, WATER, TOWN = range(5)
NOTHING, WATER_SURFACE, BANK_SURFACE = range(3)
_WET_GRID = 48


class Surface(NamedTuple):
    """How a kind of ground looks. Colours are 0 to 255, heights image widths, furrows lines per image width.

    `drift` is what slow noise adds to the colour, `grain` the strength of fast noise, `relief` that of furrows.
    """

    colour: Colour
    cover: int
    drift: Colour = (0.0, 0.0, 0.0)
    grain: float = 0.1
    furrows: tuple[float, float] = (0.0, 0.0)
    relief: float = 0.0
    height: float = 0.0


class Shape(NamedTuple):
    """A filled polygon (N, 2), or a line if `width` is above 0; `fill` is a surface or, in woods, a density to 255."""

    points: Points
    fill: int
    width: float = 0.0


def paint(mode: str, pixels: int, shapes: list[Shape]) -> Image.Image:
    """Shapes one over the other on a square picture of `pixels`, 0 where there is none."""
    picture = Image.new(mode, (pixels, pixels))
    draw = ImageDraw.Draw(picture)
    for points, fill, width in shapes:
        place = (points * pixels - 0.5).ravel().tolist()
        if width:
            thick = max(1, round(width * pixels))
            draw.line(place, fill=fill, width=thick, joint="curve" if thick > 7 else None)
        else:
            draw.polygon(place, fill=fill)
    return picture


@dataclass(frozen=True)
class Frame:
    """Coordinates (u, v) around the middle of the image, turned, and slightly bent as if surveyed by hand."""

    cos: float
    sin: float
    bend: tuple[float, float, float, float]

    def place(self, points: Points) -> Points:
        """Points (..., 2) of this frame in image widths."""
        u, v = points[..., 0], points[..., 1]
        a, b, c, d = self.bend
        x, y = u + v * v * (a + b * v), v + u * u * (c + d * u)
        return np.stack((x * self.cos - y * self.sin + 0.5, x * self.sin + y * self.cos + 0.5), axis=-1)


@dataclass(frozen=True)
class Light:
    """One sun and one air for the whole scene; (east, south) is the unit vector on the ground towards the sun."""

    azimuth: float
    east: float
    south: float
    slope: float
    shade: float
    gains: Colour
    vivid: float
    haze: float
    sky: Colour
    gamma: float


@dataclass(frozen=True)
class Shore:
    """Where land and water meet: width of the rim, how ragged it is, how much of it is bank, how strong the surf."""

    rim: float
    ragged: float
    bank: float
    surf: float = 0.0


@dataclass
class Landscape:
    """Everything needed to draw a scene at any size. Layers are painted in the order of the lists below."""

    dice: Dice
    light: Light
    leaf: Colour
    deep: Colour
    shallow: Colour
    shore: Shore
    crowns: int
    noise: NDArray[np.float64]
    window: tuple[float, float]
    wood_level: float = 2.0
    surfaces: list[Surface] = field(default_factory=list)
    ground: list[Shape] = field(default_factory=list)
    water: list[Shape] = field(default_factory=list)
    verges: list[Shape] = field(default_factory=list)
    paved: list[Shape] = field(default_factory=list)
    roofs: list[Shape] = field(default_factory=list)
    woods: list[Shape] = field(default_factory=list)
    houses: int = 0
    roads: int = 0

    def surface(self, surface: Surface) -> int:
        """The number of a new surface. A scene holds 255; whatever comes later looks like the last one."""
        if len(self.surfaces) < 255:
            self.surfaces.append(surface)
        return len(self.surfaces) - 1

    def frame(self, bend: float) -> Frame:
        """A frame in a random direction; `bend` is the largest bow of its lines."""
        turn = self.dice.between(0, math.tau)
        a, b, c, d = (self.dice.between(-bend, bend) for _ in range(4))
        return Frame(math.cos(turn), math.sin(turn), (a, b, c, d))

    def dry(self, points: Points) -> NDArray[np.bool_]:
        """Which points (N, 2) are on land, as far as water has been laid out."""
        if not self.water:
            return np.ones(len(points), bool)
        wet = np.asarray(paint("L", _WET_GRID, [Shape(s.points, 1, s.width and s.width + 0.03) for s in self.water]))
        x, y = np.clip((points * _WET_GRID).astype(int), 0, _WET_GRID - 1).T
        dry: NDArray[np.bool_] = wet[y, x] == 0
        return dry


def jitter(dice: Dice, colour: Colour, spread: float) -> Colour:
    """A colour near `colour`: its brightness changes by up to `spread`, each channel by a quarter of that."""
    tone = dice.between(1 - spread, 1 + spread)
    r, g, b = (part * tone * dice.between(1 - spread / 4, 1 + spread / 4) for part in colour)
    return r, g, b


def subdivide(dice: Dice, area: float, strips: float) -> tuple[Points, Points]:
    """Cut the square [-0.78, 0.78] into rectangles of about `area`: rectangles (N, 4) and cuts (M, 4) as x0 y0 x1 y1.

    `strips` is the chance of a cut along the longer side, which makes narrow strips.
    """
    queue, boxes, cuts = [(-0.78, -0.78, 0.78, 0.78)], [], []
    while queue:
        x0, y0, x1, y1 = queue.pop()
        wide, high = x1 - x0, y1 - y0
        part = dice.between(0.34, 0.66)
        x, y = x0 + wide * part, y0 + high * part
        along = dice.chance(strips) and max(wide, high) < 4 * min(wide, high)
        if wide * high < area * dice.between(0.6, 2.0):
            boxes.append((x0, y0, x1, y1))
        elif (wide > high) != along:
            queue += [(x0, y0, x, y1), (x, y0, x1, y1)]
            cuts.append((x, y0, x, y1))
        else:
            queue += [(x0, y0, x1, y), (x0, y, x1, y1)]
            cuts.append((x0, y, x1, y))
    return np.array(boxes), np.array(cuts).reshape(-1, 4)


def outlines(frame: Frame, boxes: Points) -> Points:
    """Boxes (N, 4) of a frame as polygons (N, 8, 2) in image widths; the middles of the sides follow the bend."""
    x0, y0, x1, y1 = boxes.T
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    corners = ((x0, y0), (x, y0), (x1, y0), (x1, y), (x1, y1), (x, y1), (x0, y1), (x0, y))
    return frame.place(np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1))


def polylines(frame: Frame, cuts: Points, parts: int = 6) -> Points:
    """Cuts (M, 4) of a frame as polylines (M, parts + 1, 2) in image widths."""
    steps = np.arange(parts + 1)[:, None] / parts
    start, end = cuts[:, None, :2], cuts[:, None, 2:]
    return frame.place(start + (end - start) * steps)


def near(points: Points, margin: float) -> NDArray[np.bool_]:
    """Which points (N, 2) lie in the image or at most `margin` outside."""
    inside: NDArray[np.bool_] = (points > -margin) & (points < 1 + margin)
    return inside[:, 0] & inside[:, 1]


def in_sight(shapes: Points) -> Points:
    """Those of the shapes (N, corners, 2) whose bounding box meets the image."""
    seen: Points = shapes[((shapes.max(axis=1) > 0) & (shapes.min(axis=1) < 1)).all(axis=1)]
    return seen
