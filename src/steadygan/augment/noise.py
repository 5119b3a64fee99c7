"""Nothing at all, and noise on what the discriminator sees."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn


class ShowSettings(BaseModel):
    """Base of what can stand before the discriminator: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class AsIs(ShowSettings):
    """The discriminator sees the images themselves: the off value of `show`."""

    kind: Literal["as_is"] = "as_is"

    def build(self) -> nn.Module:
        return nn.Identity()


class GaussianNoise(nn.Module):
    """Adds N(0, std) to every value, drawn anew at each call: (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, images: Tensor) -> Tensor:
        return images + self.std * torch.randn_like(images)


class InstanceNoise(ShowSettings):
    """Gaussian noise on reals and fakes alike, so that their supports overlap. Sønderby et al. (2017), section 3.

    `std` is in units of the image range -1..1.
    """

    paper: ClassVar[str] = "arXiv:1610.04490"

    kind: Literal["instance_noise"] = "instance_noise"
    std: float = Field(default=0.1, ge=0)

    def build(self) -> nn.Module:
        return GaussianNoise(self.std)
