"""What is measured: square pictures of grey levels, and their thumbnails to search for near-duplicates by."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from steadygan.errors import DataError

SMALLEST = 8
"""The least side of a picture, in pixels."""


def check_pictures(images: Tensor) -> None:
    """Raises DataError unless `images` is uint8 (N, C, S, S) with N and C at least 1 and S at least 8."""
    if images.dtype != torch.uint8:
        kind = str(images.dtype).removeprefix("torch.")
        raise DataError(f"pictures to measure are grey levels of type uint8, not {kind}; convert them with to_uint8")
    if images.ndim != 4 or 0 in images.shape:
        raise DataError(
            f"pictures to measure have the shape (N, C, H, W), and at least one of each, not {_form(images)}"
        )
    height, width = images.shape[2:]
    if height != width:
        raise DataError(f"pictures to measure are square, not {width}×{height} pixels; crop them first")
    if height < SMALLEST:
        raise DataError(f"pictures of {height}×{height} pixels are too small to measure; at least 8×8 are needed")


def check_same_form(real: Tensor, fake: Tensor) -> None:
    """Raises DataError unless both are pictures of the same channels and size; the numbers of them may differ."""
    check_pictures(real)
    check_pictures(fake)
    if real.shape[1:] != fake.shape[1:]:
        raise DataError(f"{_form(real[0])} and {_form(fake[0])} pictures cannot be compared; bring them to one form")


def thumbnails(images: Tensor, side: int = 16) -> Tensor:
    """Small copies of uint8 (N, C, S, S) to search for near-duplicates by: float32 (N, C·side·side), 0 to 1.

    Each value is the mean of an area; where `side` does not divide S neighbouring areas share pixels. Two pictures
    that differ by one grey level in all pixels are sqrt(C)·side / 255 apart. A shift by much less than S / side
    pixels, slight noise and compression hardly move a thumbnail; mirroring and cropping do.
    """
    check_pictures(images)
    return adaptive_avg_pool2d(images.to(torch.float32), side).flatten(1).div_(255)


def _form(images: Tensor) -> str:
    return "×".join(str(length) for length in images.shape)
