"""The open land of an aerial scene: fields, forest and meadow."""

from __future__ import annotations

import math

import numpy as np

from steadygan.data.builtin.aerial_scene import (
    FIELDS,
    MEADOW,
    Colour,
    Frame,
    Points,
    Scene,
    Shape,
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


def _background(scene: Scene, surface: Surface) -> None:
    scene.ground.append(Shape(_WHOLE, scene.surface(surface)))


def fields(scene: Scene) -> None:
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


def _borders(scene: Scene, lines: Points) -> None:
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


def _pivots(scene: Scene, crops: list[Colour]) -> None:
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


def forest(scene: Scene) -> None:
    """Crowns nearly everywhere; the floor shows where the wood is thin."""
    dice = scene.dice
    _background(scene, Surface(jitter(dice, dice.pick(GRASS), 0.15), MEADOW, (14, 8, 6), grain=0.2))
    scene.wood_level = dice.pick((-0.9, -0.6, -0.35, -0.2))


def meadow(scene: Scene) -> None:
    """Open grass with dry and lush patches and a few trees."""
    dice, dry = scene.dice, scene.dice.between(-22, 22)
    drift = (dry, dry * dice.between(0.3, 0.7), dry * dice.between(0.2, 0.5))
    _background(scene, Surface(jitter(dice, dice.pick(GRASS), 0.15), MEADOW, drift, dice.between(0.06, 0.22)))
    scene.woods.append(Shape(_WHOLE, dice.whole(0, 40)))
    scene.wood_level = dice.pick((2.0, 0.75, 0.5))
