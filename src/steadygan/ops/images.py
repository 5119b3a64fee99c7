"""The two forms of an image batch and the way between them."""

from __future__ import annotations

import torch
from torch import Tensor


def from_uint8(images: Tensor) -> Tensor:
    """Grey levels to the range networks work in: uint8 0..255 -> float32 -1..1, any shape."""
    return images.to(torch.float32).div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """Network range to grey levels: float (N, C, H, W) in -1..1 -> uint8 0..255, rounded to nearest, clipped.

    Goes through float32 first: bfloat16 quantised directly shifts pictures by 0.4 grey levels on average.
    """
    return images.to(torch.float32).add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
