"""Kernel distance of features."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steadygan.metrics.rows import checked


def kernel_distance(real: Tensor, fake: Tensor, block: int = 1000) -> float:
    """Unbiased squared maximum mean discrepancy. Bińkowski et al. (2018), arXiv:1801.01401, equation 4 and section 4.

    Features (N, D) and (M, D), kernel (x·y / D + 1)³; the mean over disjoint blocks, as few and as even as can be
    with at most `block` rows of the smaller side each, taken in the order given: shuffle rows that are sorted. The
    KID, if the features are; unlike the Fréchet distance it has no bias, whatever the number of images. Lower is
    better, 0 on average for equal distributions and then below 0 about half of the time. Units: those of the
    kernel, so that values depend on the features' scale. DataError for fewer than 2 rows.
    """
    checked(real, fake, least=2)
    smaller = min(len(real), len(fake))
    blocks = min(math.ceil(smaller / block), smaller // 2)
    pairs = zip(real.tensor_split(blocks), fake.tensor_split(blocks), strict=True)
    return sum(_discrepancy(some.double(), others.double()) for some, others in pairs) / blocks


def _discrepancy(real: Tensor, fake: Tensor) -> float:
    return float(_within(real) + _within(fake) - 2 * _kernel(real, fake).mean())


def _within(rows: Tensor) -> Tensor:
    """Mean kernel of a row and another."""
    kernel = _kernel(rows, rows)
    return (kernel.sum() - kernel.trace()) / (len(rows) * (len(rows) - 1))


def _kernel(some: Tensor, others: Tensor) -> Tensor:
    inner = (some @ others.T).div_(some.shape[1]).add_(1)
    return torch.mul(inner, inner).mul_(inner)  # pow(3) is slower
