"""LeCam: the discriminator is held to what it used to say."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from steadygan.objectives.base import PenaltySettings
from steadygan.objectives.view import View
from steadygan.schedule import NonNegative, ScheduleSettings, at

__all__ = ["LeCam"]


class LeCam(PenaltySettings):
    """Ties the logits of reals to the past mean of the fakes', and the reverse. Tseng et al. (2021).

    weight (E[(D(x) - past fake)^2] + E[(D(G(z)) - past real)^2]), the past being exponential averages over the turns
    with `decay`. They take in a turn after it has been played and are corrected for their start at 0, so that the
    first mean counts in full and a few turns weigh alike; in the first turn of a run the penalty is 0. The authors'
    code also lets go of reals below the anchor and fakes above theirs; the equation does not. Their weight is 0.3
    with a hinge loss (BigGAN) and 1e-6 with StyleGAN2, both on CIFAR-10.
    """

    paper: ClassVar[str] = "arXiv:2104.03310"
    differentiates: ClassVar[bool] = False
    helps: ClassVar[str] = "With few images it keeps the discriminator from growing too sure, at no cost."
    hurts: ClassVar[str] = (
        "With plenty of images it only holds the discriminator back; its weight depends on the size of the logits."
    )

    kind: Literal["lecam"] = "lecam"
    weight: NonNegative = 0.3
    decay: float = Field(default=0.99, ge=0, lt=1)

    def build(self, player: nn.Module) -> nn.Module:
        return LogitAnchors(weight=self.weight, decay=self.decay)


class LogitAnchors(nn.Module):
    """Averages of past logits of reals and fakes, and what it costs to leave them (see LeCam)."""

    real: Tensor
    fake: Tensor
    seen: Tensor

    def __init__(self, *, weight: float | ScheduleSettings, decay: float) -> None:
        super().__init__()
        self.weight, self.decay = weight, decay
        for name in ("real", "fake", "seen"):
            self.register_buffer(name, torch.zeros(()))

    def forward(self, view: View) -> Tensor:
        real, fake = self.anchors()
        apart = (view.real_logits.float() - fake).square().mean() + (view.fake_logits.float() - real).square().mean()
        return at(self.weight, view.images) * (self.seen > 0) * apart

    def anchors(self) -> tuple[Tensor, Tensor]:
        """Mean logits () of past reals and past fakes; 0 before the first turn."""
        seen = self.seen.clamp_min(torch.finfo(self.seen.dtype).tiny)
        return self.real / seen, self.fake / seen

    @torch.no_grad()
    def watch(self, view: View) -> None:
        """Take the turn just played into the averages; `seen` is the share of them that is not their start."""
        for average, now in ((self.real, view.real_logits), (self.fake, view.fake_logits)):
            average.lerp_(now.float().mean(), 1 - self.decay)
        self.seen.lerp_(torch.ones_like(self.seen), 1 - self.decay)
