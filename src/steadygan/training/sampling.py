"""Pictures from a generator: always the same for the same latents, whatever the batch size."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steadygan.ops.images import to_uint8


@torch.inference_mode()
def generate(generator: nn.Module, latents: Tensor, batch: int = 64) -> Tensor:
    """Images uint8 (N, C, H, W) on the CPU from latents (N, D), `batch` at a time, on the generator's device."""
    device = next(generator.parameters()).device
    return torch.cat([to_uint8(generator(part.to(device))).cpu() for part in latents.split(batch)])


def rows(images: Tensor) -> NDArray[np.uint8]:
    """(N, C, H, W) as the (N, H, W, C) array that files and pictures use."""
    return images.permute(0, 2, 3, 1).numpy()
