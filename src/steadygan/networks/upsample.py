"""A DCGAN that enlarges by interpolation instead of transposed convolutions, for any square size from 16 to 256."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from steadygan.networks.base import NetworkSettings, Pair, refusals
from steadygan.networks.dcgan import SIZES, sides_of, widths_of
from steadygan.networks.resampling import same
from steadygan.ops.init import dcgan_init_
from steadygan.spec import ImageSpec


def sides_between(size: int, blocks: int | None) -> list[int]:
    """Sides of the maps from the smallest up to the image, halved `blocks` times; None halves down to 4 to 7 pixels."""
    return sides_of(size) if blocks is None else [size >> halvings for halvings in reversed(range(blocks + 1))]


class UpsampleGenerator(nn.Module):
    """A dense layer, then `blocks` of batch norm, enlargement, convolution and ReLU.

    In the last block tanh takes the place of the ReLU, which would leave only the brighter half of the range.
    (N, latent_dim) -> (N, channels, size, size) in -1..1. `blocks` None begins at a side of 4 to 7.
    """

    def __init__(self, *, latent_dim: int = 100, size: int = 64, channels: int = 3, width: int = 64,
                 max_width: int = 512, mode: Literal["nearest", "bilinear"] = "nearest", kernel: int = 3,
                 blocks: int | None = None) -> None:  # fmt: skip
        super().__init__()
        self.latent_dim = latent_dim
        start, *sides = sides_between(size, blocks)
        widths = [*widths_of([start, *sides], width, max_width), channels]
        form = (widths[0], start, start)
        layers: list[nn.Module] = [nn.Linear(latent_dim, widths[0] * start * start), nn.Unflatten(1, form)]
        for (inside, outside), side in zip(pairwise(widths), sides, strict=True):
            layers += [nn.BatchNorm2d(inside), nn.Upsample(side, mode=mode), same(inside, outside, kernel, bias=True)]
            layers += [nn.ReLU() if side < size else nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        dcgan_init_(self)

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)


class UpsampleDiscriminator(nn.Module):
    """`blocks` of convolution of stride 2, leaky ReLU 0.2, dropout of whole maps, batch norm but in the first.

    (N, channels, size, size) -> logits (N,); with features also the last map (N, C, side, side). `blocks` None goes
    down to a side of 4 to 8.
    """

    def __init__(self, *, size: int = 64, channels: int = 3, width: int = 64, max_width: int = 512,
                 dropout: float = 0.25, kernel: int = 3, blocks: int | None = None) -> None:  # fmt: skip
        super().__init__()
        widths = [channels, *reversed(widths_of(sides_between(size, blocks), width, max_width))]
        layers: list[nn.Module] = []
        for number, (inside, outside) in enumerate(pairwise(widths)):
            layers += [nn.Conv2d(inside, outside, kernel, 2, kernel // 2), nn.LeakyReLU(0.2), nn.Dropout2d(dropout)]
            layers += [nn.BatchNorm2d(outside)] if number else []
            size = (size + 1) // 2
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1] * size * size, 1)
        dcgan_init_(self)

    def forward(self, images: Tensor, with_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        features = self.layers(images)
        logits = self.head(features.flatten(1)).flatten()
        return (logits, features) if with_features else logits


class Upsample(NetworkSettings):
    """The pair of "DCGAN in PyTorch, upsampling variant": it enlarges maps and then convolves them.

    The article gives the order of the layers and leaves their number open: `generator_blocks` double the side,
    `discriminator_blocks` halve it, each from 1 up to what the size has room for (6 at 64 pixels); more are for harder
    data. None takes as many as leave maps of 4 to 7 pixels, in D up to 8. `kernel` is that of every convolution. It and
    `dropout` are ours, as the article names no size and no rate: 3×3, and a quarter of the discriminator's maps, whole
    ones, left out at random in training; 0 leaves out none. `mode` is how maps are enlarged.
    `width` is the number of channels next to the image; it doubles as the side halves, up to `max_width`. None
    derives it from the size, as for the dcgan networks. That to enlarge before a convolution avoids the checkerboard is
    the finding of Odena et al. (2016), doi:10.23915/distill.00003.

    Meant with Adam, 2e-4 and betas 0.5 and 0.999; reals and fakes may go through the discriminator as one batch.
    """

    paper: ClassVar[str] = "seed:upsample"
    helps: ClassVar[str] = "Pictures lack the checkerboard of transposed convolutions from the first one on."
    hurts: ClassVar[str] = (
        "Convolving at the larger side is about twice a transposed convolution's work, and edges come out softer."
    )

    kind: Literal["upsample"] = "upsample"
    latent_dim: int = Field(default=100, ge=1)
    width: int | None = Field(default=None, ge=1)
    max_width: int = Field(default=512, ge=1)
    mode: Literal["nearest", "bilinear"] = "nearest"
    kernel: Literal[3, 5, 7] = 3
    generator_blocks: int | None = Field(default=None, ge=1)
    discriminator_blocks: int | None = Field(default=None, ge=1)
    dropout: float = Field(default=0.25, ge=0, lt=1)

    def problems(self, spec: ImageSpec) -> list[str]:
        most = spec.size.bit_length() - 1
        blocks = {"generator_blocks": self.generator_blocks, "discriminator_blocks": self.discriminator_blocks}
        return refusals(self.kind, spec, SIZES) or [
            f"networks.{name}: {spec.size} pixels have room for 1 to {most} blocks that halve them, not {count}; "
            f"choose {most} or fewer"
            for name, count in blocks.items()
            if count and count > most
        ]

    def build(self, spec: ImageSpec) -> Pair:
        width = self.width or max(16, min(64, 4096 // spec.size))
        form = {"size": spec.size, "channels": spec.channels, "width": width, "max_width": self.max_width}
        generator = UpsampleGenerator(
            latent_dim=self.latent_dim, mode=self.mode, kernel=self.kernel, blocks=self.generator_blocks, **form
        )
        discriminator = UpsampleDiscriminator(
            dropout=self.dropout, kernel=self.kernel, blocks=self.discriminator_blocks, **form
        )
        return Pair(generator, discriminator)
