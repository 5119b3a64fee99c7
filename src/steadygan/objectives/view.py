"""What the discriminator looks at in one turn, and what it says about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from torch import Tensor


class View:
    """A batch of reals and a batch of fakes before one discriminator; logits are computed when first asked for.

    Every loss, penalty and generator term takes one view and returns a scalar. A loss that never asks for
    `real_logits` (the non-saturating one, in the generator's turn) never pays for them. Reals and fakes go
    through the discriminator as separate batches, so that batch norm does not mix their statistics.

    `real`, `fake`: (N, C, H, W), after `show`, as the discriminator sees them; logits (N,).
    """

    def __init__(self, discriminator: Callable[..., Any], real: Tensor, fake: Tensor) -> None:
        self.discriminator = discriminator
        self.real = real
        self.fake = fake

    @cached_property
    def real_logits(self) -> Tensor:
        logits: Tensor = self.discriminator(self.real)
        return logits

    @cached_property
    def fake_logits(self) -> Tensor:
        logits: Tensor = self.discriminator(self.fake)
        return logits
