"""Affine maps of the plane as homogeneous matrices (N, 3, 3), one for each image, and the ways to move pixels by them.

A matrix says from where each place of the result is taken, so `a @ b` is a first, then b. Places are (x, y, 1), x to
the right and y down; -1 and 1 are the centres of the outermost pixels. After Karras et al. (2020), arXiv:2006.06676,
appendix B. Images and matrices are of one dtype, float32 or float64, and autocast is off.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def scaling(x: Tensor, y: Tensor) -> Tensor:
    """Makes pictures x (N,) times as wide and y (N,) times as high about the centre; -1 mirrors."""
    none = torch.zeros_like(x)
    return _matrix(1 / x, none, none, none, 1 / y, none)


def rotation(angle: Tensor) -> Tensor:
    """Turns pictures by `angle` (N,) in radians about the centre, anticlockwise."""
    cosine, sine, none = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return _matrix(cosine, -sine, none, sine, cosine, none)


def shift(right: Tensor, down: Tensor) -> Tensor:
    """Moves pictures by (N,) to the right and (N,) down; 2 / (size - 1) is one pixel."""
    one, none = torch.ones_like(right), torch.zeros_like(right)
    return _matrix(one, none, -right, none, one, -down)


def warp(images: Tensor, where_from: Tensor) -> Tensor:
    """Pictures (N, C, S, S) through affine maps (N, 3, 3), mirrored beyond their edges; S at least 2.

    An image whose matrix is the identity comes back as it is, and moves that keep every pixel do so up to rounding. To
    lose less of the finest detail, places half-way between pixels are filled in first with a Lanczos window of 3, and
    what lies between those is linear. The paper takes a wavelet filter for that, and another against aliasing where a
    picture has become smaller; there is none here, as pictures seldom become smaller by more than a third.
    """
    finer = _finer(images)
    sampled = grid_sample(
        finer @ images @ finer.T, _places(images, where_from), padding_mode="reflection", align_corners=True
    )
    moved = (where_from != torch.eye(3, device=images.device)).flatten(1).any(1)
    return torch.where(moved[:, None, None, None], sampled, images)


def move_pixels(images: Tensor, where_from: Tensor, beyond: Literal["reflection", "zeros"]) -> Tensor:
    """Pictures (N, C, S, S) through maps (N, 3, 3) that keep every pixel, exactly; S at least 2.

    Such are mirror images, quarter turns and shifts by whole pixels. `beyond` the edges lies the mirrored picture or 0.
    """
    return grid_sample(images, _places(images, where_from), mode="nearest", padding_mode=beyond, align_corners=True)


def cut_out(images: Tensor, x: Tensor, y: Tensor, side: Tensor) -> Tensor:
    """Pictures (N, C, S, S) with a square hole of 0 about (x, y), `side` pixels (N,) wide; the edge cuts it off.

    x and y (N,) are in pixels from the left and upper edge, so S / 2 is the middle. A `side` of 0 is no hole.
    """
    centres = torch.arange(images.shape[-1], device=images.device) + 0.5
    within_x, within_y = ((centres - middle[:, None]).abs() < side[:, None] / 2 for middle in (x, y))
    return images.masked_fill((within_y[:, :, None] & within_x[:, None, :])[:, None], 0)


def _matrix(*entries: Tensor) -> Tensor:
    """Two rows of three entries (N,) each, and the third row that makes it homogeneous: (N, 3, 3)."""
    one, none = torch.ones_like(entries[0]), torch.zeros_like(entries[0])
    return torch.stack([*entries, none, none, one], -1).unflatten(-1, (3, 3))


def _places(images: Tensor, where_from: Tensor) -> Tensor:
    """Where each pixel of the result is taken from, as `grid_sample` wants it: (N, S, S, 2)."""
    along = torch.linspace(-1, 1, images.shape[-1], device=images.device, dtype=images.dtype)
    of_x, of_y, constant = where_from[:, :2, :, None, None].unbind(2)
    return (of_x * along + of_y * along[:, None] + constant).permute(0, 2, 3, 1)


def _finer(images: Tensor) -> Tensor:
    """The matrix (2S - 1, S) from the S pixels of a row to them and the places half-way between them."""
    size, reach = images.shape[-1], 3
    places = torch.arange(2 * size - 1, device=images.device, dtype=images.dtype) / 2
    pixels = torch.arange(-reach, size + reach, device=images.device)
    distance = places[:, None] - pixels
    weights = torch.sinc(distance) * torch.sinc(distance / reach) * (distance.abs() < reach)
    mirrored = pixels.remainder(2 * size - 2)
    inside = torch.minimum(mirrored, 2 * size - 2 - mirrored)
    folded = torch.zeros(len(places), size, device=images.device, dtype=images.dtype).index_add_(1, inside, weights)
    return folded / folded.sum(1, keepdim=True)
