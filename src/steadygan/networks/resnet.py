"""The residual pair of SNGAN: spectral norm in the discriminator, labels by projection.

Miyato et al. (2018), arXiv:1802.05957, appendix B.4: tables 4 (32 pixels), 5 (48) and 6 (128). The order of
operations inside a block and the initial weights, which the tables leave open, are those of the authors' code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from steadygan.networks.base import NetworkSettings, Pair, refusals
from steadygan.networks.dcgan import doubled, sides_of
from steadygan.ops.conditional import ConditionalBatchNorm, Projection
from steadygan.ops.layers import spectrally_normalise_, spectrally_normalise_layer_
from steadygan.spec import ImageSpec


def generator_widths(size: int, width: int) -> list[int]:
    """Channels after the dense layer and after each block of the generator: 128 -> width times 16, 16, 8, 4, 2, 1."""
    halvings = range(len(sides_of(size)))
    return [width * (4 if size <= 32 else min(2**halving, 16)) for halving in reversed(halvings)]


def discriminator_widths(size: int, width: int) -> list[int]:
    """Channels after each block of the discriminator: 128 -> width times 1, 2, 4, 8, 16, 16."""
    if size <= 32:
        return [2 * width] * 4
    halvings = 0
    while size > 4 and size % 2 == 0:
        size, halvings = size // 2, halvings + 1
    return [width * min(2**halving, 16) for halving in range(halvings + 1)]


class UpBlock(nn.Module):
    """Norm, ReLU, doubling, convolution, norm, ReLU, convolution; beside it a 1×1 convolution, doubled.

    Maps (N, inside, H, W), and labels if the norms want them -> (N, outside, 2H, 2W).
    """

    def __init__(self, inside: int, outside: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norms = nn.ModuleList([norm(inside), norm(outside)])
        self.convs = nn.ModuleList([_conv(inside, outside), _conv(outside, outside)])
        self.skip = _conv(inside, outside, side=1, gain=1)

    def forward(self, maps: Tensor, *given: Tensor) -> Tensor:
        inner = self.convs[0](_double(functional.relu(self.norms[0](maps, *given))))
        inner = self.convs[1](functional.relu(self.norms[1](inner, *given)))
        return inner + _double(self.skip(maps))  # a 1×1 convolution and doubling commute; this order is the cheaper


class DownBlock(nn.Module):
    """ReLU, convolution, ReLU, convolution, mean of 2×2; beside it such a mean and a 1×1 convolution.

    (N, inside, H, W) -> (N, outside, H/2, W/2), or H, W without `halve`. The `first` block of a network sees the
    image: it has no ReLU in front and is `outside` wide within, where the others are `inside` wide.
    """

    def __init__(self, inside: int, outside: int, *, halve: bool, first: bool = False) -> None:
        super().__init__()
        within = outside if first else inside
        self.convs = nn.ModuleList([_conv(inside, within), _conv(within, outside)])
        self.skip = _conv(inside, outside, side=1, gain=1) if halve or inside != outside else nn.Identity()
        self.pool = nn.AvgPool2d(2) if halve else nn.Identity()
        self.before = nn.Identity() if first else nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.convs[1](functional.relu(self.convs[0](self.before(maps))))
        return self.pool(inner) + self.skip(self.pool(maps))


class SNGANGenerator(nn.Module):
    """Dense layer, residual blocks that double the sides, batch norm; tanh at the end.

    (N, latent_dim), and labels int64 (N,) if `classes` > 0 -> (N, channels, size, size) in -1..1. Labels choose the
    scales and shifts of the batch norms inside the blocks, as in Miyato and Koyama (2018).
    """

    def __init__(self, *, latent_dim: int = 128, size: int = 32, channels: int = 3, width: int = 64, classes: int = 0,
                 spectral: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.latent_dim, self.classes, self.side = latent_dim, classes, sides_of(size)[0]
        widths = generator_widths(size, width)
        norm = partial(ConditionalBatchNorm, classes) if classes else nn.BatchNorm2d
        self.dense = _dense(latent_dim, widths[0] * self.side**2)
        self.blocks = nn.ModuleList(UpBlock(inside, outside, norm) for inside, outside in pairwise(widths))
        self.norm = nn.BatchNorm2d(widths[-1])
        self.to_image = _conv(widths[-1], channels, gain=1)
        if spectral:
            spectrally_normalise_(self)  # not the class scales: their norm has to grow with the number of classes

    def forward(self, latent: Tensor, *given: Tensor) -> Tensor:
        maps = self.dense(latent).unflatten(1, (-1, self.side, self.side))
        for block in self.blocks:
            maps = block(maps, *given)
        return self.to_image(functional.relu(self.norm(maps))).tanh()


class SNGANDiscriminator(nn.Module):
    """Residual blocks under spectral norm, sums over the whole map, a dense layer.

    (N, channels, size, size), and labels int64 (N,) if `classes` > 0 -> logits (N,); with features also the last
    feature map (N, C, side, side). Labels add a projection (Miyato and Koyama 2018, equation 8).
    """

    def __init__(self, *, size: int = 32, channels: int = 3, width: int = 64, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        widths = discriminator_widths(size, width)
        halvings = 2 if size <= 32 else len(widths) - 1
        blocks = [DownBlock(channels, widths[0], halve=True, first=True)]
        for number, (inside, outside) in enumerate(pairwise(widths), start=1):
            blocks.append(DownBlock(inside, outside, halve=number < halvings))
        self.blocks = nn.Sequential(*blocks)
        self.head = _dense(widths[-1], 1, bias=False)
        self.projection = Projection(classes, widths[-1]) if classes else None
        if self.projection is not None:
            nn.init.xavier_uniform_(self.projection.embedding.weight)
            spectrally_normalise_layer_(self.projection.embedding)
        spectrally_normalise_(self)

    def forward(self, images: Tensor, *given: Tensor, with_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        maps = functional.relu(self.blocks(images))
        with torch.autocast(images.device.type, enabled=False):
            features = maps.float().sum((2, 3))
            logits = self.head(features).flatten()
            if self.projection is not None:
                logits = logits + self.projection(features, *given)
        return (logits, maps) if with_features else logits


def _conv(inside: int, outside: int, side: int = 3, gain: float = math.sqrt(2)) -> nn.Conv2d:
    """A convolution that keeps the sides; weights as Glorot and Bengio (2010), equation 16, times `gain`, biases 0."""
    conv = nn.Conv2d(inside, outside, side, padding=side // 2)
    nn.init.xavier_uniform_(conv.weight, gain)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _dense(inside: int, outside: int, *, bias: bool = True) -> nn.Linear:
    dense = nn.Linear(inside, outside, bias)
    nn.init.xavier_uniform_(dense.weight)
    if dense.bias is not None:
        nn.init.zeros_(dense.bias)
    return dense


def _double(maps: Tensor) -> Tensor:
    # on CUDA autocast lets it copy the pixels in float32; what follows should not inherit that
    return functional.interpolate(maps, scale_factor=2, mode="nearest").to(maps.dtype)


class SNGAN(NetworkSettings):
    """The residual pair with spectral norm in the discriminator. Miyato et al. (2018), arXiv:1802.05957, appendix B.4.

    Sides are 4 to 7 times a power of two. Up to 32 pixels both networks are as in table 4: equally wide at all sides,
    the generator 4 times and the discriminator twice `width`. Above they are as in tables 5 and 6: `width` next to
    the image, doubling as the side halves, up to 16 times. The published `width` is 64, which None means up to 128
    pixels (32 at 256); a CPU wants 8 to 16. `conditional` None follows the labels of the data (arXiv:1802.05637).
    """

    paper: ClassVar[str] = "arXiv:1802.05957"
    helps: ClassVar[str] = "Keeps the discriminator from getting steep at little cost: hinge loss needs no penalty."
    hurts: ClassVar[str] = "Its two 3×3 convolutions at each side cost several times a DCGAN of the same width."

    kind: Literal["sngan"] = "sngan"
    latent_dim: int = Field(default=128, ge=1)
    width: int | None = Field(default=None, ge=1)
    spectral_norm_generator: bool = False
    conditional: bool | None = None

    def width_for(self, size: int) -> int:
        """`width`, or what None means for images of `size` pixels."""
        return self.width or min(64, 8192 // size)

    def problems(self, spec: ImageSpec) -> list[str]:
        found = refusals(self.kind, spec, doubled(16, 256), "16 to 256 pixels, 4 to 7 times a power of two")
        if self.conditional and not spec.classes:
            found.append("networks.conditional: this data set has no labels; leave networks.conditional out")
        return found

    def build(self, spec: ImageSpec) -> Pair:
        form = {"size": spec.size, "channels": spec.channels, "width": self.width_for(spec.size)}
        classes = 0 if self.conditional is False else spec.classes
        generator = SNGANGenerator(
            **form, latent_dim=self.latent_dim, classes=classes, spectral=self.spectral_norm_generator
        )
        return Pair(generator, SNGANDiscriminator(**form, classes=classes))
