"""A pair of small dense networks for 2-D points, the toy on which a collapse can be watched."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from steadygan.networks.base import NetworkSettings, Pair
from steadygan.spec import ImageSpec


def dense(inside: int, width: int, depth: int, outside: int) -> nn.Sequential:
    """`depth` hidden layers of `width` units with ReLU between: (N, inside) -> (N, outside)."""
    layers: list[nn.Module] = [nn.Linear(inside, width), nn.ReLU()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, outside))


class PointGenerator(nn.Module):
    """Latents (N, latent_dim) -> points (N, channels, 1, 1); no tanh, since points are not grey levels."""

    def __init__(self, *, latent_dim: int = 2, channels: int = 2, width: int = 128, depth: int = 3) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.layers = dense(latent_dim, width, depth, channels)

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)[:, :, None, None]


class PointDiscriminator(nn.Module):
    """Points (N, channels, 1, 1) -> logits (N,); with features also the last hidden layer (N, width)."""

    def __init__(self, *, channels: int = 2, width: int = 128, depth: int = 3) -> None:
        super().__init__()
        *hidden, head = dense(channels, width, depth, 1)
        self.layers = nn.Sequential(*hidden)
        self.head = head

    def forward(self, images: Tensor, with_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        features = self.layers(images.flatten(1))
        logits = self.head(features).flatten()
        return (logits, features) if with_features else logits


class Points(NetworkSettings):
    """Dense layers with ReLU for the ring of Gaussians; the toy of Metz et al. (2017), section 3.1.

    The paper's own nets are two layers of 128 units; the depth here is a setting.
    """

    paper: ClassVar[str] = "arXiv:1611.02163"
    helps: ClassVar[str] = "A collapse can be watched in a minute on one core."
    hurts: ClassVar[str] = "What steadies two small dense networks on a plane need not help on images."

    kind: Literal["points"] = "points"
    latent_dim: int = Field(default=256, ge=1)
    width: int = Field(default=128, ge=1)
    depth: int = Field(default=2, ge=1)

    def problems(self, spec: ImageSpec) -> list[str]:
        return (
            []
            if spec.size == 1
            else [f"networks: the points pair makes points, not images of {spec.size} pixels; choose networks=dcgan"]
        )

    def build(self, spec: ImageSpec) -> Pair:
        form = {"channels": spec.channels, "width": self.width, "depth": self.depth}
        return Pair(PointGenerator(latent_dim=self.latent_dim, **form), PointDiscriminator(**form))
