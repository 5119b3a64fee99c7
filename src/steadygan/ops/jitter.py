"""Small random moves of images: flips and shifts."""

from __future__ import annotations

import torch
from torch import Tensor


def jitter(images: Tensor, shift: int, mirror: bool = True) -> Tensor:
    """Each image moved by up to `shift` pixels in both directions and, half of the time, flipped left to right.

    (N, C, H, W) -> (N, C, H, W); drawn anew for each image, whole pixels, edge pixels repeated, differentiable.
    """
    count, _, height, width = images.shape
    moved = torch.randint(-shift, shift + 1, (2, count, 1), device=images.device)
    rows = (torch.arange(height, device=images.device) + moved[0]).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device) + moved[1]).clamp(0, width - 1)
    if mirror:
        flipped = torch.rand(count, 1, device=images.device) < 0.5
        columns = torch.where(flipped, columns.flip(1), columns)
    places = torch.arange(count, device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[places, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
