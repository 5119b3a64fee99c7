"""What training asks of a pair of networks, whoever wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

from steadygan.networks.latents import Latent
from steadygan.part import Part
from steadygan.spec import ImageSpec


class Pair(NamedTuple):
    """A generator and the discriminator it plays against.

    `generator(latent)`: (N, latent_dim) -> images (N, C, H, W) in -1..1.
    `discriminator(images)`: (N, C, H, W) -> logits (N,); with `with_features=True` also a feature map.
    A conditional network has `classes` > 0 and takes labels int64 (N,) as its second argument.
    A generator whose images in training have another form than pictures has a method `as_training_images` that
    brings reals into it.
    """

    generator: nn.Module
    discriminator: nn.Module


@runtime_checkable
class Networks(Protocol):
    """Settings that build a pair for images of a given form."""

    latent_dim: int

    def build(self, spec: ImageSpec) -> Pair:
        """Build both networks with fresh weights from the global random state."""

    def problems(self, spec: ImageSpec) -> list[str]:
        """Sentences saying why this pair cannot make such images; empty when it can."""


def refusals(family: str, spec: ImageSpec, sizes: Sequence[int], which: str = "") -> list[str]:
    """Why a family that makes only `sizes`, from the smallest up, cannot make such images; empty where it can.

    `which` says in words what `sizes` are, where they are too many to be listed.
    """
    if spec.size == 1:
        return [f"networks: the {family} networks make images, not points; choose --recipe ring"]
    if spec.size not in sizes:
        listed = f"{', '.join(map(str, sizes[:-1]))} or {sizes[-1]}"
        able = which or f"{f'{sizes[0]} to {sizes[-1]}' if isinstance(sizes, range) else listed} pixels"
        below, above = (size for size in sizes if size < spec.size), (size for size in sizes if size > spec.size)
        nearest = [*list(below)[-1:], *list(above)[:1]]
        wrong = f"size: the {family} networks make images of {able}, not {spec.size}"
        return [f"{wrong}; choose another --size, the nearest: {' or '.join(map(str, nearest))}"]
    if spec.channels > 4:
        return [f"networks: the {family} networks make images of 1 to 4 channels, not {spec.channels}"]
    return []


class NetworkSettings(Part):
    """Base of the settings of all families.

    `latent` is the distribution of the generator's numbers: standard normal, or uniform on -1..1 as the DCGAN paper
    has it (Radford et al. 2016, figure 1) and the eleven hacks advise against.

    `class_parts` are the modules of either network without which it is the one that is told no classes.
    """

    class_parts: ClassVar[tuple[str, ...]] = ()

    latent: Latent = "normal"


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def classes_of(network: nn.Module) -> int:
    """How many classes a network is conditioned on; 0 for none. Such a network has an attribute `classes`."""
    return int(getattr(network, "classes", 0))


def logits_of(maps: Tensor) -> Tensor:
    """(N, 1, 1, 1) -> (N,)."""
    return maps.flatten()
