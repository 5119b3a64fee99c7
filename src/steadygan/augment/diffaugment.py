"""Differentiable augmentation of everything the discriminator sees, at a fixed strength."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator
from torch import Tensor, nn

from steadygan.augment.base import Show, chosen, uniform
from steadygan.ops.colour import brightness, coloured, contrast, recolour, saturation
from steadygan.ops.warp import cut_out, move_pixels, shift
from steadygan.part import Part
from steadygan.schedule import ScheduleSettings, Share
from steadygan.spec import ImageSpec


class DiffAugmentation(Show):
    """Colour, translation and cutout, each done to each image with probability `amount`: shape (N, C, S, S) stays."""

    def __init__(self, amount: float | ScheduleSettings, *, colour: bool, translation: bool, cutout: bool) -> None:
        super().__init__(amount)
        self.colour, self.translation, self.cutout = colour, translation, cutout

    def change(self, images: Tensor) -> Tensor:
        if self.colour:
            images = self._recoloured(images)
        if self.translation:
            images = self._translated(images)
        return self._cut(images) if self.cutout else images

    def _recoloured(self, images: Tensor) -> Tensor:
        lighter = chosen(images, self.amount) * uniform(images, -0.5, 0.5)
        purer = 1 + chosen(images, self.amount) * uniform(images, -1, 1)
        starker = 1 + chosen(images, self.amount) * uniform(images, -0.5, 0.5)
        middle = images[:, : coloured(images)].mean((1, 2, 3)) + lighter  # saturation does not change the mean
        return recolour(images, contrast(starker, about=middle) @ saturation(purer) @ brightness(lighter))

    def _translated(self, images: Tensor) -> Tensor:
        size = images.shape[-1]
        pixels = chosen(images, self.amount) * 2 / (size - 1)
        furthest = int(size / 8 + 0.5)
        right, down = (pixels * uniform(images, -furthest, furthest + 1).floor() for _ in range(2))
        return move_pixels(images, shift(right, down), beyond="zeros")

    def _cut(self, images: Tensor) -> Tensor:
        size = images.shape[-1]
        x, y = (uniform(images, 0, size) for _ in range(2))
        return cut_out(images, x, y, side=chosen(images, self.amount) * int(size / 2 + 0.5))


class DiffAugment(Part):
    """Random colour, translation and cutout of reals and fakes, differentiable. Zhao et al. (2020), section 3.3.

    `colour`: brightness ±0.5 in the range -1..1, then saturation × 0..2, then contrast × 0.5..1.5 about the image's
    mean. `translation`: whole pixels up to 1/8 of the side, 0 where the image has gone. `cutout`: a square of 0, half
    as wide as the image, its centre anywhere in it. Each is done to each image with `probability`, the paper's 1.
    Colours are the first three channels, or the first of fewer; a fourth (alpha, infrared) is moved and cut but not
    coloured.

    Leaks: a generator that shifts or recolours all its images is found out by what then comes out too far, so colour
    and translation hold at 1; cutout at 1 never shows a whole image. Below 1 no other case is as frequent as
    "unchanged", so nothing leaks in theory, and below about 0.8 in practice (Karras et al. 2020, arXiv:2006.06676,
    section 2.2).
    """

    paper: ClassVar[str] = "arXiv:2006.10738"
    helps: ClassVar[str] = "Hundreds to a few thousand images: the discriminator cannot learn them by heart so soon."
    hurts: ClassVar[str] = "With many images it only makes the game harder, and what does not leak still costs detail."

    kind: Literal["diff_augment"] = "diff_augment"
    colour: bool = True
    translation: bool = True
    cutout: bool = True
    probability: Share = 1.0

    @model_validator(mode="after")
    def _does_something(self) -> DiffAugment:
        if not (self.colour or self.translation or self.cutout):
            raise ValueError("colour, translation and cutout are all off; choose show=as_is")
        return self

    def build(self, spec: ImageSpec) -> nn.Module:
        return DiffAugmentation(self.probability, colour=self.colour, translation=self.translation, cutout=self.cutout)
