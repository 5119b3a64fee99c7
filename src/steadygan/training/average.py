"""The averaged generator: the one that is sampled, scored, saved and handed over."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Annotated, ClassVar

import torch
from pydantic import BeforeValidator, Field
from torch import Tensor, nn

from steadygan.part import Part
from steadygan.schedule import NonNegative, at, number

__all__ = ["EMA", "Average"]


class EMA(Part):
    """Exponential moving average of the generator's weights. Yazici et al. (2019), section 3.

    A weight's influence halves every `half_life_images`; early on every `ramp_up` times the images seen so far
    (Karras et al. 2020), so that the first pictures do not show the untrained start. `half_life_images=0` is off:
    the average is the generator itself. It may be a schedule.
    """

    paper: ClassVar[str] = "arXiv:1806.04498"
    helps: ClassVar[str] = "Nearly always: the average of a generator that circles is better than each of its points."
    hurts: ClassVar[str] = "A half life too long shows pictures of the past; it costs a copy of the generator."

    half_life_images: Annotated[NonNegative, BeforeValidator(number)] = 10_000
    ramp_up: float = Field(default=0.05, gt=0)

    def weight(self, images_seen: int, batch: int) -> float:
        """Share of the new weights in the average after a step of `batch` images, 0..1."""
        half_life = min(at(self.half_life_images, images_seen), images_seen * self.ramp_up)
        return 1 - 0.5 ** (batch / half_life) if half_life else 1.0


class Average:
    """A copy of the generator whose weights follow the original's slowly.

    Buffers, such as the vectors of a spectral norm, are the original's own. Batch-norm statistics are not: they
    would belong to other weights. They are measured anew, for the averaged weights, whenever samples are due.
    """

    def __init__(self, generator: nn.Module, settings: EMA) -> None:
        self.settings = settings
        self.generator = generator
        self.network = copy.deepcopy(generator).requires_grad_(False).eval()
        # the parameters, not their storage: wrapping for several processes may give them another one
        self.source: list[Tensor] = list(generator.parameters())
        self.target: list[Tensor] = list(self.network.parameters())

    @torch.no_grad()
    def update(self, images_seen: int, batch: int) -> None:
        """Follow the generator after a step; `images_seen` includes the step's `batch`."""
        torch._foreach_lerp_(self.target, self.source, self.settings.weight(images_seen, batch))
        for mine, current in zip(self.network.buffers(), self.generator.buffers(), strict=True):
            mine.copy_(current)

    def measure(self, *inputs: Tensor, batch: int) -> None:
        """Measure batch-norm statistics for the averaged weights on latents (N, D) and what is given with them."""
        measure_statistics(self.network, zip(*(part.split(batch) for part in inputs), strict=True))


@torch.no_grad()
def measure_statistics(network: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> None:
    """Set the statistics of every batch norm to their mean over batches. Izmailov et al. (2018), section 3.2.

    A batch is the tuple of what the network is called with. A network without batch norm costs nothing.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for inputs in batches:
        network(*inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
