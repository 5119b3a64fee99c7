"""What the discriminator looks through, at reals and fakes alike: the `show` seam."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from steadygan.augment.noise import AsIs, GaussianNoise, InstanceNoise

AnyShow = Annotated[AsIs | InstanceNoise, Field(discriminator="kind")]

__all__ = ["AnyShow", "AsIs", "GaussianNoise", "InstanceNoise"]
