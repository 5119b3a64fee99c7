"""The pair of the satellite tiles: 5×5 filters, closing layers of stride 1, two nets that mirror each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from steadygan.networks.base import NetworkSettings, Pair, refusals
from steadygan.networks.dcgan import sides_of
from steadygan.ops.init import xavier_init_
from steadygan.spec import ImageSpec

SIZES = (16, 32, 64, 128, 256)


def widths_of(size: int, width: int) -> list[int]:
    """Channels at each side from 4 pixels up to the image: 16 · width at first, half with each doubling."""
    return [16 * width >> doublings for doublings in range(len(sides_of(size)))]


class SatelliteGenerator(nn.Module):
    """Transposed convolutions 5×5, batch norm without scale and shift, ReLU; two of stride 1 before the tanh.

    The layers of stride 1 even out the checkerboard that those of stride 2 leave.
    (N, latent_dim) -> (N, channels, size, size) in -1..1.
    """

    def __init__(self, *, latent_dim: int = 100, size: int = 64, channels: int = 3, width: int = 64,
                 slope: float = 0.0) -> None:  # fmt: skip
        super().__init__()
        self.latent_dim = latent_dim
        widths = widths_of(size, width)
        first, last = widths[0], widths[-1]
        layers: list[nn.Module] = [nn.Linear(latent_dim, first * 4 * 4, bias=False), nn.Unflatten(1, (first, 4, 4))]
        layers += _norm_leaky(first, slope)
        for inside, outside in pairwise(widths):
            layers += [nn.ConvTranspose2d(inside, outside, 5, 2, 2, output_padding=1), *_norm_leaky(outside, slope)]
        layers += [nn.ConvTranspose2d(last, last, 5, 1, 2), *_norm_leaky(last, slope)]
        layers += [nn.ConvTranspose2d(last, channels, 5, 1, 2), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        xavier_init_(self)

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)


class SatelliteDiscriminator(nn.Module):
    """Convolutions 5×5, two of stride 1 and then of stride 2 down to 4×4, leaky ReLU 0.2; dense 128, 16, 1.

    Batch norm without scale and shift after every convolution but the first. The dense layers have none, though the
    article exempts the first layer only: there it would pull the mean of each batch's logits to one value, and reals
    and fakes come in batches of their own.
    (N, channels, size, size) -> logits (N,); with features also the last map (N, 16 · width, 4, 4).
    """

    def __init__(self, *, size: int = 64, channels: int = 3, width: int = 64) -> None:
        super().__init__()
        widths = widths_of(size, width)[::-1]
        first, last = widths[0], widths[-1]
        layers: list[nn.Module] = [nn.Conv2d(channels, first, 5, 1, 2), nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(first, first, 5, 1, 2), *_norm_leaky(first, 0.2)]
        for inside, outside in pairwise(widths):
            layers += [nn.Conv2d(inside, outside, 5, 2, 2), *_norm_leaky(outside, 0.2)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(*_dense(last * 4 * 4, 128, 16), nn.Linear(16, 1))
        xavier_init_(self)

    def forward(self, images: Tensor, with_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        features = self.layers(images)
        logits = self.head(features.flatten(1)).flatten()
        return (logits, features) if with_features else logits


def _norm_leaky(width: int, slope: float) -> list[nn.Module]:
    return [nn.BatchNorm2d(width, affine=False), nn.LeakyReLU(slope) if slope else nn.ReLU()]


def _dense(*widths: int) -> Iterator[nn.Module]:
    for inside, outside in pairwise(widths):
        yield from (nn.Linear(inside, outside), nn.LeakyReLU(0.2))


class Satellite(NetworkSettings):
    """The pair of "Fake satellite images: 39 mistakes", for aerial tiles at 64 pixels.

    The article gives the outline and both parameter counts, 19,154,627 and 19,616,609 at 64 pixels in colour;
    these layers add up to them exactly. `width` is the number of channels next to an image of 64 pixels (64 as
    published). Maps of 4 pixels have 16 times as many, halved with each doubling, so that at 256 pixels `width`/4
    are left. `slope` is the leak of the generator's ReLU, 0 for none; 0.2 is the article's other choice.

    Meant with Adam, beta1 0.5, 2e-4 for the generator, 1.5e-4 for the discriminator, and batches of 64.
    """

    paper: ClassVar[str] = "seed:satellite"
    helps: ClassVar[str] = (
        "On textures such as aerial tiles, wide filters and closing layers of stride 1 leave less checkerboard."
    )
    hurts: ClassVar[str] = (
        "At 64 pixels it multiplies about ten times as much as a DCGAN, and 19 million weights overfit a small set."
    )

    kind: Literal["satellite"] = "satellite"
    latent_dim: int = Field(default=100, ge=1)
    width: int = Field(default=64, ge=1)
    slope: float = Field(default=0.0, ge=0, lt=1)

    def problems(self, spec: ImageSpec) -> list[str]:
        sizes: tuple[int, ...] = SIZES
        if spec.size not in SIZES:
            sizes = tuple(size for size in SIZES if widths_of(size, self.width)[-1]) or SIZES
        found = refusals(self.kind, spec, sizes)
        if not found and widths_of(spec.size, self.width)[-1] == 0:
            least = spec.size // 64
            found = [f"networks.width: at {spec.size} pixels the satellite networks need {least} or more"]
        return found

    def build(self, spec: ImageSpec) -> Pair:
        form = {"size": spec.size, "channels": spec.channels, "width": self.width}
        generator = SatelliteGenerator(latent_dim=self.latent_dim, slope=self.slope, **form)
        return Pair(generator, SatelliteDiscriminator(**form))
