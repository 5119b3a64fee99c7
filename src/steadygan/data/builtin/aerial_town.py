"""What people built in an aerial scene: towns, hamlets and roads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steadygan.data.builtin.aerial_land import GRASS
from steadygan.data.builtin.aerial_scene import (
    TOWN,
    Colour,
    Frame,
    Landscape,
    Points,
    Shape,
    Surface,
    jitter,
    near,
    outlines,
    polylines,
    subdivide,
)

ROOFS: tuple[tuple[Colour, ...], ...] = (
    ((144, 90, 70), (156, 106, 82), (130, 80, 64), (120, 104, 94)),
    ((112, 109, 102), (94, 92, 88), (136, 132, 122)),
    ((172, 166, 154), (196, 190, 180), (126, 112, 98), (158, 96, 72)),
    ((122, 94, 76), (104, 86, 74), (148, 130, 108), (92, 87, 82)),
)
ASPHALT: tuple[Colour, ...] = ((112, 112, 112), (134, 132, 128), (98, 98, 102), (152, 148, 140))


class Alignment(NamedTuple):
    """The line v = `aside` of a frame."""

    frame: Frame
    aside: float


class Houses(NamedTuple):
    """Rectangles: middles (N, 2), unit vectors along the ridge (N, 2), half lengths (N,) and half widths (N,)."""

    middle: Points
    along: Points
    length: Points
    width: Points


def town(scene: Landscape) -> None:
    """Blocks between streets, cut into lots with a garden and a house each."""
    dice = scene.dice
    frame = scene.frame(dice.pick((0.03, 0.2, 0.4)))
    blocks, streets = subdivide(dice, dice.between(0.08, 0.3), 0.1)
    side = dice.between(0.08, 0.15)
    lots = np.concatenate([_lots(block, side * dice.pick((0.9, 1.0, 1.0, 1.1, 2.0))) for block in blocks])
    lots = lots[near(frame.place((lots[:, :2] + lots[:, 2:]) / 2), 0.1)]
    yard = dice.pick(GRASS if dice.chance(0.75) else ASPHALT)
    yards = [scene.surface(Surface(jitter(dice, yard, 0.2), TOWN, (8, 5, 4), 0.2)) for _ in range(4)]
    trees = dice.pick((20, 60, 110, 150))
    for outline in outlines(frame, lots):
        scene.ground.append(Shape(outline, dice.pick(yards)))
        scene.woods.append(Shape(outline, min(255, int(trees * dice.between(0.2, 1.8)))))
    colour, width = jitter(dice, dice.pick(ASPHALT), 0.08), dice.between(0.022, 0.034)
    for street in polylines(frame, streets):
        if _passable(scene, street):
            pave(scene, street, width, colour)
    build(scene, _one_each(scene, frame, lots), flat=dice.pick((0.0, 0.1, 0.6)))


def _lots(block: Points, side: float) -> Points:
    """A block (4,) cut into a grid of lots (N, 4), each about `side` wide and 1.3 times as deep."""
    x0, y0, x1, y1 = block.tolist()
    columns, rows = max(1, round((x1 - x0) / side)), max(1, round((y1 - y0) / side / 1.3))
    x, y = np.meshgrid(np.arange(columns) / columns * (x1 - x0) + x0, np.arange(rows) / rows * (y1 - y0) + y0)
    wide, high = (x1 - x0) / columns, (y1 - y0) / rows
    return np.stack((x, y, x + wide, y + high), axis=-1).reshape(-1, 4)


def _one_each(scene: Landscape, frame: Frame, lots: Points) -> Houses:
    """A house in nearly every lot (N, 4) of a frame, its ridge along the longer side of the house."""
    draws = scene.dice.rng.random((len(lots), 5))
    lots, draws = lots[draws[:, 0] < 0.92], draws[draws[:, 0] < 0.92]
    middle, size = (lots[:, :2] + lots[:, 2:]) / 2, lots[:, 2:] - lots[:, :2]
    place = frame.place(middle)
    ahead = frame.place(middle + np.array([0.01, 0.0])) - place
    ahead /= np.sqrt((ahead**2).sum(axis=1, keepdims=True))
    half = size * (0.26 + 0.09 * draws[:, 1:3])
    deep = (half[:, 1] > half[:, 0])[:, None]
    along = np.where(deep, np.stack((-ahead[:, 1], ahead[:, 0]), axis=1), ahead)
    aside = (draws[:, 3:5] - 0.5) * 0.15 * size.min(axis=1, keepdims=True)
    return Houses(place + aside, along, half.max(axis=1), half.min(axis=1))


def build(scene: Landscape, houses: Houses, flat: float) -> None:
    """Paint houses on dry land: two roof faces lit by their angle to the sun, or a flat roof with chance `flat`."""
    dice, light = scene.dice, scene.light
    houses = Houses(*(part[scene.dry(houses.middle)] for part in houses))
    roofs = [jitter(dice, colour, 0.12) for colour in dice.pick(ROOFS)]
    across = np.stack((-houses.along[:, 1], houses.along[:, 0]), axis=1)
    lit = across[:, 0] * light.east + across[:, 1] * light.south
    end, side = houses.along * houses.length[:, None], across * houses.width[:, None]
    ridge = np.stack((houses.middle - end, houses.middle + end), axis=1)
    faces = [np.concatenate((ridge, ridge[:, ::-1] + way[:, None]), axis=1) for way in (side, -side)]
    height = 0.75 * float(houses.width.mean()) if len(lit) else 0.0
    shades: dict[tuple[int, int], int] = {}

    def roof(colour: int, tone: int) -> int:
        if (colour, tone) not in shades:
            r, g, b = (part * (1 + 0.075 * tone) for part in roofs[colour])
            shades[colour, tone] = scene.surface(Surface((r, g, b), TOWN, grain=0.04, height=height))
        return shades[colour, tone]

    for k, facing in enumerate(lit.tolist()):
        level = houses.width[k] > 0.06 or dice.chance(flat)
        colour, tone = dice.whole(0, len(roofs) - 1), 0 if level else round(4 * facing)
        scene.roofs.append(Shape(faces[0][k], roof(colour, tone)))
        scene.roofs.append(Shape(faces[1][k], roof(colour, -tone)))
    scene.houses += int(near(houses.middle, 0.0).sum())


def pave(scene: Landscape, line: Points, width: float, colour: Colour) -> None:
    """A road along a line (N, 2): verge, surface and, if wide enough to be seen, a line in the middle."""
    r, g, b = colour
    verge = Surface((r * 0.5 + 55, g * 0.5 + 54, b * 0.5 + 38), TOWN)
    scene.verges.append(Shape(line, scene.surface(verge), width * 1.5))
    scene.paved.append(Shape(line, scene.surface(Surface(colour, TOWN, grain=0.03)), width))
    if width > 0.03:
        scene.paved.append(Shape(line, scene.surface(Surface((r + 45, g + 45, b + 38), TOWN)), 0.004))
    scene.roads += 1


def _passable(scene: Landscape, line: Points) -> bool:
    """Whether the part of a line (N, 2) in the image is mostly on land and starts and ends there."""
    dry = scene.dry(line[near(line, 0.1)])
    return bool(len(dry) and dry[0] and dry[-1] and dry.mean() > 0.7)


def road(scene: Landscape) -> Alignment | None:
    """A country road; it may bridge a river, but where a lake leaves it no way there is none."""
    dice = scene.dice
    for _ in range(4):
        frame, aside = scene.frame(0.5), dice.between(-0.35, 0.35)
        line = polylines(frame, np.array([(-0.9, aside, 0.9, aside)]), parts=24)[0]
        if _passable(scene, line):
            pave(scene, line, dice.between(0.016, 0.045), jitter(dice, dice.pick((*ASPHALT, (160, 146, 122))), 0.1))
            return Alignment(frame, aside)
    return None


def hamlet(scene: Landscape, along: Alignment) -> None:
    """Farmyards with a few houses and trees along a road."""
    dice, (frame, aside) = scene.dice, along
    middle, yard = dice.between(-0.3, 0.3), scene.surface(Surface(jitter(dice, dice.pick(GRASS), 0.2), TOWN, (8, 5, 4)))
    boxes: list[tuple[float, float, float, float]] = []
    for _ in range(dice.whole(2, 9)):
        wide, deep = dice.between(0.06, 0.11), dice.between(0.06, 0.1)
        u, v = middle + dice.between(-0.3, 0.3), aside + dice.pick((-1, 1)) * (0.07 + deep / 2)
        if all(abs(u - (x0 + x1) / 2) > wide or (v > aside) != (y0 > aside) for x0, y0, x1, _ in boxes):
            boxes.append((u - wide / 2, v - deep / 2, u + wide / 2, v + deep / 2))
    lots = np.array(boxes)
    for outline in outlines(frame, lots + 0.02 * np.array([-1, -1, 1, 1])):
        scene.ground.append(Shape(outline, yard))
        scene.woods.append(Shape(outline, dice.whole(30, 120)))
    build(scene, _one_each(scene, frame, lots), flat=0.1)
