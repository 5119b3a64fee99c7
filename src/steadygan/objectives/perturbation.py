"""Penalties on how far the discriminator's answer moves when its image does: no gradient of a gradient.

A discriminator with dropout, or with the statistics of another batch, answers differently without any move, and pays
for that too.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from steadygan.objectives.base import PenaltySettings
from steadygan.objectives.view import View
from steadygan.ops.jitter import jitter
from steadygan.schedule import NonNegative, at

__all__ = ["Consistency", "PerturbedR1", "PerturbedR2"]


def _moved(view: View, images: Tensor, logits: Tensor) -> Tensor:
    """Mean squared difference of the logits of other images (N, C, H, W) from these logits (N,), in float32."""
    return (view.judge(images).float() - logits.float()).square().mean()


class _Perturbed(PenaltySettings):
    differentiates: ClassVar[bool] = False

    gamma: NonNegative = 10.0
    sigma: float = Field(default=0.02, gt=0)

    def _roughness(self, view: View, images: Tensor, logits: Tensor) -> Tensor:
        images = images.detach()
        noisy = images + self.sigma * torch.randn_like(images)
        return at(self.gamma, view.images) / (2 * self.sigma**2) * _moved(view, noisy, logits)


class PerturbedR1(_Perturbed):
    """R1 without a second backward pass. Lin et al. (2025), section 3.4.

    gamma/(2 sigma^2) E[(D(x + sigma n) - D(x))^2], taken after `show`; n is Gaussian, one direction for each image.
    To first order its mean is that of R1 with the same `gamma`; the paper's weight of 100 at sigma 0.01 would be a
    gamma of 0.02.

    `sigma` is in units of the image range -1..1. Too large, it also punishes curvature; too small, it drowns in
    bfloat16, which rounds a logit near 1 by up to 0.002 to 0.004. Held against R1 on two small trained discriminators
    of 32 and 64 pixels, 0.005 gave a third too much in bfloat16, 0.02 at most 8 % in either precision, 0.1 more than
    twice as much in both.
    """

    paper: ClassVar[str] = "arXiv:2501.08316"
    helps: ClassVar[str] = "The calm of R1 for one forward pass more, also with torch.compile."
    hurts: ClassVar[str] = (
        "A noisy estimate, one random direction an image; it does not go with dropout in the discriminator."
    )

    kind: Literal["perturbed_r1"] = "perturbed_r1"

    def __call__(self, view: View) -> Tensor:
        return self._roughness(view, view.real, view.real_logits)


class PerturbedR2(_Perturbed):
    """R2 without a second backward pass. Lin et al. (2025), "Autoregressive Adversarial Post-Training", section 2.2.

    gamma/(2 sigma^2) E[(D(G(z) + sigma n) - D(G(z)))^2], taken after `replay` and `show`; otherwise as PerturbedR1.
    """

    paper: ClassVar[str] = "arXiv:2506.09350"
    helps: ClassVar[str] = "The calm of R2 for one forward pass more, also with torch.compile."
    hurts: ClassVar[str] = (
        "A noisy estimate, one random direction an image; it does not go with dropout in the discriminator."
    )

    kind: Literal["perturbed_r2"] = "perturbed_r2"

    def __call__(self, view: View) -> Tensor:
        return self._roughness(view, view.fake, view.fake_logits)


class Consistency(PenaltySettings):
    """Balanced consistency: moved images get the same answer. Zhao et al. (2020), Algorithm 1.

    real E[(D(x) - D(T(x)))^2] + fake E[(D(G(z)) - D(T(G(z))))^2], taken after `show`. T shifts by up to `shift` whole
    pixels and, with `mirror`, flips left to right half of the time, which is wrong for text.
    """

    paper: ClassVar[str] = "arXiv:2002.04724"
    differentiates: ClassVar[bool] = False
    helps: ClassVar[str] = "With few images it keeps the discriminator from learning them by heart."
    hurts: ClassVar[str] = (
        "Two more forward passes; a discriminator with batch norm or dropout is never quite consistent."
    )

    kind: Literal["consistency"] = "consistency"
    real: NonNegative = 10.0
    fake: NonNegative = 10.0
    shift: int = Field(default=4, ge=0)
    mirror: bool = True

    def __call__(self, view: View) -> Tensor:
        real = _moved(view, jitter(view.real.detach(), self.shift, self.mirror), view.real_logits)
        fake = _moved(view, jitter(view.fake.detach(), self.shift, self.mirror), view.fake_logits)
        return at(self.real, view.images) * real + at(self.fake, view.images) * fake
