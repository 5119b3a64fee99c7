"""Pairs of networks, one file per family; the settings of a family build the pair."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from steadygan.networks.base import Networks, Pair, count_parameters
from steadygan.networks.dcgan import DCGAN, DCGANDiscriminator, DCGANGenerator
from steadygan.networks.points import PointDiscriminator, PointGenerator, Points

AnyNetworks = Annotated[DCGAN | Points, Field(discriminator="kind")]

__all__ = [
    "DCGAN",
    "AnyNetworks",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "Networks",
    "Pair",
    "PointDiscriminator",
    "PointGenerator",
    "Points",
    "count_parameters",
]
