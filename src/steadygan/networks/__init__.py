"""Pairs of networks, one file per family; the settings of a family build the pair."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from steadygan.networks.base import Networks, Pair, classes_of, count_parameters
from steadygan.networks.dcgan import DCGAN, DCGANDiscriminator, DCGANGenerator
from steadygan.networks.faces import Faces256
from steadygan.networks.latents import Latents, latents_of
from steadygan.networks.msg import MSG
from steadygan.networks.points import PointDiscriminator, PointGenerator, Points
from steadygan.networks.r3gan import R3GAN, R3GANDiscriminator, R3GANGenerator
from steadygan.networks.resnet import SNGAN, SNGANDiscriminator, SNGANGenerator
from steadygan.networks.satellite import Satellite
from steadygan.networks.upsample import Upsample

AnyNetworks = Annotated[
    DCGAN | Satellite | Upsample | Faces256 | MSG | SNGAN | R3GAN | Points, Field(discriminator="kind")
]

__all__ = [
    "DCGAN",
    "MSG",
    "R3GAN",
    "SNGAN",
    "AnyNetworks",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "Faces256",
    "Latents",
    "Networks",
    "Pair",
    "PointDiscriminator",
    "PointGenerator",
    "Points",
    "R3GANDiscriminator",
    "R3GANGenerator",
    "SNGANDiscriminator",
    "SNGANGenerator",
    "Satellite",
    "Upsample",
    "classes_of",
    "count_parameters",
    "latents_of",
]
