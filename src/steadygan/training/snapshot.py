"""The averaged generator at one moment, as all who look at it then see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from steadygan.training.average import Average
from steadygan.training.sampling import generate
from steadygan.training.seeds import fixed_latents, shares
from steadygan.training.session import Session


@dataclass(frozen=True)
class Snapshot:
    """The averaged generator with batch-norm statistics of its own weights, measured when somebody first looks.

    `statistics` are the latents (N, D) and labels they are measured on, the same at every moment of a run; without any
    they stay as they are.
    """

    average: Average
    statistics: tuple[Tensor, ...]
    batch: int

    @cached_property
    def network(self) -> nn.Module:
        """The averaged generator in evaluation mode; it stays what it is until the next step of training."""
        if self.statistics:
            self.average.measure(*self.statistics, batch=self.batch)
        return self.average.network

    def pictures(self, latents: Tensor, *given: Tensor) -> Tensor:
        """Images uint8 (N, C, H, W) on the CPU from latents (N, D) and what is given with them."""
        return generate(self.network, latents, *given, batch=self.batch)

    def batches(self, latents: Tensor, *given: Tensor) -> Iterator[Tensor]:
        """As `pictures`, one batch after another."""
        for part in zip(*(one.split(self.batch) for one in (latents, *given)), strict=True):
            yield generate(self.network, *part)


def take(session: Session, count: int) -> Snapshot:
    """What there is after this step; its statistics are measured on `count` latents, in the process that writes."""
    inputs: tuple[Tensor, ...] = ()
    if session.runtime.main and count:
        latents = fixed_latents(range(count), session.latents, session.config.seed, "statistics")
        device = session.runtime.device
        inputs = tuple(part.to(device) for part in (latents, *shuffled_labels(session, count)))
    return Snapshot(session.average, inputs, session.config.batch)


def shuffled_labels(session: Session, count: int) -> tuple[Tensor, ...]:
    """Labels int64 (count,) of training images all over the set, each drawn on its own; () without conditions."""
    labels = session.dataset.labels
    if labels is None:
        return ()
    training = session.dataset.training
    drawn = shares(range(count), 1, 0, "labels")[:, 0] * len(training)
    return session.given(torch.from_numpy(labels[training[drawn.long().numpy()]]))
