"""What an update did to the layers of a network, from the gradients and moments that it left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


def layer_of(parameter: str) -> str:
    """The module that a parameter belongs to, by its name; a spectral norm stands between the two."""
    return parameter.rpartition(".")[0].partition(".parametrizations")[0]


def gradients(network: nn.Module) -> dict[str, Tensor]:
    """Root mean square of the last gradient, by layer; layers without one are left out."""
    found = _by_layer((name, weight.grad) for name, weight in network.named_parameters() if weight.grad is not None)
    return {layer: _length(parts) / sum(one.numel() for one in parts) ** 0.5 for layer, parts in found.items()}


def updates(network: nn.Module, moved: Mapping[nn.Parameter, Tensor]) -> dict[str, Tensor]:
    """Length of an update over the length of the weights, by layer; `moved` is what was taken from each parameter.

    A layer whose weights are all 0 is left out.
    """
    named = [(name, weight) for name, weight in network.named_parameters() if weight in moved]
    steps = _by_layer((name, moved[weight]) for name, weight in named)
    weights = _by_layer((name, weight.detach()) for name, weight in named)
    lengths = {layer: _length(parts) for layer, parts in weights.items()}
    return {layer: _length(parts) / lengths[layer].clamp_min(1e-30) for layer, parts in steps.items()}


def _by_layer(named: Iterable[tuple[str, Tensor]]) -> dict[str, list[Tensor]]:
    found: dict[str, list[Tensor]] = defaultdict(list)
    for name, tensor in named:
        found[layer_of(name)].append(tensor)
    return found


def _length(parts: Iterable[Tensor]) -> Tensor:
    return torch.stack([part.float().square().sum() for part in parts]).sum().sqrt()
