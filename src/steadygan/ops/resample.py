"""Halving and doubling the sides of feature maps with the smooth filter [1, 3, 3, 1].

The filter is separable. At the border the outermost pixel is repeated, so a constant map stays that constant.
The two are a pair: downsampling is upsampling transposed, divided by four.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def upsample2(maps: Tensor) -> Tensor:
    """Double both sides with the filter [1, 3, 3, 1] / 4 in each direction: (N, C, H, W) -> (N, C, 2H, 2W).

    That is linear interpolation between pixel centres, so torch's own kernel does it exactly. On CUDA its backward
    pass adds in no fixed order.
    """
    # on CUDA autocast lets it compute in float32; what follows should not inherit that
    return functional.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False).to(maps.dtype)


def downsample2(maps: Tensor) -> Tensor:
    """Halve both sides with the filter [1, 3, 3, 1] / 8 in each direction: (N, C, 2H, 2W) -> (N, C, H, W).

    Sums of slices: fast on a CPU too, where torch's depthwise convolution in bfloat16 is not, and differentiable
    any number of times. Raises RuntimeError for odd sides.
    """
    return _halve(_halve(maps, 2), 3)


def _halve(maps: Tensor, axis: int) -> Tensor:
    even, odd = maps.unflatten(axis, (-1, 2)).unbind(axis + 1)
    last = even.shape[axis] - 1
    before = torch.cat([even.narrow(axis, 0, 1), odd.narrow(axis, 0, last)], axis)
    after = torch.cat([even.narrow(axis, 1, last), odd.narrow(axis, last, 1)], axis)
    # (1, 3, 3, 1) / 8 is three parts of the inner mean and one of the outer; so written, a constant stays exact
    return torch.lerp(even + odd, before + after, 0.25) / 2
