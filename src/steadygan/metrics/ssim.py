"""How alike two pictures are, and from it how alike the pictures of a set are among each other."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from steadygan.errors import DataError
from steadygan.metrics.pictures import check_pictures, check_same_form

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW = 11
_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_AT_ONCE = 2**18
"""Values of each picture that are compared at a time: they stay in a processor's cache."""


def ms_ssim(first: Tensor, second: Tensor) -> Tensor:
    """Multi-scale structural similarity of pairs, (N,) in 0..1; 1 for equal pictures. Wang et al. (2003), equation 7.

    `first`, `second`: uint8 (N, C, S, S). Windows of 11×11 pixels, Gaussian with a deviation of 1.5, inside the picture
    only; K1 = 0.01, K2 = 0.03; 2×2 means between scales. Each channel is compared by itself and the mean taken; a
    negative mean of a scale counts as 0. Pictures under 176 pixels have fewer scales that a window fits into (5 from
    176 pixels, 4 from 88, 3 from 44, 2 from 22, else 1): the weights of the first ones are then scaled to the sum 1, so
    that values of different sizes cannot be compared. Under 11 pixels the window is the picture.
    """
    check_same_form(first, second)
    if len(first) != len(second):
        raise DataError(f"{len(first)} and {len(second)} pictures cannot be compared in pairs; give as many of each")
    at_once = max(1, _AT_ONCE // first[0].numel())
    pairs = zip(first.split(at_once), second.split(at_once), strict=True)
    return torch.cat([_ms_ssim(x.to(torch.float32), y.to(torch.float32)) for x, y in pairs])


def diversity(images: Tensor) -> Tensor:
    """Similarity of each two neighbours, image 2i and image 2i + 1: (N // 2,) in 0..1; lower means more diverse.

    `images`: uint8 (N, C, S, S) in random order. Odena et al. (2017), section 4.2, who take the mean over 100 pairs
    within a class: a generator that has collapsed is above the reals' value; one that makes noise is below it, so
    that only a comparison with the reals says anything, and only next to a measure of quality. Give batches of an even
    number: the last of an odd one has no partner and is left out.
    """
    check_pictures(images)
    pairs = len(images) // 2
    return ms_ssim(images[0::2][:pairs], images[1::2][:pairs]) if pairs else torch.zeros(0, device=images.device)


def _ms_ssim(first: Tensor, second: Tensor) -> Tensor:
    """(N, C, S, S) in 0..255, twice, -> (N,)."""
    weights = _weights(first.shape[-1])
    window = _window(min(_WINDOW, first.shape[-1]))
    result = first.new_ones(first.shape[:2])
    for scale, weight in enumerate(weights, start=1):
        whole, contrast = _similarity(first, second, window)
        term = whole if scale == len(weights) else contrast
        result = result * term.clamp(min=0) ** weight
        if scale < len(weights):
            first, second = avg_pool2d(first, 2), avg_pool2d(second, 2)
    return result.mean(1)


def _weights(side: int) -> list[float]:
    """One for each scale that a window fits into, sum 1; at least one."""
    used = [weight for scale, weight in enumerate(_WEIGHTS) if scale == 0 or side >> scale >= _WINDOW]
    return [weight / sum(used) for weight in used]


def _window(width: int) -> list[float]:
    """A Gaussian, sum 1; narrower in proportion where the window is."""
    offsets = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    heights = torch.exp(-0.5 * (offsets * _WINDOW / (_SIGMA * width)) ** 2)
    return (heights / heights.sum()).tolist()


def _similarity(first: Tensor, second: Tensor, window: list[float]) -> tuple[Tensor, Tensor]:
    """Means (N, C) over all windows of SSIM, and of its factor for contrast and structure. Wang et al. (2004), eq. 13.

    About mid-grey, where squares are small enough for float32. The two variances are needed in their sum alone.
    """
    x, y = first - 127.5, second - 127.5
    mean_x, mean_y, squares, product = _blurred(torch.stack([x, y, x.square() + y.square(), x * y]), window)
    variances = squares - mean_x.square() - mean_y.square()
    covariance = product - mean_x * mean_y
    contrast = (2 * covariance + _C2) / (variances + _C2)
    mean_x, mean_y = mean_x + 127.5, mean_y + 127.5
    light = (2 * mean_x * mean_y + _C1) / (mean_x.square() + mean_y.square() + _C1)
    return (light * contrast).mean((2, 3)), contrast.mean((2, 3))


def _blurred(maps: Tensor, window: list[float]) -> Tensor:
    """Weighted means over windows inside (..., S, S): (..., S - w + 1, S - w + 1), in two passes."""
    for dim in (-2, -1):
        length = maps.shape[dim] - len(window) + 1
        total = maps.narrow(dim, 0, length) * window[0]
        for offset, weight in enumerate(window[1:], start=1):
            total.add_(maps.narrow(dim, offset, length), alpha=weight)
        maps = total
    return maps
