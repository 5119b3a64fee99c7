"""Pictures from a generator: always the same for the same latents, whatever the batch size."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steadygan.ops.images import to_uint8


@torch.inference_mode()
def generate(generator: nn.Module, latents: Tensor, *given: Tensor, batch: int = 64) -> Tensor:
    """Images uint8 (N, C, H, W) on the CPU from latents (N, D) and what is given with them, such as labels (N,).

    `batch` at a time, on the generator's device.
    """
    device = next(generator.parameters()).device
    parts = zip(*(inputs.to(device).split(batch) for inputs in (latents, *given)), strict=True)
    return torch.cat([to_uint8(generator(*part)).cpu() for part in parts])


def spread_labels(count: int, classes: int) -> tuple[Tensor, ...]:
    """Labels int64 (count,), as many of each class, equal ones together: what a grid is given; () without classes."""
    return (torch.arange(count) * classes // count,)[: bool(classes)]


def rows(images: Tensor) -> NDArray[np.uint8]:
    """(N, C, H, W) as the (N, H, W, C) array that files and pictures use."""
    return images.permute(0, 2, 3, 1).numpy()
