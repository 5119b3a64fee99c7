"""Choices inside networks as values: activations, initialisations, and a look at the whole minibatch.

`resampling` and `norms` hold the others. A choice knows no family of networks; any family can use it.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import nn

from steadygan.config import BY_NAME
from steadygan.ops.init import dcgan_init_, he_init_, orthogonal_init_, xavier_init_
from steadygan.ops.layers import MinibatchDiscriminationLayer, MinibatchStddevLayer
from steadygan.part import Part

__all__ = [
    "ELU",
    "He",
    "LeakyReLU",
    "MinibatchDiscrimination",
    "MinibatchStddev",
    "NoMinibatch",
    "Normal",
    "Orthogonal",
    "ReLU",
    "SiLU",
    "Xavier",
]

Players = Literal["none", "discriminator", "generator", "both"]
"""Which networks a choice is made for."""


class ReLU(Part):
    """max(x, 0). Xu et al. (2015), section 2.1; in the DCGAN's generator, Radford et al. (2016), section 3."""

    paper: ClassVar[str] = "arXiv:1505.00853"
    helps: ClassVar[str] = "The cheapest; with a normalisation before it the usual choice in a generator."
    hurts: ClassVar[str] = (
        "In a discriminator its zeros keep gradients from the generator, and a unit can die for good."
    )

    kind: Literal["relu"] = "relu"

    def layer(self) -> nn.Module:
        return nn.ReLU()


class LeakyReLU(Part):
    """x above 0, `slope` x below. Xu et al. (2015), section 2.2 (their a is 1 / `slope`).

    In the DCGAN's discriminator with slope 0.2: Radford et al. (2016), section 3. "Eleven hacks for stable GANs" has it
    in the generator as well, "Fake satellite images: 39 mistakes" leaves that open.
    """

    paper: ClassVar[str] = "arXiv:1505.00853"
    helps: ClassVar[str] = "Lets gradients through for every input, which a generator needs of its discriminator."
    hurts: ClassVar[str] = "Not smooth at 0, which gradient penalties would like; in a generator the gain is not sure."

    kind: Literal["leaky_relu"] = "leaky_relu"
    slope: float = Field(default=0.2, ge=0, lt=1)

    def layer(self) -> nn.Module:
        return nn.LeakyReLU(self.slope)


class ELU(Part):
    """x above 0, exp(x) - 1 below. Clevert et al. (2016), section 3."""

    paper: ClassVar[str] = "arXiv:1511.07289"
    helps: ClassVar[str] = "Keeps mean activations near 0, so that a network without normalisation starts better."
    hurts: ClassVar[str] = (
        'Slower than ReLU, and flat for very negative inputs; the author of "DCGAN 256×256 faces" found it not to work.'
    )

    kind: Literal["elu"] = "elu"

    def layer(self) -> nn.Module:
        return nn.ELU()


class SiLU(Part):
    """x sigmoid(x). Elfwing et al. (2018), section 2."""

    paper: ClassVar[str] = "arXiv:1702.03118"
    helps: ClassVar[str] = (
        "Smooth everywhere, so gradient penalties and path lengths have smooth gradients of their own."
    )
    hurts: ClassVar[str] = "Slower than ReLU, and its backward pass keeps the input in memory."

    kind: Literal["silu"] = "silu"

    def layer(self) -> nn.Module:
        return nn.SiLU()


AnyActivation = Annotated[ReLU | LeakyReLU | ELU | SiLU, Field(discriminator="kind"), BY_NAME]


class Normal(Part):
    """Weights N(0, `std`), batch-norm scales N(1, `std`), biases 0. Radford et al. (2016), section 4."""

    paper: ClassVar[str] = "arXiv:1511.06434"
    helps: ClassVar[str] = "The DCGAN's own; behind a normalisation the scale of the weights hardly matters."
    hurts: ClassVar[str] = "Takes no heed of a layer's width: without normalisation signals shrink layer by layer."

    kind: Literal["normal"] = "normal"
    std: float = Field(default=0.02, gt=0)

    def __call__(self, network: nn.Module) -> None:
        dcgan_init_(network, self.std)


class Xavier(Part):
    """Uniform within ±sqrt(6 / (fan in + fan out)), biases 0. Glorot and Bengio (2010), equation 16."""

    paper: ClassVar[str] = "https://proceedings.mlr.press/v9/glorot10a.html"
    helps: ClassVar[str] = "Keeps forward and backward signals of one size for activations that are linear near 0."
    hurts: ClassVar[str] = "Too small for ReLU, which halves the power of the signal at every layer."

    kind: Literal["xavier"] = "xavier"

    def __call__(self, network: nn.Module) -> None:
        xavier_init_(network)


class He(Part):
    """Weights N(0, 2 / ((1 + `slope`²) fan in)), biases 0. He et al. (2015), equation 15.

    `slope` is that of the leaky ReLU; 0 is for ReLU.
    """

    paper: ClassVar[str] = "arXiv:1502.01852"
    helps: ClassVar[str] = "Keeps the signal's size through many (leaky) ReLU layers without normalisation."
    hurts: ClassVar[str] = (
        "In the last layer of a generator it can start tanh saturated; other activations need other sizes."
    )

    kind: Literal["he"] = "he"
    slope: float = Field(default=0.2, ge=0)

    def __call__(self, network: nn.Module) -> None:
        he_init_(network, self.slope)


class Orthogonal(Part):
    """Each weight, as a matrix, orthogonal times `gain`; biases 0. Saxe et al. (2014).

    `gain` 1 is what Brock et al. (2019) use; sqrt(2) makes up for ReLU.
    """

    paper: ClassVar[str] = "arXiv:1312.6120"
    helps: ClassVar[str] = "All directions are passed on alike, and with spectral norm weights start at norm 1."
    hurts: ClassVar[str] = "One QR decomposition for each weight at the start; the matrix is not quite the convolution."

    kind: Literal["orthogonal"] = "orthogonal"
    gain: float = Field(default=1.0, gt=0)

    def __call__(self, network: nn.Module) -> None:
        orthogonal_init_(network, self.gain)


AnyInit = Annotated[Normal | Xavier | He | Orthogonal, Field(discriminator="kind"), BY_NAME]


class NoMinibatch(Part):
    """Every image is judged by itself: the off value.

    As all of its kind it has a `layer` for features (N, width, side, side) and says how many `channels` that appends.
    """

    off: ClassVar[bool] = True
    kind: Literal["none"] = "none"

    def channels(self) -> int:
        return 0

    def layer(self, width: int, side: int) -> nn.Module:
        return nn.Identity()


class MinibatchDiscrimination(Part):
    """The discriminator sees how near an image is to the others of its batch. Salimans et al. (2016), section 3.2.

    `kernels` similarities, each measured in `dims` dimensions; 100 and 5 as in the authors' code. The sum runs over
    the batch, so that a discriminator trained with one batch size judges batches of another otherwise.
    """

    paper: ClassVar[str] = "arXiv:1606.03498"
    helps: ClassVar[str] = "Against mode collapse: a batch of near copies is seen as a batch."
    hurts: ClassVar[str] = "Millions of weights at the default size, N² memory, and it couples images: at odds with R1."

    kind: Literal["discrimination"] = "discrimination"
    kernels: int = Field(default=100, ge=1)
    dims: int = Field(default=5, ge=1)

    def channels(self) -> int:
        return self.kernels

    def layer(self, width: int, side: int) -> nn.Module:
        return MinibatchDiscriminationLayer(width=width, side=side, kernels=self.kernels, dims=self.dims)


class MinibatchStddev(Part):
    """One map says how much the images of a group differ. Karras et al. (2018), section 3.

    Groups of `group` images; 4 as in the authors' code.
    """

    paper: ClassVar[str] = "arXiv:1710.10196"
    helps: ClassVar[str] = "Against mode collapse at almost no cost: without weights or settings worth tuning."
    hurts: ClassVar[str] = (
        "Couples the images of a group, and reveals only the mean spread, not which images are alike."
    )

    kind: Literal["stddev"] = "stddev"
    group: int = Field(default=4, ge=2)

    def channels(self) -> int:
        return 1

    def layer(self, width: int, side: int) -> nn.Module:
        return MinibatchStddevLayer(group=self.group)


AnyMinibatch = Annotated[NoMinibatch | MinibatchDiscrimination | MinibatchStddev, Field(discriminator="kind"), BY_NAME]
