"""Looking at networks without leaving a trace in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

_SEED = 0


@contextmanager
def untouched(*parts: nn.Module) -> Iterator[None]:
    """Compute without gradients; afterwards parts and random numbers are what they were, to the bit.

    Put back are the mode of every module and its buffers, be they changed in place (statistics of a batch norm, vectors
    of a spectral norm) or replaced (the reference of a virtual batch norm). Meanwhile random numbers are the same each
    time. What a module of the user's own keeps elsewhere than in buffers is not known here.
    """
    modules = list(dict.fromkeys(module for part in parts for module in part.modules()))
    modes = [module.training for module in modules]
    kept = [
        (module._buffers, name, buffer, buffer.clone())  # noqa: SLF001 - replaced ones are found nowhere else
        for module in modules
        for name, buffer in module._buffers.items()  # noqa: SLF001
        if buffer is not None
    ]
    cards = {p.device for part in parts for p in part.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(cards)), torch.no_grad():
        torch.manual_seed(_SEED)
        try:
            yield
        finally:
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode
            for buffers, name, buffer, before in kept:
                buffer.copy_(before)
                buffers[name] = buffer
