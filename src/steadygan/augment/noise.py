"""Nothing at all, and noise on what the discriminator sees."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from steadygan.augment.base import Show
from steadygan.part import Part
from steadygan.schedule import NonNegative
from steadygan.spec import ImageSpec


class AsIs(Part):
    """The discriminator sees the images themselves: the off value of `show`."""

    off: ClassVar[bool] = True
    kind: Literal["as_is"] = "as_is"

    def build(self, spec: ImageSpec) -> nn.Module:
        return nn.Identity()


class GaussianNoise(Show):
    """Adds N(0, amount²) to every value, drawn anew at each call: (N, C, H, W) -> (N, C, H, W)."""

    def change(self, images: Tensor) -> Tensor:
        # not randn_like: in channels_last it takes 13 times as long on a processor
        return images + self.amount * torch.randn(images.shape, device=images.device, dtype=images.dtype)


class InstanceNoise(Part):
    """Gaussian noise on reals and fakes alike, so that their supports overlap. Sønderby et al. (2017), section 3.

    `std` is in units of the image range -1..1; the authors lower it during training: `Linear(start=0.1, end=0, ...)`.
    It leaks at no `std`: images whose noisy copies are distributed alike are distributed alike themselves.
    """

    paper: ClassVar[str] = "arXiv:1610.04490"
    helps: ClassVar[str] = (
        "Keeps the discriminator from being sure too early, when reals and fakes have nothing in common."
    )
    hurts: ClassVar[str] = "Detail finer than the noise is learned late or never, unless the noise goes to 0."

    kind: Literal["instance_noise"] = "instance_noise"
    std: NonNegative = 0.1

    def build(self, spec: ImageSpec) -> nn.Module:
        return GaussianNoise(self.std)
