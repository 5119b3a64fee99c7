"""Other ways to compute a convolution than torch's own: the same numbers, and on some machines in less time.

A way is made of torch's own operations, so that it can be differentiated twice, compiled and run under autocast. A
layer that is to be computed in one keeps its class, its weights and its place; only its `forward` is its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from types import MethodType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, fold, linear, pad, pixel_shuffle, pixel_unshuffle

from steadygan.ops.layers import NearestConv2d, ResidualDown

_MOST_PIXELS = 16**2  # of maps made by a matrix product: its matrix holds every pixel once for each place of the kernel


@dataclass(frozen=True)
class Form:
    """What a convolution does to its maps, in the words of `nn.Conv2d` and `nn.ConvTranspose2d`."""

    transposed: bool = False
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    output_padding: tuple[int, int] = (0, 0)
    groups: int = 1

    @property
    def has_blocks(self) -> bool:
        """Whether the kernel covers whole blocks of stride × stride pixels."""
        (high, wide), (down, across) = self.kernel, self.stride
        inside = all(more <= cut for more, cut in zip(self.output_padding, self.padding, strict=True))
        return down == across > 1 == self.groups and not (high % down or wide % down) and inside

    def sides(self, *given: int) -> tuple[int, int]:
        """Height and width of the maps that become of maps so high and wide."""
        high, wide = (
            (side - 1) * step - 2 * cut + kernel + more if self.transposed else (side + 2 * cut - kernel) // step + 1
            for side, kernel, step, cut, more in zip(
                given, self.kernel, self.stride, self.padding, self.output_padding, strict=True
            )
        )
        return high, wide


_SUMMED = (NearestConv2d, ResidualDown)  # which add up weights before they convolve
_KINDS: tuple[Any, ...] = (*_SUMMED, nn.Conv2d, nn.ConvTranspose2d)


def form_of(layer: Any) -> Form | None:
    """The form of a convolution that can be computed otherwise; None of all other modules.

    One that computes something of its own, by its class or by itself, is none of torch's.
    """
    usual = next((kind for kind in _KINDS if isinstance(layer, kind)), None)
    same = all(getattr(type(layer), name, None) is getattr(usual, name, None) for name in ("forward", "_conv_forward"))
    by_itself = "forward" in vars(layer) and getattr(layer.forward, "__module__", "") != __name__
    if usual is None or not same or by_itself:
        return None
    if usual is NearestConv2d:
        return Form(True, (4, 4), (2, 2), (1, 1))
    if usual is ResidualDown:
        return form_of(layer.down)
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str) or set(layer.dilation) != {1}:
        return None
    sides = (layer.kernel_size, layer.stride, layer.padding, layer.output_padding)
    return Form(usual is nn.ConvTranspose2d, *sides, layer.groups)


def weight_of(layer: Any) -> Tensor:
    """The weights that go with the form of a convolution."""
    weight: Tensor = layer.summed_weight() if isinstance(layer, _SUMMED) else layer.weight
    return weight


def plain(maps: Tensor, weight: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    """As torch computes it: (N, C, H, W) -> (N, O, H', W')."""
    if form.transposed:
        return conv_transpose2d(maps, weight, bias, form.stride, form.padding, form.output_padding, form.groups)
    return conv2d(maps, weight, bias, form.stride, form.padding, 1, form.groups)


def in_blocks(maps: Tensor, weight: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    """Blocks of stride × stride pixels become channels, which leaves a convolution of stride 1.

    A transposed one is its adjoint: its pixels are made as channels and then put in their places. So few channels as
    an image has become enough to fill the registers. Shi et al. (2016), section 2.2, and its reverse.
    """
    step, (top, left) = form.stride[0], form.padding
    maps, weight = _cast(maps), _cast(weight).unflatten(3, (-1, step)).unflatten(2, (-1, step))
    if form.transposed:
        around = (weight.shape[2] - 1, weight.shape[4] - 1)
        weight = weight.permute(1, 3, 5, 0, 2, 4).flatten(0, 2).flip(-1, -2)
        bias = None if bias is None else bias.repeat_interleave(step * step)
        high, wide = form.sides(*maps.shape[2:])
        return pixel_shuffle(conv2d(maps, weight, bias, 1, around), step)[:, :, top : top + high, left : left + wide]
    sides = maps.shape[2:]
    below, right = (
        (made - 1) * step + kernel - side - before
        for made, kernel, side, before in zip(form.sides(*sides), form.kernel, sides, form.padding, strict=True)
    )
    maps = pixel_unshuffle(pad(maps, (left, right, top, below)), step)
    return conv2d(maps, weight.permute(0, 1, 3, 5, 2, 4).flatten(1, 3), bias)


def as_product(maps: Tensor, weight: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    """One product of the weights and a matrix of what is under the kernel at each place: "im2col".

    A transposed one is its adjoint, "col2im": what the product gives for each place is added up.
    """
    maps, weight, bias = _cast(maps), _cast(weight), None if bias is None else _cast(bias)
    if form.transposed:
        parts = weight.flatten(1).t() @ maps.flatten(2)
        made = fold(parts, form.sides(*maps.shape[2:]), form.kernel, padding=form.padding, stride=form.stride)
        return made if bias is None else made + bias[:, None, None]
    (down, across), (top, left), (high, wide) = form.stride, form.padding, form.sides(*maps.shape[2:])
    pixels = pad(maps.permute(0, 2, 3, 1), (0, 0, left, left, top, top))
    under = [
        pixels[:, i : i + down * (high - 1) + 1 : down, j : j + across * (wide - 1) + 1 : across]
        for i, j in product(*map(range, form.kernel))
    ]
    return linear(torch.cat(under, 3), weight.permute(0, 2, 3, 1).flatten(1), bias).permute(0, 3, 1, 2)


def in_float32(maps: Tensor, weight: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    """As torch computes it in float32, rounded at the end to what autocast wants."""
    with torch.autocast(maps.device.type, enabled=False):
        maps, weight = (part.to(torch.promote_types(part.dtype, torch.float32)) for part in (maps, weight))
        made = plain(maps, weight, bias, form)
    return _cast(made)


def _cast(tensor: Tensor) -> Tensor:
    """As autocast hands it to a convolution."""
    kind = tensor.device.type
    if tensor.dtype == torch.float64 or not torch.is_autocast_enabled(kind):
        return tensor
    return tensor.to(torch.get_autocast_dtype(kind))


class Way(NamedTuple):
    """A way to compute a convolution, and which it is for: of what form, making so many pixels a map, in bfloat16."""

    compute: Callable[[Tensor, Tensor, Tensor | None, Form], Tensor]
    fits: Callable[[Form, int, bool], bool]


WAYS: dict[str, Way] = {
    "plain": Way(plain, lambda form, pixels, bfloat16: True),
    "blocks": Way(in_blocks, lambda form, pixels, bfloat16: form.has_blocks),
    "product": Way(as_product, lambda form, pixels, bfloat16: form.groups == 1 and pixels <= _MOST_PIXELS),
    "float32": Way(in_float32, lambda form, pixels, bfloat16: form.groups > 1 and bfloat16),
}


def compute_(layer: nn.Module, way: str) -> None:
    """Have a convolution computed in a way from now on, and in a copy of it, too."""
    if (form := form_of(layer)) is None:
        return
    compute = WAYS[way].compute
    vars(layer).pop("forward", None)
    if way == "plain":
        return

    def forward(self: nn.Conv2d, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None:  # of a transposed one alone, and its output padding follows from it
            return type(self).forward(self, maps, output_size)  # type: ignore[call-arg]
        return compute(maps, weight_of(self), self.bias, form)

    layer.forward = MethodType(forward, layer)
