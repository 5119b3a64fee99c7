"""The layers of any network in the order in which it holds them, and how the first of them are kept as they are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import nn

from steadygan.ops.virtual_batch_norm import FirstReference

_CONTAINERS = (nn.Sequential, nn.ModuleList, FirstReference)


def layers_of(network: nn.Module) -> list[nn.ModuleList]:
    """Convolutions, dense layers and blocks of several such, each with the norm and activation that stand behind it.

    What stands in a `Sequential` or a `ModuleList` counts one by one, any other module as a whole.
    """
    found: list[nn.ModuleList] = []
    for module in _parts(network):
        if any(parameter.ndim > 1 for parameter in module.parameters()):
            found.append(nn.ModuleList([module]))
        elif found:
            found[-1].append(module)
    return found


def keep(layer: nn.Module) -> None:
    """Keep a layer as it is: its weights, the vectors of its spectral norms, the statistics of its batch norms.

    In training a batch norm goes on dividing by what it sees in the batch, as it did while these weights were learned.
    """
    layer.requires_grad_(False)
    off = {"n_power_iterations": 0, "track_running_stats": False}
    for module in layer.modules():
        for holder in (module, *module._forward_pre_hooks.values()):  # noqa: SLF001 - torch's older spectral norms
            for name in filter(partial(hasattr, holder), off):
                setattr(holder, name, off[name])


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(child, _CONTAINERS):
            yield from _parts(child)
        else:
            yield child
