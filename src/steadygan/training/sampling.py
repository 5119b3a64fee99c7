"""Pictures from a generator: one depends on its own latent and class, and on no other that is asked for with it."""

from __future__ import annotations

from collections.abc import Iterable

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


def generate_alike(generator: nn.Module, latents: Tensor, *given: Tensor, batch: int) -> Tensor:
    """As `generate`; a picture is the same to the bit whatever others are made with it.

    Libraries sum in another order for other batch sizes, so the last batch is filled up with repetitions.
    """
    count = len(latents)
    filled = torch.arange(-(-count // batch) * batch) % count
    return generate(generator, *(inputs[filled] for inputs in (latents, *given)), batch=batch)[:count]


def labels_in_turn(numbers: Iterable[int], classes: int) -> tuple[Tensor, ...]:
    """Labels int64 (N,) of the pictures of these numbers, all classes in turn; () without classes."""
    return (torch.tensor([number % classes for number in numbers]),) if classes else ()


def rows(images: Tensor) -> NDArray[np.uint8]:
    """(N, C, H, W) as the (N, H, W, C) array that files and pictures use."""
    return images.permute(0, 2, 3, 1).numpy()
