"""Layers that are told the class of each image."""

from __future__ import annotations

from torch import Tensor, nn


class ConditionalBatchNorm(nn.Module):
    """Batch norm with a scale and a shift learned for each class. De Vries et al. (2017), section 3.

    The formula is equation 5 of Dumoulin et al. (2017) with the statistics of the batch instead of each image's.
    Maps (N, width, H, W) and labels int64 (N,) in 0..classes-1 -> maps of the same shape. Scales start at 1 and
    shifts at 0, so that it starts as plain batch norm. `norm` holds the statistics.
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width, affine=False)
        self.scale = nn.Embedding(classes, width)
        self.shift = nn.Embedding(classes, width)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, maps: Tensor, labels: Tensor) -> Tensor:
        scale, shift = (part(labels)[:, :, None, None] for part in (self.scale, self.shift))
        return (shift + scale * self.norm(maps)).to(maps.dtype)


class Projection(nn.Module):
    """Inner product of features with a vector learned for each class, y'V phi(x).

    The first term of equation 8 of Miyato and Koyama (2018), arXiv:1802.05637.
    Features (N, width) and labels int64 (N,) in 0..classes-1 -> float32 (N,).
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, width)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        return (self.embedding(labels) * features.float()).sum(1)
