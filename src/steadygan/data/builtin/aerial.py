"""Aerial photographs that never were: fields, forests, meadows, lakes, rivers and towns, seen from straight above."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from steadygan.data.builtin.aerial_land import (
    coast,
    fields,
    forest,
    great_lake,
    lake,
    meadow,
    ponds,
    river,
    wide_river,
)
from steadygan.data.builtin.aerial_render import Layers, canvas_pixels, photograph
from steadygan.data.builtin.aerial_scene import CLASSES, MEADOW, WATER, Colour, Landscape, Light, Shore, Surface, jitter
from steadygan.data.builtin.aerial_town import hamlet, road, town
from steadygan.data.builtin.drawing import Dice, Drawing, check_size
from steadygan.part import Value
from steadygan.spec import ImageSpec

_Part = Callable[[Landscape], None]
_SURVEY = canvas_pixels(16)
LEAVES: tuple[Colour, ...] = ((52, 78, 46), (44, 70, 48), (60, 82, 44), (48, 66, 40), (58, 86, 58))
WATERS: tuple[tuple[Colour, Colour], ...] = (
    ((28, 46, 44), (66, 82, 66)), ((36, 56, 60), (84, 102, 94)), ((62, 74, 56), (98, 102, 74)),
    ((84, 96, 84), (122, 124, 102)), ((26, 60, 72), (78, 120, 116)), ((50, 74, 84), (108, 126, 124)),
)  # fmt: skip
BANKS: tuple[Colour, ...] = ((170, 156, 126), (142, 126, 100), (188, 178, 154), (112, 106, 80), (92, 100, 66))


class _Theme(NamedTuple):
    """How many scenes of 50 are of a kind, its land, and the chances of what is added to it."""

    share: int
    land: tuple[_Part, ...]
    water: tuple[_Part, ...]
    wet: float
    road: float = 0.0
    hamlet: float = 0.0
    woods: float = 0.0


_THEMES = (
    _Theme(13, (fields,), (river, lake), wet=0.22, road=0.55, hamlet=0.5, woods=0.35),
    _Theme(8, (forest,), (river, lake), wet=0.22, road=0.4, hamlet=0.3),
    _Theme(6, (meadow,), (ponds, lake), wet=0.1, road=0.5, hamlet=0.4, woods=0.3),
    _Theme(7, (fields, meadow, forest), (great_lake, wide_river), wet=1.0, road=0.3, hamlet=0.35, woods=0.4),
    _Theme(6, (fields, meadow, forest), (coast, coast, ponds), wet=1.0, road=0.3, hamlet=0.35, woods=0.4),
    _Theme(10, (town,), (river, lake), wet=0.15),
)
_DECK = tuple(theme for theme in _THEMES for _ in range(theme.share))


class Aerial(Value):
    """Scenes seen from straight above, in colour, 16 to 256 pixels; the same scene at every size.

    `variety` is how much exposure, colour cast and haze differ from scene to scene; 0 is the same air everywhere.
    """

    kind: Literal["aerial"] = "aerial"
    variety: float = Field(default=1.0, ge=0, le=2)

    default_count: ClassVar[int] = 4_000

    def class_names(self) -> tuple[str, ...]:
        return CLASSES

    def spec(self, size: int | None = None) -> ImageSpec:
        """The form of its images; ConfigError for a size outside 16 to 256."""
        pixels = check_size(self.kind, 64 if size is None else size, 16, 256)
        return ImageSpec(size=pixels, channels=3, classes=len(CLASSES))

    def draw(self, index: int, size: int) -> Drawing:
        """Landscape number `index`; its label is the class that covers most of it.

        Attributes: `scene` (that class by name), `<class>_fraction` of the area, `houses` and `roads` in sight, and
        `sun_azimuth_degrees` clockwise from the top of the image.
        """
        self.spec(size)
        scene = _plan(Dice(self.kind, index), self.variety)
        layers = Layers(scene, canvas_pixels(size))
        surveyed = layers if layers.canvas == _SURVEY else Layers(scene, _SURVEY)
        shares = np.bincount(surveyed.cover().ravel(), minlength=len(CLASSES)) / _SURVEY**2
        label = int(shares.argmax())
        attributes: dict[str, int | float | str] = {"scene": CLASSES[label], "sun_azimuth_degrees": scene.light.azimuth}
        attributes |= {f"{name}_fraction": float(share) for name, share in zip(CLASSES, shares, strict=True)}
        attributes |= {"houses": scene.houses, "roads": scene.roads}
        return Drawing(photograph(layers.colours(), scene.light, size), attributes, label)

    def land_cover(self, index: int, size: int) -> NDArray[np.uint8]:
        """The true map of scene number `index`: for each pixel of (size, size) an index of `class_names`."""
        self.spec(size)
        cover = Layers(_plan(Dice(self.kind, index), self.variety), canvas_pixels(size)).cover()
        return np.asarray(Image.fromarray(cover).resize((size, size), Image.Resampling.NEAREST))


def _plan(dice: Dice, variety: float) -> Landscape:
    """A whole scene: light, then water, land, woods and what people built."""
    scene = _empty(dice, variety)
    theme = dice.pick(_DECK)
    if dice.chance(theme.wet):
        dice.pick(theme.water)(scene)
    dice.pick(theme.land)(scene)
    if dice.chance(theme.woods):
        scene.wood_level = dice.between(-0.1, 0.6)
    if dice.chance(theme.road):
        built = road(scene)
        if built and dice.chance(theme.hamlet):
            hamlet(scene, built)
    return scene


def _empty(dice: Dice, variety: float) -> Landscape:
    """A scene with its light, its colours and its noise, and nothing on the ground yet."""
    deep, shallow = (jitter(dice, colour, 0.1) for colour in dice.pick(WATERS))
    scene = Landscape(
        dice,
        _light(dice, variety),
        leaf=jitter(dice, dice.pick(LEAVES), 0.16),
        deep=deep,
        shallow=shallow,
        shore=Shore(rim=0.022, ragged=dice.between(0.5, 2.5), bank=dice.between(0.03, 0.35)),
        crowns=dice.whole(0, 2),
        noise=dice.rng.random((4, 24, 24)),
        window=(dice.random(), dice.random()),
    )
    scene.surface(Surface((90, 100, 70), MEADOW))
    scene.surface(Surface(deep, WATER, grain=0.0))
    scene.surface(Surface(jitter(dice, dice.pick(BANKS), 0.1), MEADOW))
    return scene


def _light(dice: Dice, variety: float) -> Light:
    """A sun in the east, south or west, and an air that is the same for everything below."""
    azimuth = dice.between(90, 270)
    bright, cast = 1 + variety * dice.between(-0.12, 0.24), 0.045 * variety
    red, green, blue = (bright * dice.between(1 - cast, 1 + cast) for _ in range(3))
    return Light(
        azimuth=azimuth,
        east=math.sin(math.radians(azimuth)),
        south=-math.cos(math.radians(azimuth)),
        slope=math.tan(math.radians(dice.between(28, 58))),
        shade=dice.between(0.42, 0.66),
        gains=(red, green, blue),
        vivid=1 - 0.28 * variety * dice.random(),
        haze=variety * dice.between(0.0, 0.3) * dice.between(0.2, 1),
        sky=jitter(dice, (158, 170, 176), 0.08),
        gamma=1 + variety * dice.between(0.0, 0.36),
    )
