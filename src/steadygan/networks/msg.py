"""Networks that meet at every scale: the generator shows an image of each size, the discriminator judges all.

Training passes a pyramid of images as one tensor, an atlas (see `steadygan.ops.pyramid`).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from steadygan.networks.base import NetworkSettings, Pair, logits_of, refusals
from steadygan.networks.choices import Players
from steadygan.networks.dcgan import sides_of
from steadygan.ops.layers import MinibatchStddevLayer, PixelNormLayer, spectrally_normalise_
from steadygan.ops.pyramid import pack, pyramid, unpack
from steadygan.spec import ImageSpec

SIZES = (16, 32, 64, 128, 256, 512, 1024)


def widths_of(size: int, width: int, max_width: int) -> list[int]:
    """Channels at each side from 4 pixels up to the image: `width` there, doubled as the side halves."""
    return [min(width * size // side, max_width) for side in sides_of(size)]


class ScaledConv2d(nn.Conv2d):
    """Convolution with N(0, 1) weights times He's constant at run time. Karras et al. (2018), section 4.1.

    Every layer then learns at the same pace under Adam and RMSprop. `fan_in` is how many inputs reach an output,
    where zeros at the border make them fewer than the kernel has.
    """

    def __init__(self, inside: int, outside: int, side: int, padding: int = 0, gain: float = math.sqrt(2),
                 fan_in: int | None = None) -> None:  # fmt: skip
        super().__init__(inside, outside, side, padding=padding)
        self.scale = gain / math.sqrt(fan_in or inside * side * side)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, maps: Tensor) -> Tensor:
        return self._conv_forward(maps, self.weight * self.scale, self.bias)


def bound_(network: nn.Module) -> None:
    """Spectral norm on every layer, in place of He's constant, which would shrink the bounded weight once more.

    The weight behind it stays of unit size, so that every layer still learns at one pace.
    """
    spectrally_normalise_(network)
    for layer in network.modules():
        if isinstance(layer, ScaledConv2d):
            layer.scale = 1.0


class MSGGenerator(nn.Module):
    """Nearest enlargement, convolutions 3×3, leaky ReLU 0.2, pixel norm; 1×1 convolutions make an image at each side.

    Karnewar and Wang (2020), section 2 and the generator of their MSG-ProGAN. (N, latent_dim) -> in training the
    atlas (N, channels, size, size + size/2) of the images of all sides; in evaluation the image
    (N, channels, size, size). The range is -1..1 with `tanh`, else learned, and may be left by a little.
    """

    def __init__(self, *, latent_dim: int = 512, size: int = 64, channels: int = 3, width: int = 256,
                 max_width: int = 512, tanh: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.latent_dim = latent_dim
        widths = widths_of(size, width, max_width)
        first = ScaledConv2d(latent_dim, widths[0], 4, padding=3, fan_in=latent_dim)
        blocks = [nn.Sequential(PixelNormLayer(), first, *_leaky_norm(), *_conv_norm(widths[0], widths[0]))]
        for inside, outside in pairwise(widths):
            layers = [*_conv_norm(inside, outside), *_conv_norm(outside, outside)]
            blocks.append(nn.Sequential(nn.Upsample(scale_factor=2), *layers))
        self.blocks = nn.ModuleList(blocks)
        self.to_rgb = nn.ModuleList(ScaledConv2d(width, channels, 1, gain=1) for width in widths)
        self.range = nn.Tanh() if tanh else nn.Identity()

    def forward(self, latent: Tensor) -> Tensor:
        maps = [self.blocks[0](latent[:, :, None, None])]
        for block in self.blocks[1:]:
            maps.append(block(maps[-1]))
        if not self.training:
            return self.range(self.to_rgb[-1](maps[-1]))
        return pack([self.range(to_rgb(each)) for to_rgb, each in zip(self.to_rgb, maps, strict=True)][::-1])

    def as_training_images(self, real: Tensor) -> Tensor:
        """Real images (N, C, S, S) in the form of this generator's own in training: their atlas."""
        return pack(pyramid(real))


class MSGDiscriminator(nn.Module):
    """Joins the image of each side to its maps there, unchanged (phi simple), and looks at the spread in every block.

    Karnewar and Wang (2020), section 2 and the discriminator of their MSG-ProGAN: convolutions 3×3, leaky ReLU 0.2,
    2×2 averages. Takes an atlas (N, channels, size, size + size/2), or images (N, channels, size, size) whose
    smaller sides it averages itself. -> logits (N,); with features also the last hidden layer (N, C, 1, 1).
    """

    def __init__(self, *, size: int = 64, channels: int = 3, width: int = 256, max_width: int = 512) -> None:
        super().__init__()
        widths = widths_of(size, width, max_width)[::-1]
        last = widths[-1]
        self.from_rgb = ScaledConv2d(channels, widths[0], 1, gain=1)
        joined = [0, *[channels] * (len(widths) - 1)]
        blocks = [
            nn.Sequential(*_spread_conv(inside, more), *_conv(inside, outside, 3, 1), nn.AvgPool2d(2))
            for (inside, outside), more in zip(pairwise(widths), joined, strict=False)
        ]
        self.blocks = nn.ModuleList([*blocks, nn.Sequential(*_spread_conv(last, channels), *_conv(last, last, 4, 0))])
        self.head = ScaledConv2d(last, 1, 1, gain=1)

    def forward(self, images: Tensor, with_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        whole, *smaller = pyramid(images) if images.shape[-1] == images.shape[-2] else unpack(images)
        features = self.blocks[0](self.from_rgb(whole))
        for block, level in zip(self.blocks[1:], smaller, strict=True):
            features = block(torch.cat([features, level.to(features.dtype)], dim=1))
        logits = logits_of(self.head(features))
        return (logits, features) if with_features else logits


def _leaky_norm() -> list[nn.Module]:
    return [nn.LeakyReLU(0.2), PixelNormLayer()]


def _conv_norm(inside: int, outside: int) -> list[nn.Module]:
    return [ScaledConv2d(inside, outside, 3, padding=1), *_leaky_norm()]


def _conv(inside: int, outside: int, side: int, padding: int) -> list[nn.Module]:
    return [ScaledConv2d(inside, outside, side, padding=padding), nn.LeakyReLU(0.2)]


def _spread_conv(width: int, joined: int) -> list[nn.Module]:
    return [MinibatchStddevLayer(group=None), *_conv(width + joined + 1, width, 3, 1)]


class MSG(NetworkSettings):
    """Multi-scale gradients: the discriminator's gradients reach the generator at every side. Karnewar and Wang (2020).

    Their MSG-ProGAN, without growing. `width` is the number of channels next to the image; it doubles as the side
    halves, up to `max_width`. None derives it from the size as published: 16 at 1024 pixels, 512 up to 32.
    Published outputs are linear; `tanh` holds them in -1..1. `spectral_norm` holds every layer of the named players to
    a largest singular value of 1, in place of the scale at run time: Miyato et al. (2018), arXiv:1802.05957,
    section 2.1. The authors have none; "Ten lessons from a year of GANs" names both (lessons 8 and 10).

    Meant with RMSprop or Adam at a rate of 1e-3 to 3e-3, since weights are scaled at run time: the 2e-4 of a DCGAN
    hardly moves them. In training images come as an atlas, which noise, losses, R1 and other gradient penalties
    take as they take images; augmentations that move pixels do not fit it.
    """

    paper: ClassVar[str] = "arXiv:1903.06048"
    helps: ClassVar[str] = (
        "At 128 pixels and more it trains where a plain pair is unstable, without the schedule that growing needs."
    )
    hurts: ClassVar[str] = (
        "Reals and fakes hold half as many pixels again, and augmentations that move pixels do not fit them."
    )

    kind: Literal["msg"] = "msg"
    latent_dim: int = Field(default=512, ge=1)
    width: int | None = Field(default=None, ge=1)
    max_width: int = Field(default=512, ge=1)
    tanh: bool = False
    spectral_norm: Players = "none"

    def problems(self, spec: ImageSpec) -> list[str]:
        return refusals(self.kind, spec, SIZES)

    def build(self, spec: ImageSpec) -> Pair:
        width = self.width or 16 * 1024 // spec.size
        form = {"size": spec.size, "channels": spec.channels, "width": width, "max_width": self.max_width}
        pair = Pair(MSGGenerator(latent_dim=self.latent_dim, tanh=self.tanh, **form), MSGDiscriminator(**form))
        for player, network in pair._asdict().items():
            if self.spectral_norm in (player, "both"):
                bound_(network)
        return pair
