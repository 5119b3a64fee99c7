"""The ground of an aerial scene: fields, forest, meadow, and the water in it."""

from __future__ import annotations

import math

import numpy as np

from steadygan.data.builtin.aerial_scene import (
    BANK_SURFACE,
    FIELDS,
    MEADOW,
    WATER_SURFACE,
    Colour,
    Frame,
    Landscape,
    Points,
    Shape,
    Shore,
    Surface,
    in_sight,
    jitter,
    near,
    outlines,
    polylines,
    subdivide,
)
from steadygan.data.builtin.drawing import Dice

_WHOLE = np.array([(-0.1, -0.1), (1.1, -0.1), (1.1, 1.1), (-0.1, 1.1)])
_CIRCLE = np.stack((np.cos(np.arange(40) * (math.tau / 40)), np.sin(np.arange(40) * (math.tau / 40))), axis=-1)

CROPS: tuple[Colour, ...] = (
    (58, 84, 50), (70, 98, 58), (92, 112, 66), (46, 68, 44), (118, 126, 80), (150, 142, 98),
    (168, 152, 112), (136, 118, 88), (112, 94, 72), (98, 104, 74), (84, 92, 62), (128, 136, 92),
)  # fmt: skip
SOILS: tuple[Colour, ...] = ((140, 108, 86), (150, 134, 118), (118, 96, 76))
GRASS: tuple[Colour, ...] = ((84, 100, 62), (98, 104, 70), (70, 90, 56), (118, 112, 80), (104, 98, 74))
TRACKS: tuple[Colour, ...] = ((168, 156, 130), (146, 132, 108), (182, 172, 150))
SANDS: tuple[Colour, ...] = ((196, 182, 150), (180, 160, 126), (158, 144, 118))
_TURN = np.arange(60) * (math.tau / 60)


def _background(scene: Landscape, surface: Surface) -> None:
    scene.ground.append(Shape(_WHOLE, scene.surface(surface)))


def fields(scene: Landscape) -> None:
    """A patchwork of parcels with furrows, parted by hedges, tracks or nothing."""
    dice = scene.dice
    frame = scene.frame(dice.pick((0.03, 0.12, 0.3)))
    boxes, cuts = subdivide(dice, dice.pick((0.012, 0.025, 0.05, 0.1)), dice.pick((0.05, 0.25, 0.5)))
    crops = [dice.pick(CROPS + SOILS[:1]) for _ in range(dice.whole(3, 6))]
    if dice.chance(0.15):
        crops = [dice.pick(SOILS)] * 3 + crops[:1]
    _background(scene, Surface(crops[0], FIELDS))
    density, rough = dice.between(30, 110), dice.between(0.03, 0.14)
    for outline in in_sight(outlines(frame, boxes)):
        surface = _parcel(dice, frame, jitter(dice, dice.pick(crops), 0.13), density, rough)
        scene.ground.append(Shape(outline, scene.surface(surface)))
    _borders(scene, in_sight(polylines(frame, cuts, parts=4)))
    if dice.chance(0.15):
        _pivots(scene, crops)


def _parcel(dice: Dice, frame: Frame, colour: Colour, density: float, rough: float) -> Surface:
    along, rate = dice.chance(0.6), dice.between(0.3, 1.0) * density
    return Surface(
        colour,
        FIELDS,
        drift=(dice.between(-9, 9), dice.between(-6, 6), dice.between(-5, 5)),
        grain=rough * dice.between(0.5, 1.5),
        furrows=(frame.cos * rate, frame.sin * rate) if along else (-frame.sin * rate, frame.cos * rate),
        relief=dice.between(0.0, 0.16) if dice.chance(0.7) else 0.0,
    )


def _borders(scene: Landscape, lines: Points) -> None:
    """Hedges and tracks along some of the lines (N, parts, 2) between parcels."""
    dice = scene.dice
    hedges, tracks = dice.pick((0.0, 0.15, 0.5)), dice.pick((0.0, 0.2, 0.7))
    track = scene.surface(Surface(jitter(dice, dice.pick(TRACKS), 0.12), FIELDS))
    width = dice.between(0.006, 0.012)
    for line in lines:
        if dice.chance(tracks):
            scene.ground.append(Shape(line, track, width))
        if dice.chance(hedges):
            scene.woods.append(Shape(line, dice.whole(150, 250), dice.between(0.006, 0.014)))


def _pivots(scene: Landscape, crops: list[Colour]) -> None:
    """Round fields of centre-pivot irrigation, side by side."""
    dice, frame, radius = scene.dice, scene.frame(0.0), scene.dice.between(0.13, 0.3)
    places = np.arange(-3, 4) * 2.08 * radius + dice.between(-radius, radius)
    arm = scene.surface(Surface((140, 132, 108), FIELDS))
    for u in places:
        for v in places:
            middle = frame.place(np.array([u, v]))
            if near(middle[None], radius)[0] and dice.chance(0.75):
                colour = jitter(dice, dice.pick(crops), 0.2)
                circle = middle + radius * _CIRCLE
                scene.ground.append(Shape(circle, scene.surface(Surface(colour, FIELDS, (8, 4, 2), 0.08))))
                scene.ground.append(Shape(np.stack((middle, circle[dice.whole(0, 39)])), arm, 0.006))


def forest(scene: Landscape) -> None:
    """Crowns nearly everywhere; the floor shows where the wood is thin."""
    dice = scene.dice
    _background(scene, Surface(jitter(dice, dice.pick(GRASS), 0.15), MEADOW, (14, 8, 6), grain=0.2))
    scene.wood_level = dice.pick((-0.9, -0.6, -0.35, -0.2))


def meadow(scene: Landscape) -> None:
    """Open grass with dry and lush patches and a few trees."""
    dice, dry = scene.dice, scene.dice.between(-22, 22)
    drift = (dry, dry * dice.between(0.3, 0.7), dry * dice.between(0.2, 0.5))
    _background(scene, Surface(jitter(dice, dice.pick(GRASS), 0.15), MEADOW, drift, dice.between(0.06, 0.22)))
    scene.woods.append(Shape(_WHOLE, dice.whole(0, 40)))
    scene.wood_level = dice.pick((2.0, 0.75, 0.5))


def river(scene: Landscape) -> None:
    """A river of a tenth of the image or so."""
    _meander(scene, scene.dice.between(0.05, 0.15), scene.dice.between(0.2, 1.5))


def wide_river(scene: Landscape) -> None:
    """A stream that fills a third of the image."""
    _meander(scene, scene.dice.between(0.22, 0.42), scene.dice.between(0.1, 0.8))


def _meander(scene: Landscape, width: float, swing: float) -> None:
    """A sine-generated curve, the path of least bending work (Langbein and Leopold 1966, USGS paper 422-H)."""
    dice, steps = scene.dice, 44
    waves, phase = dice.between(1.0, 2.6), dice.between(0, math.tau)
    heading = swing * np.sin(np.arange(steps) * (math.tau * waves / steps) + phase)
    path = np.cumsum(np.stack((np.cos(heading), np.sin(heading)), axis=-1), axis=0)
    path *= 1.8 / np.abs(path[-1] - path[0]).max()
    path += np.array([0.0, dice.between(-0.25, 0.25)]) - path.mean(axis=0)
    scene.water.append(Shape(scene.frame(0.0).place(path), WATER_SURFACE, width))


def _ring(scene: Landscape, rough: float) -> Points:
    """A closed curve (60, 2) around the origin whose mean radius is 1."""
    radius = np.ones_like(_TURN)
    for waves in range(2, 7):
        radius += rough / waves * np.cos(waves * _TURN + scene.dice.between(0, math.tau))
    return np.stack((np.cos(_TURN) * radius, np.sin(_TURN) * radius), axis=-1)


def lake(scene: Landscape) -> None:
    """A lake with bays, somewhere near the middle."""
    _lake(scene, scene.dice.between(0.14, 0.3))


def great_lake(scene: Landscape) -> None:
    """A lake that leaves only its shores to the land."""
    _lake(scene, scene.dice.between(0.36, 0.6))


def _lake(scene: Landscape, size: float) -> None:
    dice = scene.dice
    shape = _ring(scene, dice.between(0.25, 0.65)) * np.array([size, size * dice.between(0.6, 1.0)])
    scene.water.append(Shape(scene.frame(0.3).place(shape + dice.between(-0.2, 0.2)), WATER_SURFACE))


def ponds(scene: Landscape) -> None:
    """Dug ponds with straight banks, side by side."""
    dice, frame = scene.dice, scene.frame(0.1)
    wide, high, gap = dice.between(0.25, 0.6), dice.between(0.25, 0.5), dice.between(0.03, 0.07)
    left, top = dice.between(-0.4, 0.1), dice.between(-0.4, 0.1)
    across, down = dice.whole(1, 3), dice.whole(1, 2)
    boxes = [
        (left + i * (wide + gap), top + j * (high + gap), left + i * (wide + gap) + wide, top + j * (high + gap) + high)
        for i in range(across)
        for j in range(down)
    ]
    scene.water += [Shape(outline, WATER_SURFACE) for outline in outlines(frame, np.array(boxes))]


def coast(scene: Landscape) -> None:
    """Open water on one side."""
    dice = scene.dice
    sand = scene.surfaces[BANK_SURFACE]._replace(colour=jitter(dice, dice.pick(SANDS), 0.08))
    scene.surfaces[BANK_SURFACE] = sand
    scene.shore = Shore(dice.between(0.02, 0.06), dice.between(0.3, 1.2), dice.between(0.2, 0.4), surf=dice.random())
    u = np.linspace(-1, 1, 40)
    v = np.full(40, dice.between(-0.2, 0.25))
    for waves in (1.0, 2.3, 4.1):
        v += dice.between(0.0, 0.12) / waves * np.sin(waves * 3 * u + dice.between(0, math.tau))
    shore = np.stack((u, v), axis=-1)
    sea = np.concatenate((shore, np.array([(1.0, 1.5), (-1.0, 1.5)])))
    scene.water.append(Shape(scene.frame(0.0).place(sea), WATER_SURFACE))
