"""Affine maps of colour as homogeneous matrices (N, 4, 4), one for each image, and the way to apply them.

`b @ a` is a first, then b. Colours are in the image range -1..1; the grey axis is the line R = G = B. After Karras et
al. (2020), arXiv:2006.06676, appendix B. Images and matrices are of one dtype, float32 or float64, and autocast is off.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def brightness(amount: Tensor) -> Tensor:
    """Adds `amount` (N,) to every colour."""
    return _affine(_identity(amount).expand(len(amount), 3, 3), amount)


def contrast(factor: Tensor, about: Tensor | float = 0.0) -> Tensor:
    """Multiplies each colour's distance from the grey level `about` (N,) by `factor` (N,): 0 leaves that grey alone."""
    return _affine(factor[:, None, None] * _identity(factor), (1 - factor) * about)


def saturation(factor: Tensor) -> Tensor:
    """Multiplies each colour's distance from the grey axis by `factor` (N,): 0 leaves the mean of the channels."""
    factor = factor[:, None, None]
    return _affine(factor * _identity(factor) + (1 - factor) * _to_grey(factor))


def luma_flip(flip: Tensor) -> Tensor:
    """Mirrors colours along the grey axis where `flip` (N,) is 1 and not where it is 0: light turns dark, hue stays."""
    flip = flip[:, None, None]
    return _affine(_identity(flip) - 2 * flip * _to_grey(flip))


def hue(angle: Tensor) -> Tensor:
    """Turns colours about the grey axis by `angle` (N,) in radians: 2π/3 takes red to green (Rodrigues' formula)."""
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    turned = _identity(angle).roll(1, 0)
    around = (turned - turned.T) / math.sqrt(3)  # of numbers from the host a GPU would wait for each time
    return _affine(cosine * _identity(angle) + (1 - cosine) * _to_grey(angle) + sine * around)


def coloured(images: Tensor) -> int:
    """How many channels (N, C, H, W) are colours: the first three, or the first where there are fewer than three.

    A second or a fourth channel is as often infrared as it is transparency: it is no colour, and is left alone.
    """
    return 3 if images.shape[1] >= 3 else 1


def recolour(images: Tensor, matrix: Tensor) -> Tensor:
    """Apply a map (N, 4, 4) to the colours of (N, C, H, W); an image whose matrix is the identity comes back as it is.

    A single channel g stands for the grey (g, g, g) and becomes the mean of what that is mapped to, so hue and
    saturation do nothing to it. The result may leave -1..1: clipping would take the gradient away.
    """
    channels = coloured(images)
    linear, offset = matrix[:, :3, :3], matrix[:, :3, 3:]
    if channels == 1:
        linear, offset = linear.sum(2, keepdim=True).mean(1, keepdim=True), offset.mean(1, keepdim=True)
    colours = images[:, :channels]
    changed = (linear @ colours.flatten(2) + offset).view(colours.shape)
    touched = (matrix != torch.eye(4, device=matrix.device)).flatten(1).any(1)
    changed = torch.where(touched[:, None, None, None], changed, colours)
    return changed if channels == images.shape[1] else torch.cat([changed, images[:, channels:]], 1)


def _affine(linear: Tensor, offset: Tensor | None = None) -> Tensor:
    """Homogeneous matrices (N, 4, 4) of linear parts (N, 3, 3) and the offset (N,) of all three channels."""
    matrix = torch.nn.functional.pad(linear, (0, 1, 0, 1))
    matrix[:, 3, 3] = 1
    if offset is not None:
        matrix[:, :3, 3] = offset[:, None]
    return matrix


def _identity(like: Tensor) -> Tensor:
    return torch.eye(3, device=like.device, dtype=like.dtype)


def _to_grey(like: Tensor) -> Tensor:
    """The projection on the grey axis."""
    return torch.full((3, 3), 1 / 3, device=like.device, dtype=like.dtype)
