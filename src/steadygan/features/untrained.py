"""Features of a small convolutional network that was never trained."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from steadygan.features.base import Described, FeatureSettings, PictureExtractor

_WIDTHS = (32, 64, 128)


class Untrained(FeatureSettings):
    """Means of the maps of a random convolutional network. As Naeem et al. (2020) with VGG16, but smaller.

    Three layers of 3×3 filters drawn from N(0, 2/fan-in) with `seed`, each with ReLU and halving the sides; features
    are the means of all maps, (N, 224). Pictures are taken in their own size, (x/127.5 - 1). A quick look without a
    claim: no score of a paper is taken with it, and it is no choice of `features`.
    """

    paper: ClassVar[str] = "arXiv:2002.09797"
    helps: ClassVar[str] = "A few times faster than scattering, and as indifferent to what the pictures show."
    hurts: ClassVar[str] = "What it looks at is drawn by lot: distances under two seeds cannot be compared."

    kind: Literal["untrained"] = "untrained"
    seed: int = Field(default=0, ge=0)

    def build(self, device: torch.device) -> PictureExtractor:
        return PictureExtractor(
            _Network(self.seed).to(device),
            name=self.kind,
            dimensions=sum(_WIDTHS),
            fingerprint=f"{self.kind}-1 seed={self.seed}",
            device=device,
            at_once=16,
            light=True,
        )


class _Network(nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        pairs = zip((3, *_WIDTHS), _WIDTHS, strict=False)
        layers = [nn.Conv2d(inside, out, 3, 2, 1, bias=False) for inside, out in pairs]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        self.layers = nn.ModuleList(layers).requires_grad_(False)

    def forward(self, images: Tensor) -> Described:
        maps, means = images.float() / 127.5 - 1, []
        for layer in self.layers:
            maps = layer(maps).relu()
            means.append(maps.mean((2, 3)))
        return Described(torch.cat(means, 1))
