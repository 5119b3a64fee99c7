"""Heads of small animals in bright colours: what a generator has learnt of them, anybody sees."""

from __future__ import annotations

import colorsys
import math
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from steadygan.data.builtin.drawing import Dice, Drawing, check_size
from steadygan.part import Value
from steadygan.spec import ImageSpec

_Colour = tuple[int, int, int]


class _Shape(NamedTuple):
    """An ellipse, or with few `corners` a triangle, and its mirror image if it is not in the middle.

    Middle and half axes are in units of the head's half width, from the head's middle, y down; `turn` is clockwise in
    radians, `crown` the share of the half above the middle that is there. `part` gives colour and how the size varies.
    """

    part: str
    x: float
    y: float
    wide: float
    high: float
    turn: float = 0.0
    corners: int = 32
    crown: float = 1.0


class _Animal(NamedTuple):
    """Coats as hue in degrees, saturation and value; shapes, the hindmost first; how much lower it stands."""

    coats: tuple[tuple[float, float, float], ...]
    shapes: tuple[_Shape, ...]
    lower: float = 0.0


_HEAD = _Shape("coat", 0, 0, 1, 0.88)
_FACE = (
    _Shape("blush", 0.68, 0.28, 0.18, 0.12),
    _Shape("eye", 0.42, -0.1, 0.17, 0.2),
    _Shape("shine", 0.42, -0.18, 0.07, 0.07),
)
_MOUTH = (_Shape("mouth", 0, 0.42, 0.2, 0.2, crown=0), _Shape("tongue", 0, 0.52, 0.12, 0.08))

ANIMALS = {
    "bear": _Animal(
        ((24, 0.68, 0.62), (32, 0.5, 0.85)),
        (
            _Shape("ear", 0.74, -0.68, 0.37, 0.37), _Shape("pale", 0.74, -0.68, 0.2, 0.2), _HEAD,
            _Shape("pale", 0, 0.38, 0.42, 0.34), _Shape("ink", 0, 0.22, 0.15, 0.1), *_MOUTH, *_FACE,
        ),
    ),
    "cat": _Animal(
        ((28, 0.8, 1.0), (225, 0.12, 0.6)),
        (
            _Shape("ear", 0.64, -0.72, 0.44, 0.64, 0.35, 3), _Shape("pink", 0.64, -0.66, 0.24, 0.36, 0.35, 3), _HEAD,
            _Shape("pale", 0.16, 0.38, 0.22, 0.19), _Shape("pink", 0, 0.24, 0.12, 0.1, math.pi, 3), *_MOUTH, *_FACE,
        ),
    ),
    "chick": _Animal(
        ((50, 0.75, 1.0),),
        (
            _Shape("ear", 0, -0.95, 0.1, 0.26), _Shape("ear", 0.16, -0.9, 0.09, 0.22, 0.6), _HEAD,
            _Shape("beak", 0, 0.3, 0.26, 0.2, 0, 4), *_FACE,
        ),
    ),
    "frog": _Animal(
        ((105, 0.65, 0.78),),
        (
            _Shape("ear", 0.52, -0.68, 0.36, 0.38), _HEAD, _Shape("white", 0.52, -0.68, 0.27, 0.28),
            _Shape("mouth", 0, 0.24, 0.42, 0.24, crown=0), _Shape("tongue", 0, 0.36, 0.24, 0.1),
            _Shape("blush", 0.68, 0.2, 0.18, 0.12),
            _Shape("eye", 0.52, -0.68, 0.16, 0.18), _Shape("shine", 0.52, -0.75, 0.06, 0.06),
        ),
        lower=0.04,
    ),
    "mouse": _Animal(
        ((212, 0.3, 0.78),),
        (
            _Shape("ear", 0.78, -0.62, 0.48, 0.48), _Shape("pink", 0.78, -0.62, 0.31, 0.31), _HEAD,
            _Shape("pink", 0, 0.28, 0.14, 0.11), *_MOUTH, *_FACE,
        ),
    ),
    "panda": _Animal(
        ((220, 0.02, 0.97),),
        (
            _Shape("ink", 0.74, -0.68, 0.36, 0.36), _HEAD, _Shape("ink", 0.44, -0.04, 0.29, 0.35, 0.5),
            _Shape("shine", 0.4, -0.12, 0.11, 0.11), _Shape("ink", 0, 0.26, 0.15, 0.1), *_MOUTH, _FACE[0],
        ),
    ),
    "pig": _Animal(
        ((348, 0.4, 1.0),),
        (
            _Shape("ear", 0.66, -0.74, 0.38, 0.44, 0.5, 3), _HEAD, _Shape("snout", 0, 0.3, 0.36, 0.26),
            _Shape("ink", 0.13, 0.3, 0.07, 0.11), *_FACE,
        ),
    ),
    "rabbit": _Animal(
        ((30, 0.06, 1.0), (28, 0.35, 0.85)),
        (
            _Shape("ear", 0.42, -1.12, 0.27, 0.66, 0.15), _Shape("pink", 0.42, -1.08, 0.13, 0.46, 0.15), _HEAD,
            _Shape("pink", 0, 0.26, 0.12, 0.09), *_MOUTH, *_FACE,
        ),
        lower=0.09,
    ),
}  # fmt: skip


class Critters(Value):
    """Heads of eight animals on a ground of another colour, 16 to 256 pixels; the same picture at every size."""

    kind: Literal["critters"] = "critters"

    default_count: ClassVar[int] = 8_000

    def class_names(self) -> tuple[str, ...]:
        return tuple(ANIMALS)

    def spec(self, size: int | None = None) -> ImageSpec:
        """The form of its images; ConfigError for a size outside 16 to 256."""
        pixels = check_size(self.kind, 64 if size is None else size, 16, 256)
        return ImageSpec(size=pixels, channels=3, classes=len(ANIMALS))

    def draw(self, index: int, size: int) -> Drawing:
        """Head number `index`; its label is the animal. Edges are smooth: it is drawn at 4 times the size."""
        self.spec(size)
        dice = Dice(self.kind, index)
        name = dice.pick(tuple(ANIMALS))
        animal = ANIMALS[name]
        ground, looks = _looks(dice, animal)
        canvas = 4 * size
        head = canvas * dice.between(0.33, 0.38) * (1 - 2 * animal.lower) * np.array((dice.between(0.98, 1.1), 1))
        middle = canvas * np.array((dice.between(0.47, 0.53), dice.between(0.55, 0.59) + animal.lower))
        picture = Image.new("RGB", (canvas, canvas), ground)
        draw = ImageDraw.Draw(picture)
        for shape in animal.shapes:
            colour, wide, high = looks[shape.part]
            outline = _outline(shape, wide, high) * head
            for side in (1, -1) if shape.x else (1,):
                draw.polygon((outline * (side, 1) + middle).ravel().tolist(), fill=colour)
        image = np.asarray(picture.resize((size, size), Image.Resampling.BOX))
        return Drawing(image, {"animal": name}, tuple(ANIMALS).index(name))


def _looks(dice: Dice, animal: _Animal) -> tuple[_Colour, dict[str, tuple[_Colour, float, float]]]:
    """The colour of the ground, far from the coat's, and of every part its colour and how wide and high it is."""
    hue, saturation, value = dice.pick(animal.coats)
    hue += dice.between(-9, 9)
    saturation *= dice.between(0.85, 1.1)
    value *= dice.between(0.92, 1)
    ground = _rgb(hue + dice.between(90, 270), dice.between(0.12, 0.3), dice.between(0.94, 1.0))
    coat, pale = _rgb(hue, saturation, value), _rgb(hue, 0.4 * saturation, (value + 1) / 2)
    eye, ear, mouth = dice.between(0.85, 1.15), dice.between(0.9, 1.2), dice.between(0.5, 1.7)
    ink, white, pink, blush = (40, 30, 42), (255, 255, 255), (255, 165, 175), (255, 140, 150)
    return ground, {
        "coat": (coat, 1, 1), "pale": (pale, 1, 1), "ear": (coat, 1, ear), "pink": (pink, 1, 1),
        "ink": (ink, 1, 1), "eye": (ink, eye, eye), "white": (white, 1, 1), "shine": (white, eye, eye),
        "blush": (blush, 1, 1), "mouth": (ink, 1, mouth), "tongue": ((225, 70, 85), 1, mouth),
        "snout": ((240, 120, 140), 1, 1), "beak": ((255, 140, 30), 1, mouth),
    }  # fmt: skip


def _outline(shape: _Shape, wide: float, high: float) -> NDArray[np.float64]:
    """The corners (N, 2) of a shape `wide` and `high` times as large, the first at its top."""
    angle = np.arange(shape.corners) * (math.tau / shape.corners)
    x, y = wide * shape.wide * np.sin(angle), -high * shape.high * np.minimum(np.cos(angle), shape.crown)
    cos, sin = math.cos(shape.turn), math.sin(shape.turn)
    return np.stack((x * cos - y * sin + shape.x, x * sin + y * cos + shape.y), axis=1)


def _rgb(hue: float, saturation: float, value: float) -> _Colour:
    """Hue in degrees, saturation and value, as 8-bit levels."""
    red, green, blue = colorsys.hsv_to_rgb(hue / 360 % 1, min(saturation, 1), min(value, 1))
    return round(255 * red), round(255 * green), round(255 * blue)
