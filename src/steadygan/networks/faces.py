"""The pair of the 256-pixel faces: filters of 5×5 in the generator and 3×3 in the discriminator, 4×4 at 4 pixels."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from steadygan.networks.base import NetworkSettings, Pair, logits_of, refusals
from steadygan.networks.dcgan import sides_of
from steadygan.ops.init import dcgan_init_
from steadygan.spec import ImageSpec

SIZES = (64, 128, 256)


def widths_of(size: int, width: int) -> list[int]:
    """Channels at each side but the image's own: 32 · width at 4 pixels, half with each doubling."""
    return [32 * width >> doublings for doublings in range(len(sides_of(size)) - 1)]


class FacesGenerator(nn.Module):
    """Transposed convolutions, 4×4 and then 5×5 of stride 2, batch norm, ReLU; the last with bias, tanh, no norm.

    (N, latent_dim) -> (N, channels, size, size) in -1..1.
    """

    def __init__(self, *, latent_dim: int = 100, size: int = 256, channels: int = 3, width: int = 32,
                 std: float = 0.02) -> None:  # fmt: skip
        super().__init__()
        self.latent_dim = latent_dim
        widths = widths_of(size, width)
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent_dim, widths[0], 4, bias=False)]
        for inside, outside in pairwise(widths):
            layers += [nn.BatchNorm2d(inside), nn.ReLU(), _double(inside, outside, bias=False)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(), _double(widths[-1], channels, bias=True), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        dcgan_init_(self, std)

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent[:, :, None, None])


class FacesDiscriminator(nn.Module):
    """Convolutions 3×3 of stride 2, batch norm but in the first layer, leaky ReLU 0.2; the last 4×4 with bias.

    (N, channels, size, size) -> logits (N,); with features also the last map (N, 32 · width, 4, 4).
    """

    def __init__(self, *, size: int = 256, channels: int = 3, width: int = 32, std: float = 0.02) -> None:
        super().__init__()
        widths = widths_of(size, width)[::-1]
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        for inside, outside in pairwise(widths):
            layers += [nn.Conv2d(inside, outside, 3, 2, 1, bias=False), nn.BatchNorm2d(outside), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], 1, 4)
        dcgan_init_(self, std)

    def forward(self, images: Tensor, with_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        features = self.layers(images)
        logits = logits_of(self.head(features))
        return (logits, features) if with_features else logits


def _double(inside: int, outside: int, bias: bool) -> nn.Module:
    return nn.ConvTranspose2d(inside, outside, 5, 2, 2, output_padding=1, bias=bias)


class Faces256(NetworkSettings):
    """The pair of "DCGAN 256×256 faces", written for CNTK, layer by layer; after Radford et al. (2016).

    `width` is the number of channels next to an image of 256 pixels (32 as published); maps of 4 pixels have 32
    times as many. Images of 128 and 64 pixels lack the layers next to the image: the wide ones stay. `std` is the
    standard deviation of the weights at the start, the DCGAN's; the article calls its 0.02 the variance, which would
    be a `std` of 0.1414.

    Meant with Adam, 1e-4 and beta1 0.5 for both players, batches of 16 and 50,000 steps.
    """

    paper: ClassVar[str] = "seed:faces"
    helps: ClassVar[str] = "Where a plain DCGAN is wanted at 256 pixels, its layers and rates are published as a table."
    hurts: ClassVar[str] = (
        "Its author saw it collapse (Inception Score 2.61); the plain stack has no remedy of its own."
    )

    kind: Literal["faces256"] = "faces256"
    latent_dim: int = Field(default=100, ge=1)
    width: int = Field(default=32, ge=1)
    std: float = Field(default=0.02, gt=0)

    def problems(self, spec: ImageSpec) -> list[str]:
        return refusals(self.kind, spec, SIZES)

    def build(self, spec: ImageSpec) -> Pair:
        form: dict[str, Any] = {"size": spec.size, "channels": spec.channels, "width": self.width, "std": self.std}
        return Pair(FacesGenerator(latent_dim=self.latent_dim, **form), FacesDiscriminator(**form))
