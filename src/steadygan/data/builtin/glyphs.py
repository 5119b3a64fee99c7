"""Handwritten digits drawn stroke by stroke, grey or three at once in the colour channels."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from steadygan.data.builtin.drawing import Dice, Drawing, check_size
from steadygan.part import Value
from steadygan.spec import ImageSpec

Points = NDArray[np.float64]

# Ways to write each digit: strokes through points x,y in hundredths of a square, y down. A stroke of two points is
# straight, any other a smooth curve; where strokes share an end there is a corner.
WAYS: tuple[tuple[str, ...], ...] = (
    (
        "50,5 24,20 16,52 27,83 50,95 74,82 84,48 75,18 50,5",
        "60,6 34,12 17,42 20,80 47,95 76,75 83,40 70,12 50,7",
    ),
    (
        "52,5 50,95",
        "28,26 55,5 / 55,5 53,95",
        "26,24 53,5 / 53,5 53,93 / 22,93 82,93",
    ),
    (
        "20,28 32,10 60,6 78,24 68,48 42,72 18,92 / 18,92 86,90",
        "22,22 48,5 75,20 68,50 38,85 20,90 20,76 38,78 60,92 86,86",
    ),
    (
        "20,16 46,5 74,17 66,39 40,47 / 40,47 72,54 82,75 56,95 18,84",
        "20,8 78,8 / 78,8 45,42 / 45,42 76,50 80,76 52,95 18,84",
    ),
    (
        "64,5 12,64 / 12,64 90,64 / 64,5 64,95",
        "28,7 18,56 / 18,56 84,54 / 70,10 62,95",
    ),
    ("80,7 30,7 / 30,7 24,45 / 24,45 50,37 80,52 78,80 50,95 17,85",),
    (
        "70,6 40,24 21,55 25,85 52,95 79,80 74,57 48,50 23,68",
        "50,5 30,35 20,70 42,95 72,88 76,65 52,55 24,75",
    ),
    (
        "15,8 85,8 / 85,8 60,45 42,95",
        "15,10 82,8 / 82,8 44,95 / 30,50 80,48",
    ),
    (
        "50,47 25,29 34,9 65,8 76,27 50,47 / 50,47 20,70 33,93 67,93 82,71 50,47",
        "74,16 45,5 25,24 50,47 80,72 52,95 20,76 46,50 72,30 74,16",
    ),
    (
        "78,28 60,7 32,10 21,34 42,52 68,43 78,28 / 78,28 74,62 64,95",
        "76,24 54,5 26,18 26,44 52,52 76,24 / 76,24 78,62 58,94 24,88",
    ),
)


@lru_cache
def _strokes(way: str) -> tuple[Points, ...]:
    """The strokes (N, 2) of a way to write, in [0, 1]."""
    return tuple(
        np.array([[int(part) / 100 for part in point.split(",")] for point in stroke.split()])
        for stroke in way.split("/")
    )


def _weights(parts: int) -> Points:
    """Weights (4, parts, 1) of the four points around a piece of a Catmull-Rom spline (Catmull and Rom 1974)."""
    t = np.arange(parts)[:, None] / parts
    return np.stack((-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)) / 2


_WEIGHTS = _weights(8)


def smooth(points: Points) -> Points:
    """A smooth curve (M, 2) through points (N, 2); two points give the straight line between them."""
    if len(points) == 2:
        return points
    padded = np.concatenate((2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]))
    around = [padded[k : len(padded) - 3 + k, None] for k in range(4)]
    curve = sum(weight * point for weight, point in zip(_WEIGHTS, around, strict=True))
    return np.concatenate((np.reshape(curve, (-1, 2)), points[-1:]))


class Glyphs(Value):
    """Digits 0 to 9, white on black, 8 to 256 pixels; the natural size is 32.

    `stacked` draws three independent digits into the three channels: 1,000 modes, known as the attribute `mode`,
    to count how many a generator covers (Metz et al. 2017, section 3.3.1). Channel c of stacked image i is
    the plain image 3 i + c.
    """

    kind: Literal["glyphs"] = "glyphs"
    stacked: bool = False

    default_count: ClassVar[int] = 20_000

    def class_names(self) -> tuple[str, ...]:
        return () if self.stacked else tuple("0123456789")

    def spec(self, size: int | None = None) -> ImageSpec:
        return ImageSpec(
            size=check_size(self.kind, 32 if size is None else size, 8, 256),
            channels=3 if self.stacked else 1,
            classes=len(self.class_names()),
        )

    def draw(self, index: int, size: int) -> Drawing:
        """Digit number `index`, or digits 3 index to 3 index + 2 if stacked."""
        self.spec(size)
        if not self.stacked:
            image, digit = _write(self.kind, index, size)
            return Drawing(image[:, :, None], {"digit": digit}, digit)
        images, digits = zip(*(_write(self.kind, 3 * index + c, size) for c in range(3)), strict=True)
        mode = 100 * digits[0] + 10 * digits[1] + digits[2]
        return Drawing(np.stack(images, axis=-1), {"mode": mode}, None)


def _hand(dice: Dice) -> tuple[float, float, float, float]:
    """How a writer holds the pen: the matrix (a, b, c, d) that sizes, slants and turns a digit."""
    height, turn, slant = dice.between(0.6, 0.78), dice.between(-0.17, 0.17), dice.between(-0.08, 0.26)
    width = height * dice.between(0.66, 0.95)
    cos, sin = math.cos(turn) * width, math.sin(turn) * width
    tall = height / width
    return cos, -(sin + slant * cos) * tall, sin, (cos - slant * sin) * tall


def _write(kind: str, index: int, size: int) -> tuple[NDArray[np.uint8], int]:
    """One digit as (size, size), and which."""
    dice = Dice(kind, index)
    digit = dice.whole(0, 9)
    a, b, c, d = _hand(dice)
    middle = 0.5 + 0.08 * (dice.rng.random(2) - 0.5)
    wobble = dice.between(0.02, 0.09) * (dice.rng.random((11, 11, 2)) - 0.5)
    canvas = max(128, 2 * size)
    ink, half = dice.whole(205, 255), dice.between(0.032, 0.056) * canvas
    picture = Image.new("L", (canvas, canvas))
    draw = ImageDraw.Draw(picture)
    for points in _strokes(dice.pick(WAYS[digit])):
        row, column = (points * 10).round().astype(int).T
        x, y = smooth(points + wobble[row, column]).T - 0.5
        path = (np.stack((x * a + y * b, x * c + y * d), axis=1) + middle) * canvas - 0.5
        draw.line(path.ravel().tolist(), fill=ink, width=round(2 * half))
        for u, v in path.tolist():
            draw.ellipse((u - half, v - half, u + half, v + half), fill=ink)
    return np.asarray(picture.resize((size, size), Image.Resampling.BOX)), digit
