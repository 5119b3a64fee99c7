"""A DCGAN that enlarges by interpolation instead of transposed convolutions, for any square size from 16 to 256."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from steadygan.networks.base import NetworkSettings, Pair, refusals
from steadygan.networks.dcgan import SIZES, sides_of, widths_of
from steadygan.ops.init import dcgan_init_
from steadygan.spec import ImageSpec


class UpsampleGenerator(nn.Module):
    """A dense layer, then blocks of batch norm, enlargement, convolution 3×3, ReLU. After Odena et al. (2016).

    In the last block tanh takes the place of the ReLU, which would leave only the brighter half of the range.
    (N, latent_dim) -> (N, channels, size, size) in -1..1.
    """

    def __init__(self, *, latent_dim: int = 100, size: int = 64, channels: int = 3, width: int = 64,
                 max_width: int = 512, mode: Literal["nearest", "bilinear"] = "nearest") -> None:  # fmt: skip
        super().__init__()
        self.latent_dim = latent_dim
        start, *sides = sides_of(size)
        widths = [*widths_of([start, *sides], width, max_width), channels]
        form = (widths[0], start, start)
        layers: list[nn.Module] = [nn.Linear(latent_dim, widths[0] * start * start), nn.Unflatten(1, form)]
        for (inside, outside), side in zip(pairwise(widths), sides, strict=True):
            layers += [nn.BatchNorm2d(inside), nn.Upsample(side, mode=mode), nn.Conv2d(inside, outside, 3, 1, 1)]
            layers += [nn.ReLU() if side < size else nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        dcgan_init_(self)

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)


class UpsampleDiscriminator(nn.Module):
    """Blocks of convolution 3×3 of stride 2, leaky ReLU 0.2, dropout of whole maps, batch norm but in the first.

    (N, channels, size, size) -> logits (N,); with features also the last map (N, C, side, side).
    """

    def __init__(self, *, size: int = 64, channels: int = 3, width: int = 64, max_width: int = 512,
                 dropout: float = 0.25) -> None:  # fmt: skip
        super().__init__()
        widths = [channels, *reversed(widths_of(sides_of(size), width, max_width))]
        layers: list[nn.Module] = []
        for number, (inside, outside) in enumerate(pairwise(widths)):
            layers += [nn.Conv2d(inside, outside, 3, 2, 1), nn.LeakyReLU(0.2), nn.Dropout2d(dropout)]
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
    """A DCGAN that enlarges and then convolves, against the checkerboard. After Odena et al. (2016).

    Source: "Deconvolution and Checkerboard Artifacts", and the DCGAN tutorials for PyTorch that follow it.

    `width` is the number of channels next to the image; it doubles as the side halves, up to `max_width`. None
    derives it from the size, as for the dcgan networks. `mode` is how maps are enlarged. `dropout` is the share of
    the discriminator's maps left out, 0 for none; in training its answers are random.

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
    dropout: float = Field(default=0.25, ge=0, lt=1)

    def problems(self, spec: ImageSpec) -> list[str]:
        return refusals(self.kind, spec, SIZES)

    def build(self, spec: ImageSpec) -> Pair:
        width = self.width or max(16, min(64, 4096 // spec.size))
        form = {"size": spec.size, "channels": spec.channels, "width": width, "max_width": self.max_width}
        generator = UpsampleGenerator(latent_dim=self.latent_dim, mode=self.mode, **form)
        return Pair(generator, UpsampleDiscriminator(**form, dropout=self.dropout))
