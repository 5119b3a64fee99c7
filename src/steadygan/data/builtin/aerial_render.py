"""An aerial scene as pixels: paint the plan, grow the trees, let the sun cast shadows, look through the air.

Arrays of pixels see only + - * / sqrt and comparisons, whose results do not depend on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from steadygan.data.builtin.aerial_scene import (
    BANK_SURFACE,
    FOREST,
    WATER_SURFACE,
    Landscape,
    Light,
    Shape,
    paint,
)
from steadygan.data.builtin.drawing import Dice

Plane = NDArray[np.float32]
Bytes = NDArray[np.uint8]
_CROWN_SPACING = (0.03, 0.044, 0.066)
_SHADOW_TINT: tuple[float, float, float] = (1.0, 0.94, 0.82)


def _noise(random: NDArray[np.float64], pixels: int) -> Plane:
    """Fractal value noise in about [-1, 1]: a lattice refined and halved in strength octave by octave.

    random: (octaves, n, n) in [0, 1), of which octave k uses its first cells * 2**k columns and rows.
    """
    octaves = len(random)
    cells = random.shape[1] >> (octaves - 1)
    field = Image.fromarray(random[0, :cells, :cells].astype(np.float32) - 0.5)
    for octave in range(1, octaves):
        side = cells << octave
        grown = np.asarray(field.resize((side, side), Image.Resampling.BICUBIC))
        detail = random[octave, :side, :side] - 0.5
        field = Image.fromarray(grown + (detail * 0.5**octave).astype(np.float32))
    return np.asarray(field.resize((pixels, pixels), Image.Resampling.BICUBIC)) * np.float32(2)


@lru_cache(maxsize=4)
def _grain(canvas: int) -> Plane:
    """Fast noise over two image widths, from which every scene cuts its own window."""
    dice = Dice("aerial grain", 0)
    return _noise(dice.rng.random((3, 384, 384)), 2 * canvas)


@dataclass(frozen=True)
class _Canopy:
    """A wood of two image widths: for every pixel the tree it belongs to, from which scenes cut their windows."""

    reach_x: NDArray[np.int16]
    reach_y: NDArray[np.int16]
    rank: Bytes
    height: Plane
    tint: Plane


@lru_cache(maxsize=12)
def _canopy(canvas: int, kind: int) -> _Canopy:
    """Every pixel belongs to the highest of the lumpy domes around it, one in each cell of a jittered grid."""
    spacing = _CROWN_SPACING[kind]
    cells, side = int(2 / spacing) + 1, 2 * canvas
    draws = Dice("aerial canopy", kind).rng.random((5, cells + 2, cells + 2)).astype(np.float32)
    grid = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(canvas * spacing)
    cell = grid.astype(np.int32)
    best = np.zeros((side, side), np.float32)
    owner = np.zeros((side, side), np.int32)
    lumps = 1 + 0.5 * _grain(canvas)
    for dy in range(3):
        for dx in range(3):
            row, column = cell[:, None] + dy, cell[None, :] + dx
            x = column - 1 + draws[0, row, column] - grid[None, :]
            y = row - 1 + draws[1, row, column] - grid[:, None]
            radius = 0.5 + 0.45 * draws[2, row, column]
            dome = (1 - (x * x + y * y) * lumps / (radius * radius)) * radius
            higher = dome > best
            best = np.where(higher, dome, best)
            owner = np.where(higher, row * (cells + 2) + column, owner)
    row, column = owner // (cells + 2), owner % (cells + 2)
    x = ((column - 1 + draws[0, row, column]) * np.float32(canvas * spacing)).astype(np.int32)
    y = ((row - 1 + draws[1, row, column]) * np.float32(canvas * spacing)).astype(np.int32)
    here = np.arange(side, dtype=np.int32)
    return _Canopy(
        (x - here[None, :]).astype(np.int16),
        (y - here[:, None]).astype(np.int16),
        (1 + draws[3, row, column] * 250).astype(np.uint8),
        np.sqrt(best) * np.float32(spacing),
        draws[4, row, column] * 2 - 1,
    )


def canvas_pixels(size: int) -> int:
    """Width of the picture that is painted and then reduced to `size` pixels."""
    return max(160, 2 * size)


class Layers:
    """The planes (canvas, canvas) of one scene."""

    def __init__(self, scene: Landscape, canvas: int) -> None:
        self.scene, self.canvas = scene, canvas
        self.slow = _noise(scene.noise, canvas)
        left, top = (int(part * canvas) for part in scene.window)
        self.window = slice(top, top + canvas), slice(left, left + canvas)
        self.fast = _grain(canvas)[self.window]
        self.surface = np.array(paint("L", canvas, scene.ground))
        self.depth: Plane | None = self._flood() if scene.water else None
        built = np.asarray(paint("L", canvas, scene.verges + scene.paved + scene.roofs))
        self.built = built > 0
        np.copyto(self.surface, built, where=self.built)
        self.wood = self._wood()

    def _flood(self) -> Plane:
        """Put water and its bank into the surface; gives back the depth of the water, 1 where deep, below 0 in surf."""
        scene, canvas, shore = self.scene, self.canvas, self.scene.shore
        mask = paint("L", canvas, [Shape(shape.points, 255, shape.width) for shape in scene.water])
        level = _blurred(mask, shore.rim * canvas)
        level += shore.ragged * self.slow * level * (1 - level)
        self.surface[level > 0.5 - shore.bank] = BANK_SURFACE
        self.surface[level > 0.5] = WATER_SURFACE
        shallow = np.clip(2 - 2 * _blurred(mask, 0.05 * canvas), 0, 1)
        depth: Plane = 1 - shallow * shallow
        if shore.surf:
            foam = np.maximum(1 - 14 * np.abs(level - 0.56), 0)
            depth -= shore.surf * foam * np.clip(1.5 + 3 * self.slow, 0, 2)
        return depth

    def _wood(self) -> Bytes:
        """How densely trees stand, from 0 to 255; none in water or on anything built."""
        scene = self.scene
        wood = np.array(paint("L", self.canvas, scene.woods))
        if scene.wood_level < 1:
            grown = np.clip((self.slow - scene.wood_level) * 900 + 128, 0, 255)
            wood = np.maximum(wood, grown.astype(np.uint8))
        wood[self.built | (self.surface == WATER_SURFACE) | (self.surface == BANK_SURFACE)] = 0
        return wood

    def cover(self) -> Bytes:
        """The class of every pixel; a wood counts as forest where at least half of its trees stand."""
        classes: Bytes = np.array([surface.cover for surface in self.scene.surfaces], np.uint8).take(self.surface)
        classes[self.wood >= 128] = FOREST
        return classes

    def _trees(self) -> tuple[NDArray[np.bool_], Plane, Plane]:
        """Where crowns are, how high, and how light their leaves; a tree stands if the wood is dense at its middle."""
        canopy, last = _canopy(self.canvas, self.scene.crowns), self.canvas - 1
        here = np.arange(self.canvas, dtype=np.int32)
        x = np.clip(canopy.reach_x[self.window] + here[None, :], 0, last)
        y = np.clip(canopy.reach_y[self.window] + here[:, None], 0, last)
        height = canopy.height[self.window]
        stands = (self.wood.ravel().take(y * self.canvas + x) > canopy.rank[self.window]) & (height > 0)
        return stands, height * stands, canopy.tint[self.window]

    def _towards(self, plane: Plane, distance: float) -> Plane:
        """For every pixel the value at `distance` pixels towards the sun; at the border the pixel's own."""
        light, n = self.scene.light, self.canvas
        dx, dy = round(light.east * distance), round(light.south * distance)
        moved = plane.copy()
        here_y, here_x = slice(max(0, -dy), n - max(0, dy)), slice(max(0, -dx), n - max(0, dx))
        there_y, there_x = slice(max(0, dy), n - max(0, -dy)), slice(max(0, dx), n - max(0, -dx))
        moved[here_y, here_x] = plane[there_y, there_x]
        return moved

    def _shadow(self, height: Plane) -> Plane:
        """How far every pixel lies in the shadow of something higher towards the sun, in [0, 1]."""
        slope = self.scene.light.slope / self.canvas
        longest = float(height.max()) / slope
        covering = np.zeros_like(height)
        for step in range(1, 7):
            distance = longest * step / 6.5
            np.maximum(covering, self._towards(height, distance) - np.float32(distance * slope), out=covering)
        shadow: Plane = np.clip((covering - height) * np.float32(160), 0, 1)
        return shadow

    def _of(self, values: list[float]) -> Plane:
        """For every pixel the value of its surface."""
        return np.array(values, np.float32).take(self.surface)

    def _tone(self) -> Plane:
        """Brightness of the bare ground: grain and furrows."""
        surfaces = self.scene.surfaces
        tone: Plane = 1 + self.fast * self._of([s.grain for s in surfaces])
        if any(s.relief for s in surfaces):
            at = (np.arange(self.canvas, dtype=np.float32) + np.float32(0.5)) / np.float32(self.canvas)
            phase = self._of([s.furrows[0] for s in surfaces]) * at[None, :]
            phase += self._of([s.furrows[1] for s in surfaces]) * at[:, None]
            phase -= np.floor(phase)
            tone += (np.abs(phase - 0.5) * 4 - 1) * self._of([s.relief for s in surfaces])
        return tone

    def colours(self) -> Bytes:
        """The scene in sunlight, uint8 (canvas, canvas, 3), before the air changes its colours."""
        scene, surfaces = self.scene, self.scene.surfaces
        trees, height, tint = self._trees()
        everything = np.maximum(height, self._of([s.height for s in surfaces])) if scene.roofs else height
        lit = self._towards(height, -1.5) - self._towards(height, 1.5)
        crown = np.clip(1 + lit * np.float32(self.canvas * 0.16), 0.55, 1.5) * (1 + 0.16 * tint + 0.1 * self.fast)
        dark = self._shadow(everything)
        tone = self._tone()
        wet = self.surface == WATER_SURFACE
        picture = np.empty((self.canvas, self.canvas, 3), np.uint8)
        for c in range(3):
            flat = self._of([s.colour[c] for s in surfaces])
            flat += self.slow * self._of([s.drift[c] for s in surfaces])
            flat *= tone
            if self.depth is not None:
                water = scene.shallow[c] + (scene.deep[c] - scene.shallow[c]) * self.depth + 3 * self.fast
                np.copyto(flat, water, where=wet)
            np.copyto(flat, (scene.leaf[c] + 10 * self.slow) * crown, where=trees)
            flat *= 1 - np.float32(scene.light.shade * _SHADOW_TINT[c]) * dark
            picture[:, :, c] = np.clip(flat, 0, 255)
        return picture


def _blurred(mask: Image.Image, radius: float) -> Plane:
    return np.asarray(mask.filter(ImageFilter.BoxBlur(round(radius)))).astype(np.float32) * np.float32(1 / 255)


def photograph(sunlit: Bytes, light: Light, size: int) -> Bytes:
    """A sunlit scene (canvas, canvas, 3) as the camera sees it through the air: uint8 (size, size, 3)."""
    picture = Image.fromarray(sunlit).resize((size, size), Image.Resampling.BOX)
    grey = np.asarray(picture.convert("L"), np.int32)[:, :, None]
    vivid = grey + (((np.asarray(picture) - grey) * round(256 * light.vivid) + 128) >> 8)
    exposed = np.arange(256) / 255 * np.array(light.gains)[:, None]
    seen = 255 * np.minimum(exposed, 1) ** light.gamma
    table = (seen + (np.array(light.sky)[:, None] - seen) * light.haze).round().astype(np.uint8)
    levels: Bytes = table[np.arange(3), np.clip(vivid, 0, 255)]
    return levels
