"""Augmentation of everything the discriminator sees, as strong as its overfitting asks for."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, distributed, nn

from steadygan.augment.base import Show, Turn, chosen, normal, uniform
from steadygan.ops.colour import brightness, contrast, hue, luma_flip, recolour, saturation
from steadygan.ops.warp import cut_out, move_pixels, rotation, scaling, shift, warp
from steadygan.part import Part
from steadygan.schedule import Count, ScheduleSettings, Share
from steadygan.spec import ImageSpec


class ADAPipeline(Show):
    """The pipeline of Karras et al. (2020), appendix B, each step done to each image with probability `amount`.

    (N, C, S, S) -> (N, C, S, S). All moves are one warp and all changes of colour one matrix.
    """

    def __init__(
        self, amount: float | ScheduleSettings = 0.0, *, blitting: bool, geometry: bool, colour: bool, cutout: bool
    ) -> None:
        super().__init__(amount)
        self.blitting, self.geometry, self.colour, self.cutout = blitting, geometry, colour, cutout

    def change(self, images: Tensor) -> Tensor:
        blits = self._blits(images) if self.blitting else []
        if self.geometry:
            images = warp(images, _product(blits + self._moves(images)))
        elif blits:
            images = move_pixels(images, _product(blits), beyond="reflection")
        if self.colour:
            images = recolour(images, _product(self._colours(images)))
        return self._cut(images) if self.cutout else images

    def _blits(self, images: Tensor) -> list[Tensor]:
        """Moves that keep every pixel: mirror, quarter turns, shifts by whole pixels up to 1/8 of the side."""
        size, some = images.shape[-1], partial(chosen, images, self.amount)
        shifted = some() * 2 / (size - 1)
        return [
            scaling(1 - 2 * some() * uniform(images, 0, 2).floor(), torch.ones_like(shifted)),
            rotation(math.pi / 2 * some() * uniform(images, 0, 4).floor()),
            shift(*(shifted * uniform(images, -size / 8, size / 8).round() for _ in range(2))),
        ]

    def _moves(self, images: Tensor) -> list[Tensor]:
        """Scale, turn, stretch, turn again, shift by any part of a pixel."""
        size, some = images.shape[-1], partial(chosen, images, self.amount)
        either = 1 - (1 - self.amount).sqrt()  # of the two turns, so that one or both happen with probability `amount`
        turn, turn_again = (chosen(images, either) * uniform(images, -math.pi, math.pi) for _ in range(2))
        scale, stretch = (torch.exp2(some() * normal(images, 0.2)) for _ in range(2))
        shifted = some() * 2 * size / (size - 1)
        return [
            scaling(scale, scale),
            rotation(turn),
            scaling(stretch, 1 / stretch),
            rotation(turn_again),
            shift(shifted * normal(images, 0.125), shifted * normal(images, 0.125)),
        ]

    def _colours(self, images: Tensor) -> list[Tensor]:
        """Changes of colour, the last one first."""
        some = partial(chosen, images, self.amount)
        return [
            saturation(torch.exp2(some() * normal(images, 1.0))),
            hue(some() * uniform(images, -math.pi, math.pi)),
            luma_flip(some() * uniform(images, 0, 2).floor()),
            contrast(torch.exp2(some() * normal(images, 0.5))),
            brightness(some() * normal(images, 0.2)),
        ]

    def _cut(self, images: Tensor) -> Tensor:
        size = images.shape[-1]
        x, y = (uniform(images, 0, size) for _ in range(2))
        return cut_out(images, x, y, side=chosen(images, self.amount) * size / 2)


class AdaptivePipeline(ADAPipeline):
    """A pipeline whose probability rises while the discriminator is surer of the reals than `target`, and else falls.

    r = E[sign(D(real))] over `every` turns and all processes, equation 1; then the probability moves by the number of
    images in these turns / `speed_images`, and always stays in [0, 1].
    """

    sureness: Tensor

    def __init__(self, *, target: float, speed_images: int, every: int, **kinds: bool) -> None:
        super().__init__(**kinds)
        self.target, self.speed_images, self.every = target, speed_images, every
        self.turns = 0
        self.register_buffer("sureness", torch.zeros(()))

    def watch(self, view: Turn) -> None:
        self.sureness += view.real_logits.float().sign().mean() / self.every  # the sign of NaN is 0
        self.turns += 1
        if self.turns % self.every == 0:
            self._move(len(view.real_logits) * self.every)

    def _move(self, images: int) -> None:
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(self.sureness)
            self.sureness /= distributed.get_world_size()
            images *= distributed.get_world_size()
        self.amount += (self.sureness - self.target).sign() * (images / self.speed_images)
        self.amount.clamp_(0, 1)
        self.sureness.zero_()

    def get_extra_state(self) -> int:
        """How many turns there were: a plain number, because reading it from the device would wait for it."""
        return self.turns

    def set_extra_state(self, state: Any) -> None:
        self.turns = int(state)


class ADA(Part):
    """Adaptive augmentation of reals and fakes alike. Karras et al. (2020), sections 2 and 3, appendix B.

    `blitting`: mirror left to right, quarter turns, shifts by whole pixels. `geometry`: scale, turn, stretch, shift by
    parts of a pixel. `colour`: brightness, contrast, luma flip, hue, saturation. `cutout`: a hole half as wide as the
    image, which like the paper's noise and filters (not here) was of no particular use. Each step is done to each image
    with one probability p. Colours are the first three channels, or the first of fewer, where hue and saturation do
    nothing; a fourth (alpha, infrared) is moved but not coloured.

    p starts at 0 and takes `speed_images` images from 0 to 1, adjusted every `every` turns: up where the mean sign of
    D(real) is above `target`, down where it is below. With a `probability`, a number or a schedule (Huang et al. 2024),
    p is that, and `target`, `speed_images` and `every` do nothing.

    Leaks (section 2.2): scale, stretch, shifts, brightness, contrast and saturation at no p. Mirror, quarter turns,
    turns, luma flip and hue draw evenly from a whole cycle: at p = 1 nobody can see what the generator itself has
    turned; below 1 "unchanged" is the most frequent case, and below 0.8 the authors saw no leak in practice. Nothing
    keeps an adaptive p below 0.8, and on few images it may go beyond.
    """

    paper: ClassVar[str] = "arXiv:2006.06676"
    helps: ClassVar[str] = "A thousand to some ten thousand images: the discriminator stops learning them by heart."
    hurts: ClassVar[str] = "Slow on a processor, and of little use with very many images or with a relativistic loss."

    kind: Literal["ada"] = "ada"
    probability: Share | None = None
    target: float = Field(default=0.6, gt=-1, lt=1)
    speed_images: Count = 500_000
    every: int = Field(default=4, ge=1)
    blitting: bool = True
    geometry: bool = True
    colour: bool = True
    cutout: bool = False

    @model_validator(mode="after")
    def _does_something(self) -> ADA:
        if not (self.blitting or self.geometry or self.colour or self.cutout):
            raise ValueError("blitting, geometry, colour and cutout are all off; choose show=as_is")
        return self

    def build(self, spec: ImageSpec) -> nn.Module:
        kinds = self.model_dump(include={"blitting", "geometry", "colour", "cutout"})
        if self.probability is not None:
            return ADAPipeline(self.probability, **kinds)
        return AdaptivePipeline(target=self.target, speed_images=self.speed_images, every=self.every, **kinds)


def _product(matrices: list[Tensor]) -> Tensor:
    """The matrix product (N, K, K), from left to right."""
    product = matrices[0]
    for matrix in matrices[1:]:
        product = product @ matrix
    return product
