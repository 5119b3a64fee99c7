"""What stands before the discriminator: the base of the settings, and of the modules that change images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor, nn

from steadygan.schedule import ScheduleSettings, at


class Turn(Protocol):
    """What a module reads of a turn of the discriminator it watched: a view has it."""

    @property
    def images(self) -> int:
        """Real images seen so far."""

    @property
    def real_logits(self) -> Tensor:
        """Logits (N,) of the reals, as they were shown."""


class Show(nn.Module, ABC):
    """Base of the modules: float (N, C, H, W) -> the same shape, in float32 (float64 stays), whatever autocast says.

    `amount`, a standard deviation or a probability, follows its schedule from turn to turn. It is a buffer, so that the
    first step after a resume uses the very number that it would have used without one.
    """

    amount: Tensor

    def __init__(self, amount: float | ScheduleSettings) -> None:
        super().__init__()
        self.schedule = amount
        self.register_buffer("amount", torch.tensor(float(at(amount, 0))))

    def watch(self, view: Turn) -> None:
        self.amount.fill_(at(self.schedule, view.images))

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            return self.change(images.to(torch.promote_types(images.dtype, torch.float32)))

    @abstractmethod
    def change(self, images: Tensor) -> Tensor:
        """The formula, in float32 or float64."""


def chosen(images: Tensor, probability: Tensor) -> Tensor:
    """1 for the images something is done to, 0 for the others, each drawn with this probability: (N,)."""
    return (torch.rand(len(images), device=images.device) < probability).to(images.dtype)


def uniform(images: Tensor, low: float, high: float) -> Tensor:
    """A draw of U(low, high) for each image: (N,)."""
    return images.new_empty(len(images)).uniform_(low, high)


def normal(images: Tensor, std: float) -> Tensor:
    """A draw of N(0, std²) for each image: (N,)."""
    return images.new_empty(len(images)).normal_(0, std)
