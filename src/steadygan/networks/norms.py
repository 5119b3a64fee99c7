"""Normalisations as values.

`layers(width)` stand between a convolution with so many channels and its activation; `generating` and `judging` put
around all layers of a network what the norm needs besides.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import nn

from steadygan.config import BY_NAME
from steadygan.networks.latents import Latents
from steadygan.ops.layers import PixelNormLayer
from steadygan.ops.virtual_batch_norm import FirstReference, FixedReference, VirtualBatchNorm2d
from steadygan.part import Part

__all__ = ["BatchNorm", "InstanceNorm", "NoNorm", "PixelNorm", "VirtualBatchNorm"]


class Norm(Part):
    """Base of the normalisations that look at nothing but the batch before them.

    `centres`: it takes the mean of each channel away, so that a bias just before it would be lost.
    """

    centres: ClassVar[bool]

    def generating(self, layers: nn.Module, latents: Latents) -> nn.Module:
        """The layers of a generator, latents (N, dim, 1, 1) -> images, with what the norm needs around them."""
        return layers

    def judging(self, layers: nn.Module, form: tuple[int, int, int]) -> nn.Module:
        """The layers of a discriminator, images (N, *form) -> features, with what the norm needs around them."""
        return layers


class NoNorm(Norm):
    """No normalisation: the off value, and the choice for gradient penalties. Gulrajani et al. (2017), section 4.

    A penalty asks for one verdict per image, which a batch norm couples; it is also the fastest. The initialisation
    must keep the signal's size then, and deep generators train slowly.
    """

    off: ClassVar[bool] = True
    kind: Literal["none"] = "none"
    centres: ClassVar[bool] = False

    def layers(self, width: int) -> list[nn.Module]:
        return []


class BatchNorm(Norm):
    """Each channel gets mean 0 and variance 1 over the batch. Ioffe and Szegedy (2015), algorithm 1.

    `affine`: with a learnt scale and shift. `momentum`: share of each new batch in the running statistics that are
    used in evaluation.
    """

    paper: ClassVar[str] = "arXiv:1502.03167"
    helps: ClassVar[str] = "Makes the plain DCGAN trainable at all with textbook losses and learning rates."
    hurts: ClassVar[str] = "Couples the images of a batch: at odds with gradient penalties, and noisy in small batches."

    kind: Literal["batch"] = "batch"
    affine: bool = True
    momentum: float = Field(default=0.1, gt=0, le=1)
    centres: ClassVar[bool] = True

    def layers(self, width: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(width, affine=self.affine, momentum=self.momentum)]


class InstanceNorm(Norm):
    """Each channel of each image gets mean 0 and variance 1. Ulyanov et al. (2016), section 2.

    `affine`: with a learnt scale and shift.
    """

    paper: ClassVar[str] = "arXiv:1607.08022"
    helps: ClassVar[str] = "Works at any batch size, also with gradient penalties; at home in translation and style."
    hurts: ClassVar[str] = (
        "Erases each image's mean colour and contrast from the maps, which a discriminator could use."
    )

    kind: Literal["instance"] = "instance"
    affine: bool = True
    centres: ClassVar[bool] = True

    def layers(self, width: int) -> list[nn.Module]:
        return [nn.InstanceNorm2d(width, affine=self.affine)]


class PixelNorm(Norm):
    """Each pixel's feature vector is brought to one length; nothing is learnt. Karras et al. (2018), section 4.2."""

    paper: ClassVar[str] = "arXiv:1710.10196"
    helps: ClassVar[str] = "Keeps a generator's signals from growing without coupling images, so batches may be small."
    hurts: ClassVar[str] = "Weaker than batch norm: no channel is centred, and all pixels must be equally loud."

    kind: Literal["pixel"] = "pixel"
    centres: ClassVar[bool] = False

    def layers(self, width: int) -> list[nn.Module]:
        return [PixelNormLayer()]


class VirtualBatchNorm(Part):
    """Batch norm with the statistics of a fixed batch and of the image itself. Salimans et al. (2016), section 3.5.

    `reference` images go through the current weights ahead of every batch. A generator's are latents drawn once with
    its weights, a discriminator's the first images it is shown in training: reals, as far as its loss looks at reals
    first. With several processes each keeps its own, until a run is resumed from the first one's.
    """

    paper: ClassVar[str] = "arXiv:1606.03498"
    helps: ClassVar[str] = "An image no longer depends on its batch, in training as in evaluation; small batches work."
    hurts: ClassVar[str] = "Every pass also computes the reference: twice the work where it is as large as the batch."

    kind: Literal["virtual_batch"] = "virtual_batch"
    reference: int = Field(default=64, ge=2)
    centres: ClassVar[bool] = True

    def layers(self, width: int) -> list[nn.Module]:
        return [VirtualBatchNorm2d(width, reference=self.reference)]

    def generating(self, layers: nn.Module, latents: Latents) -> nn.Module:
        return FixedReference(layers, latents.draw(self.reference)[:, :, None, None])

    def judging(self, layers: nn.Module, form: tuple[int, int, int]) -> nn.Module:
        return FirstReference(layers, (self.reference, *form))


AnyNorm = Annotated[
    BatchNorm | VirtualBatchNorm | InstanceNorm | PixelNorm | NoNorm, Field(discriminator="kind"), BY_NAME
]
