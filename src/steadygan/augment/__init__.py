"""What the discriminator looks through, at reals and fakes alike: the `show` seam."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from steadygan.augment.ada import ADA, ADAPipeline, AdaptivePipeline
from steadygan.augment.base import Show
from steadygan.augment.diffaugment import DiffAugment, DiffAugmentation
from steadygan.augment.noise import AsIs, GaussianNoise, InstanceNoise

AnyShow = Annotated[AsIs | InstanceNoise | DiffAugment | ADA, Field(discriminator="kind")]

__all__ = [
    "ADA",
    "ADAPipeline",
    "AdaptivePipeline",
    "AnyShow",
    "AsIs",
    "DiffAugment",
    "DiffAugmentation",
    "GaussianNoise",
    "InstanceNoise",
    "Show",
]
