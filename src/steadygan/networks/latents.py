"""What a generator is given: vectors of independent numbers, of a distribution that is a choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

Latent = Literal["normal", "uniform"]


class Latents(NamedTuple):
    """Vectors of `dim` independent numbers: standard normal, or uniform on -1..1."""

    dim: int
    kind: Latent = "normal"

    def draw(
        self, *count: int, device: torch.device | str | None = None, random: torch.Generator | None = None
    ) -> Tensor:
        """Latents (*count, dim), those of training: from `random`, else from the global state of the device."""
        return _DRAWN[self.kind](torch.empty(*count, self.dim, device=device), random)

    def of(self, shares: Tensor) -> Tensor:
        """Latents float32 (N, dim) at these shares of the distribution, float64 in 0..1 without the ends."""
        return _QUANTILES[self.kind](shares).float()


_DRAWN: dict[Latent, Callable[[Tensor, torch.Generator | None], Tensor]] = {
    "normal": lambda latents, random: latents.normal_(generator=random),
    "uniform": lambda latents, random: latents.uniform_(-1, 1, generator=random),
}
_QUANTILES: dict[Latent, Callable[[Tensor], Tensor]] = {
    "normal": torch.special.ndtri,
    "uniform": lambda shares: 2 * shares - 1,
}


def latents_of(networks: Any) -> Latents:
    """The latents that settings of networks ask for; the user's own, which need not say, get normal ones."""
    return Latents(networks.latent_dim, getattr(networks, "latent", "normal"))
