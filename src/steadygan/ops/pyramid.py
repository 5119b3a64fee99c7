"""An image at all its scales as one tensor, so that whatever takes a batch of images takes a pyramid of them.

An atlas (N, C, S, S + S/2) holds the image at the left and, in the strip to the right, the smaller scales one
below the other from the top, each at the strip's left edge; what is left of the strip is 0:

    +--------+----+
    |        | S/2|
    |   S    +--+-+
    |        |  |     S/4 below S/2, and so on
    +--------+--+-+
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name


def pyramid(images: Tensor, smallest: int = 4) -> list[Tensor]:
    """Images at every scale by 2×2 averages: (N, C, S, S) -> [(N, C, S, S), (N, C, S/2, S/2), ...], largest first.

    S is `smallest` times a power of two.
    """
    levels = [images]
    while levels[-1].shape[-1] > smallest:
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


def pack(levels: Sequence[Tensor]) -> Tensor:
    """Scales, largest first, -> their atlas (N, C, S, S + S/2). Gradients flow back to every scale."""
    full, *smaller = levels
    *batch, size, _ = full.shape
    left = size - sum(level.shape[-1] for level in smaller)
    widened = [F.pad(level, (0, size // 2 - level.shape[-1])) for level in smaller]
    strip = torch.cat([*widened, full.new_zeros(*batch, left, size // 2)], dim=-2)
    return torch.cat([full, strip], dim=-1)


def unpack(atlas: Tensor, smallest: int = 4) -> list[Tensor]:
    """The scales of an atlas (N, C, S, S + S/2), largest first, down to `smallest` pixels: views, not copies."""
    size = atlas.shape[-2]
    levels, top, side = [atlas[..., :size]], 0, size // 2
    while side >= smallest:
        levels.append(atlas[..., top : top + side, size : size + side])
        top, side = top + side, side // 2
    return levels
