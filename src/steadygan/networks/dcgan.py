"""The DCGAN pair of Radford et al. (2016), for any square size from 16 to 256.

The discriminator halves the image with strided convolutions until its side is 4 to 7 pixels;
the generator retraces the same sides with transposed convolutions. Odd sides lose a pixel on
the way down and get it back on the way up as output padding, so no size is special.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from steadygan.networks.base import NetworkSettings, Pair, logits_of
from steadygan.ops.init import dcgan_init_, he_init_
from steadygan.spec import ImageSpec


def sides_of(size: int) -> list[int]:
    """Sides of the feature maps from the smallest (4 to 7 pixels) up to the image: 64 -> [4, 8, 16, 32, 64]."""
    sides = [size]
    while sides[0] >= 8:
        sides.insert(0, sides[0] // 2)
    return sides


def widths_of(sides: list[int], width: int, max_width: int) -> list[int]:
    """Channels at each side but the image's own, the widest first: they double as the side halves."""
    return [min(width * 2**halvings, max_width) for halvings in reversed(range(len(sides) - 1))]


class DCGANGenerator(nn.Module):
    """Transposed convolutions 4×4, batch norm, ReLU; tanh at the end. Radford et al. (2016), section 3, figure 1.

    (N, latent_dim) -> (N, channels, size, size) in -1..1.
    """

    def __init__(self, *, latent_dim: int = 100, size: int = 64, channels: int = 3, width: int = 64,
                 max_width: int = 512) -> None:  # fmt: skip
        super().__init__()
        self.latent_dim = latent_dim
        sides = sides_of(size)
        widths = widths_of(sides, width, max_width)
        layers = [nn.ConvTranspose2d(latent_dim, widths[0], sides[0], bias=False), *_norm_relu(widths[0])]
        for (inside, outside), (small, large) in zip(pairwise(widths), pairwise(sides), strict=False):
            layers += [_upsample(inside, outside, small, large), *_norm_relu(outside)]
        layers += [_upsample(widths[-1], channels, sides[-2], sides[-1]), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        dcgan_init_(self)

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent[:, :, None, None])


class DCGANDiscriminator(nn.Module):
    """Strided convolutions 4×4, batch norm but in the first layer, leaky ReLU 0.2. Radford et al. (2016), section 3.

    (N, channels, size, size) -> logits (N,); with features also the last feature map (N, C, side, side).
    """

    def __init__(
        self, *, size: int = 64, channels: int = 3, width: int = 64, max_width: int = 512, normalised: bool = True
    ) -> None:
        super().__init__()
        sides = sides_of(size)
        widths = widths_of(sides, width, max_width)[::-1]
        layers = [nn.Conv2d(channels, widths[0], 4, 2, 1, bias=not normalised), nn.LeakyReLU(0.2)]
        for inside, outside in pairwise(widths):
            layers.append(nn.Conv2d(inside, outside, 4, 2, 1, bias=not normalised))
            layers += [nn.BatchNorm2d(outside), nn.LeakyReLU(0.2)] if normalised else [nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], 1, sides[0], bias=not normalised)
        (dcgan_init_ if normalised else he_init_)(self)

    def forward(self, images: Tensor, with_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        features = self.layers(images)
        logits = logits_of(self.head(features))
        return (logits, features) if with_features else logits


def _norm_relu(width: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(width), nn.ReLU()]


def _upsample(inside: int, outside: int, small: int, large: int) -> nn.Module:
    return nn.ConvTranspose2d(inside, outside, 4, 2, 1, output_padding=large - 2 * small, bias=False)


class DCGAN(NetworkSettings):
    """The DCGAN pair: strided and transposed convolutions, batch norm. Radford et al. (2016), arXiv:1511.06434.

    `width` is the number of channels next to the image; it doubles as the side halves, up to `max_width`.
    None derives it from the size: 64 up to 64 pixels, 32 at 128, 16 at 256, so that the large maps stay affordable.
    `discriminator_norm` "none" is for gradient penalties, which a batch norm would couple across images.
    """

    paper: ClassVar[str] = "arXiv:1511.06434"

    kind: Literal["dcgan"] = "dcgan"
    latent_dim: int = Field(default=100, ge=1)
    width: int | None = Field(default=None, ge=1)
    max_width: int = Field(default=512, ge=1)
    discriminator_norm: Literal["batch", "none"] = "batch"

    def problems(self, spec: ImageSpec) -> list[str]:
        if spec.size == 1:
            return ["networks: the dcgan networks make images, not points; choose --recipe ring"]
        if not 16 <= spec.size <= 256:
            return [f"size: the dcgan networks make images of 16 to 256 pixels, not {spec.size}; choose another --size"]
        if spec.channels > 4:
            return [f"networks: the dcgan networks make images of 1 to 4 channels, not {spec.channels}"]
        return []

    def build(self, spec: ImageSpec) -> Pair:
        width = self.width or max(16, min(64, 4096 // spec.size))
        form = {"size": spec.size, "channels": spec.channels, "width": width, "max_width": self.max_width}
        generator = DCGANGenerator(latent_dim=self.latent_dim, **form)
        return Pair(generator, DCGANDiscriminator(**form, normalised=self.discriminator_norm == "batch"))
