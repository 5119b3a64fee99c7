"""Weight initialisations, each with its source; all set biases to 0 and leave normalisations alone or say so."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from steadygan.ops.layers import LatentConv2d, SubpixelConv2d


def fill_(module: nn.Module, draw: Callable[[Tensor], object]) -> None:
    """Draw the weight of a convolution or dense layer in place and set its bias to 0; other modules stay as they are.

    A `SubpixelConv2d` draws one kernel per output channel and repeats it for the four pixels it becomes, so that it
    starts as nearest upsampling ("ICNR"). Aitken et al. (2017).
    """
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        return
    if isinstance(module, SubpixelConv2d):
        with torch.no_grad():
            kernel = torch.empty_like(module.weight[::4])
            draw(kernel)
            module.weight.copy_(kernel.repeat_interleave(4, 0))
    else:
        draw(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def dcgan_init_(network: nn.Module, std: float = 0.02) -> None:
    """Initialise in place as Radford et al. (2016), section 4: weights N(0, 0.02), biases 0.

    Batch-norm scales are N(1, 0.02), as in the authors' code (section 4 speaks of weights only).
    """
    for module in network.modules():
        fill_(module, partial(nn.init.normal_, mean=0.0, std=std))
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, std)
            nn.init.zeros_(module.bias)


def he_init_(network: nn.Module, slope: float = 0.2) -> None:
    """Initialise in place as He et al. (2015), equation 15, for leaky ReLU; biases 0.

    One output of a transposed convolution is connected to kernel² / stride² pixels, on average, and not to kernel².
    """
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d):
            pixels = 1 if isinstance(module, LatentConv2d) else math.prod(module.kernel_size) / math.prod(module.stride)
            variance = 2 / ((1 + slope**2) * module.in_channels * pixels)
            fill_(module, partial(nn.init.normal_, std=math.sqrt(variance)))
        else:
            fill_(module, partial(nn.init.kaiming_normal_, a=slope))


def xavier_init_(network: nn.Module) -> None:
    """Initialise in place as Glorot and Bengio (2010), equation 16: uniform within ±sqrt(6 / (fan in + fan out))."""
    for module in network.modules():
        fill_(module, nn.init.xavier_uniform_)


def orthogonal_init_(network: nn.Module, gain: float = 1.0) -> None:
    """Initialise in place as Saxe et al. (2014): each weight, as a matrix, is orthogonal times `gain`.

    The rows of the matrix are the first dimension of the weight: W Wᵀ = gain² I, or Wᵀ W where it has more rows.
    """
    for module in network.modules():
        fill_(module, partial(nn.init.orthogonal_, gain=gain))
