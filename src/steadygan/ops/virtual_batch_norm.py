"""Virtual batch normalisation: a fixed reference batch goes through the layers in front of every batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class VirtualBatchNorm2d(nn.Module):
    """Normalises each image with the statistics of a reference batch and itself. Salimans et al. (2016), section 3.5.

    (R + N, C, H, W) -> the same form: the first R = `reference` images are the reference batch, normalised by its own
    mean and variance; each of the others counts as one more image of it. What comes out for an image therefore does
    not depend on the other N - 1. Biased variances, statistics in float32.
    """

    def __init__(self, width: int, *, reference: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.reference = reference
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, maps: Tensor) -> Tensor:
        count = self.reference
        known, new = maps[:count].float(), maps[count:].float()
        var, mean = torch.var_mean(known, (0, 2, 3), correction=0, keepdim=True)
        own_var, own_mean = torch.var_mean(new, (2, 3), correction=0, keepdim=True)
        share = 1 / (count + 1)
        joint_mean = mean + share * (own_mean - mean)
        # the law of total variance: within both parts, and between their means
        joint_var = (1 - share) * var + share * own_var + share * (1 - share) * (own_mean - mean).square()
        means = torch.cat([mean.expand(count, -1, -1, -1), joint_mean])
        variances = torch.cat([var.expand(count, -1, -1, -1), joint_var])
        scale = self.weight[:, None, None] * (variances + self.eps).rsqrt()
        return ((maps - means) * scale + self.bias[:, None, None]).to(maps.dtype)


class FixedReference(nn.Module):
    """Layers behind a reference batch that is given from the start: for a generator, latents drawn once."""

    batch: Tensor

    def __init__(self, layers: nn.Module, batch: Tensor) -> None:
        super().__init__()
        self.layers = layers
        self.register_buffer("batch", batch)

    def forward(self, batch: Tensor) -> Tensor:
        return _behind(self.batch, self.layers, batch)


class FirstReference(nn.Module):
    """Layers behind a reference batch that is taken from the first batch in training: for a discriminator, reals.

    `form` is (R, C, H, W); the first R images are taken, a smaller batch is repeated. Before that, in evaluation,
    every batch is its own reference. The reference is kept in buffers, which are replaced, never changed in place:
    the graph of an earlier forward pass may still need them.
    """

    batch: Tensor
    known: Tensor

    def __init__(self, layers: nn.Module, form: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = layers
        self.register_buffer("batch", torch.zeros(form))
        self.register_buffer("known", torch.zeros((), dtype=torch.int64))

    def forward(self, batch: Tensor) -> Tensor:
        wanted = len(self.batch)
        first = torch.cat([batch.detach()] * -(-wanted // len(batch)))[:wanted]
        reference = torch.where(self.known > 0, self.batch, first)  # a question to `known` would wait for the device
        if self.training:
            self.batch, self.known = reference, torch.ones_like(self.known)
        return _behind(reference, self.layers, batch)


def _behind(reference: Tensor, layers: nn.Module, batch: Tensor) -> Tensor:
    """What the layers make of a batch when the reference goes ahead of it."""
    return layers(torch.cat([reference, batch]))[len(reference) :]
