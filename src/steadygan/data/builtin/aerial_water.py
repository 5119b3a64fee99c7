"""The water of an aerial scene: rivers that meander, lakes, dug ponds and coasts."""

from __future__ import annotations

import math

import numpy as np

from steadygan.data.builtin.aerial_scene import (
    BANK_SURFACE,
    WATER_SURFACE,
    Colour,
    Points,
    Scene,
    Shape,
    Shore,
    jitter,
    outlines,
)

SANDS: tuple[Colour, ...] = ((196, 182, 150), (180, 160, 126), (158, 144, 118))
_TURN = np.arange(60) * (math.tau / 60)


def river(scene: Scene) -> None:
    """A river of a tenth of the image or so."""
    _meander(scene, scene.dice.between(0.05, 0.15), scene.dice.between(0.2, 1.5))


def wide_river(scene: Scene) -> None:
    """A stream that fills a third of the image."""
    _meander(scene, scene.dice.between(0.22, 0.42), scene.dice.between(0.1, 0.8))


def _meander(scene: Scene, width: float, swing: float) -> None:
    """A sine-generated curve, the path of least bending work (Langbein and Leopold 1966, USGS paper 422-H)."""
    dice, steps = scene.dice, 44
    waves, phase = dice.between(1.0, 2.6), dice.between(0, math.tau)
    heading = swing * np.sin(np.arange(steps) * (math.tau * waves / steps) + phase)
    path = np.cumsum(np.stack((np.cos(heading), np.sin(heading)), axis=-1), axis=0)
    path *= 1.8 / np.abs(path[-1] - path[0]).max()
    path += np.array([0.0, dice.between(-0.25, 0.25)]) - path.mean(axis=0)
    scene.water.append(Shape(scene.frame(0.0).place(path), WATER_SURFACE, width))


def _ring(scene: Scene, rough: float) -> Points:
    """A closed curve (60, 2) around the origin whose mean radius is 1."""
    radius = np.ones_like(_TURN)
    for waves in range(2, 7):
        radius += rough / waves * np.cos(waves * _TURN + scene.dice.between(0, math.tau))
    return np.stack((np.cos(_TURN) * radius, np.sin(_TURN) * radius), axis=-1)


def lake(scene: Scene) -> None:
    """A lake with bays, somewhere near the middle."""
    _lake(scene, scene.dice.between(0.14, 0.3))


def great_lake(scene: Scene) -> None:
    """A lake that leaves only its shores to the land."""
    _lake(scene, scene.dice.between(0.36, 0.6))


def _lake(scene: Scene, size: float) -> None:
    dice = scene.dice
    shape = _ring(scene, dice.between(0.25, 0.65)) * np.array([size, size * dice.between(0.6, 1.0)])
    scene.water.append(Shape(scene.frame(0.3).place(shape + dice.between(-0.2, 0.2)), WATER_SURFACE))


def ponds(scene: Scene) -> None:
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


def coast(scene: Scene) -> None:
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
