"""What a player pays or suffers for its own weights, whatever it has seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from steadygan.objectives.base import PenaltySettings
from steadygan.objectives.view import View
from steadygan.schedule import NonNegative, Positive, ScheduleSettings, at

__all__ = ["L2", "HistoricalAveraging", "WeightClipping"]


def _sum_of_squares(values: Iterable[Tensor], like: Tensor) -> Tensor:
    """Sum of squares of tensors of any shape in float32, () on the device of `like`."""
    return sum((value.float().square().sum() for value in values), start=torch.zeros((), device=like.device))


class WeightClipping(PenaltySettings):
    """Every weight of the critic cut to -limit..limit after each of its turns. Arjovsky et al. (2017), Algorithm 1.

    It costs nothing in the loss: the penalty itself is 0. Scales and offsets of normalisation layers are cut as well,
    but nothing that does not learn.
    """

    paper: ClassVar[str] = "arXiv:1701.07875"
    differentiates: ClassVar[bool] = False
    helps: ClassVar[str] = "The cheapest way to hold a Wasserstein critic Lipschitz."
    hurts: ClassVar[str] = (
        "It pushes weights to the limits and wastes the critic's capacity; a gradient penalty does better."
    )

    kind: Literal["weight_clipping"] = "weight_clipping"
    every: Literal[1] = 1
    limit: Positive = 0.01

    def __call__(self, view: View) -> Tensor:
        return torch.zeros((), device=view.real.device)

    @torch.no_grad()
    def watch(self, view: View) -> None:
        """Cut the weights of `view.player` in place."""
        limit = at(self.limit, view.images)
        for parameter in view.player.parameters():
            if parameter.requires_grad:
                parameter.clamp_(-limit, limit)


class L2(PenaltySettings):
    """Weight decay as a loss, weight/2 times the sum of all squared weights. Goodfellow et al. (2016), section 7.1.1.

    Weights are the player's trainable parameters of two dimensions or more; `biases` takes in those of fewer, too:
    biases, scales and offsets. A penalty for the discriminator and a term for the generator.
    """

    paper: ClassVar[str] = "isbn:9780262035613"
    differentiates: ClassVar[bool] = False
    helps: ClassVar[str] = "Keeps weights small, so that neither net grows arbitrarily sure of itself."
    hurts: ClassVar[str] = (
        "Behind a normalisation it only changes the learning rate; too much of it drowns the real loss."
    )

    kind: Literal["l2"] = "l2"
    every: Literal[1] = 1
    weight: NonNegative = 1e-4
    biases: bool = False

    def __call__(self, view: View) -> Tensor:
        weights = (p for p in view.player.parameters() if p.requires_grad and (self.biases or p.ndim >= 2))
        return at(self.weight, view.images) / 2 * _sum_of_squares(weights, view.fake)


class HistoricalAveraging(PenaltySettings):
    """Distance of the weights from their own mean over time. Salimans et al. (2016), section 3.3.

    weight ||theta - 1/t sum of theta[i]||^2 over the player's trainable parameters at all of its turns so far, the
    present one included; the mean carries no gradient. A penalty for the discriminator and a term for the generator.
    The paper names no weight.
    """

    paper: ClassVar[str] = "arXiv:1606.03498"
    differentiates: ClassVar[bool] = False
    helps: ClassVar[str] = "Damps players that circle around each other in small games."
    hurts: ClassVar[str] = (
        "A second copy of the weights, and the older a run the harder it holds the weights to its past."
    )

    kind: Literal["historical_averaging"] = "historical_averaging"
    every: Literal[1] = 1
    weight: NonNegative = 1e-3

    def build(self, player: nn.Module) -> nn.Module:
        return WeightHistory(player=player, weight=self.weight)


class WeightHistory(nn.Module):
    """The mean of a player's weights over its turns, and what it pays for leaving it (see HistoricalAveraging)."""

    turns: Tensor

    def __init__(self, *, player: nn.Module, weight: float | ScheduleSettings) -> None:
        super().__init__()
        self.weight = weight
        weights = self._weights(player)
        self.count = len(weights)
        self.register_buffer("turns", torch.ones((), device=weights[0].device))
        for number, parameter in enumerate(weights):
            self.register_buffer(f"mean{number}", parameter.detach().clone())

    def forward(self, view: View) -> Tensor:
        away = (now - mean for now, mean in zip(self._weights(view.player), self._means(), strict=True))
        return at(self.weight, view.images) * _sum_of_squares(away, view.fake)

    @torch.no_grad()
    def watch(self, view: View) -> None:
        """Take the present weights into the mean."""
        self.turns += 1
        for now, mean in zip(self._weights(view.player), self._means(), strict=True):
            mean.add_((now - mean) / self.turns)

    def _weights(self, player: nn.Module) -> list[nn.Parameter]:
        return [p for p in player.parameters() if p.requires_grad]

    def _means(self) -> list[Tensor]:
        return [self.get_buffer(f"mean{number}") for number in range(self.count)]
