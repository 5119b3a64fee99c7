"""What the discriminator looks at in one turn, and what it says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["JointForDiscriminator", "JointView", "View"]


@dataclass(eq=False)
class View:
    """A batch of reals and a batch of fakes before one discriminator; logits are computed when first asked for.

    Every loss, penalty and generator term takes one view and returns a scalar. A loss that never asks for
    `real_logits` (the non-saturating one, in the generator's turn) never pays for them. Reals and fakes go
    through the discriminator as separate batches, so that batch norm does not mix their statistics.

    `real`, `fake`: (N, C, H, W), after `show`, as the discriminator sees them; logits (N,).
    `given`: what both networks are told besides, such as labels (N,) shared by the reals and fakes of one place;
    empty without conditions. In the generator's turn `latent` (N, D) and `made` (N, C, H, W) are the latents and the
    fakes made from them, before `show`.
    `player`: the bare network whose turn it is, for terms on its weights. `images`: real images seen so far.
    """

    discriminator: Callable[..., Any]
    real: Tensor
    fake: Tensor
    given: tuple[Tensor, ...] = ()
    latent: Tensor = field(default_factory=lambda: torch.empty(0))
    made: Tensor = field(default_factory=lambda: torch.empty(0))
    player: nn.Module = field(default_factory=nn.Identity)
    images: int = 0

    @cached_property
    def real_logits(self) -> Tensor:
        return self.judge(self.real)

    @cached_property
    def fake_logits(self) -> Tensor:
        return self.judge(self.fake)

    def judge(self, images: Tensor) -> Tensor:
        """Logits (N,) of other images under the same conditions."""
        logits: Tensor = self.discriminator(images, *self.given)
        return logits

    def features(self, images: Tensor) -> Tensor:
        """The feature map (N, ...) of images under the same conditions."""
        features: Tensor = self.discriminator(images, *self.given, with_features=True)[1]
        return features

    def for_generator(self) -> View:
        """What the generator's loss and terms look at, where this is what the discriminator's loss looks at."""
        return self


class JointView(View):
    """Reals and fakes go through the discriminator as one batch in both turns, so that batch norm mixes them.

    As some textbook code does; the usual advice is against it (Chintala et al. 2016, item 4).
    """

    @cached_property
    def real_logits(self) -> Tensor:
        return self._both[0]

    @cached_property
    def fake_logits(self) -> Tensor:
        return self._both[1]

    @cached_property
    def _both(self) -> tuple[Tensor, Tensor]:
        twice = (torch.cat([part, part]) for part in self.given)
        logits: Tensor = self.discriminator(torch.cat([self.real, self.fake]), *twice)
        return logits[: len(self.real)], logits[len(self.real) :]


class JointForDiscriminator(JointView):
    """One batch of reals and fakes for the discriminator's loss, the fakes alone for the generator's.

    Through a batch norm the two players then see different discriminators, so that both can win: a low loss of both
    is the sign ("Fake satellite images: 39 mistakes", mistake 38).
    """

    def for_generator(self) -> View:
        return View(**{each.name: getattr(self, each.name) for each in fields(self)})
