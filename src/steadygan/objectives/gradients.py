"""Gradient penalties on the discriminator. Every gradient is taken at the image it sees, after `show`."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import relu

from steadygan.objectives.base import PenaltySettings
from steadygan.objectives.view import View
from steadygan.schedule import NonNegative, at

__all__ = ["DRAGAN", "R1", "R2", "WGANGP"]


def gradient(logits: Tensor, images: Tensor) -> Tensor:
    """d logits / d images, one row per image, in float32: (N,), (N, C, H, W) -> (N, C·H·W); differentiable itself."""
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return slope.float().flatten(1)


def steepness(view: View, images: Tensor) -> Tensor:
    """L2 norm of the gradient at new images (N, C, H, W) -> (N,); where the gradient is 0 so is that of its norm."""
    images = images.detach().requires_grad_()
    return torch.linalg.vector_norm(gradient(view.judge(images), images), dim=1)


class R1(PenaltySettings):
    """Zero-centred gradient penalty on reals, gamma/2 E[||grad D(x)||^2]. Mescheder et al. (2018), equation 9.

    The gradient is taken at the image the discriminator sees, after `show`.
    """

    paper: ClassVar[str] = "arXiv:1801.04406"
    helps: ClassVar[str] = "Training converges near the goal instead of circling, with one turn of each player."
    hurts: ClassVar[str] = "A second backward pass; too large a gamma blurs the discriminator and slows everything."

    kind: Literal["r1"] = "r1"
    gamma: NonNegative = 10.0

    def __call__(self, view: View) -> Tensor:
        return at(self.gamma, view.images) / 2 * gradient(view.real_logits, view.real).square().sum(1).mean()


class R2(PenaltySettings):
    """Zero-centred gradient penalty on fakes, gamma/2 E[||grad D(G(z))||^2]. Mescheder et al. (2018), equation 10.

    The gradient is taken at the image the discriminator sees, after `replay` and `show`.
    """

    paper: ClassVar[str] = "arXiv:1801.04406"
    helps: ClassVar[str] = "As R1 while fakes are still far from reals; a relativistic loss needs both."
    hurts: ClassVar[str] = "A second backward pass, on top of that of R1."

    kind: Literal["r2"] = "r2"
    gamma: NonNegative = 10.0

    def __call__(self, view: View) -> Tensor:
        return at(self.gamma, view.images) / 2 * gradient(view.fake_logits, view.fake).square().sum(1).mean()


class WGANGP(PenaltySettings):
    """Gradient penalty with target 1, weight E[(||grad D|| - 1)^2]. Gulrajani et al. (2017), equation 3, Algorithm 1.

    The gradient is taken after `show`, at points drawn uniformly from the line between the real and the fake of each
    place in the batch. `one_sided` leaves gradients below 1 alone (Petzka et al. 2018).
    """

    paper: ClassVar[str] = "arXiv:1704.00028"
    helps: ClassVar[str] = "Holds a Wasserstein critic Lipschitz without the crude limits of weight clipping."
    hurts: ClassVar[str] = (
        "A third pass of the critic and a second backward; it does not go with batch norm in the critic."
    )

    kind: Literal["wgan_gp"] = "wgan_gp"
    weight: NonNegative = 10.0
    one_sided: bool = False

    def __call__(self, view: View) -> Tensor:
        real, fake = view.real.detach(), view.fake.detach()
        share = torch.rand(len(real), 1, 1, 1, device=real.device)
        excess = steepness(view, real + share * (fake - real)) - 1
        excess = relu(excess) if self.one_sided else excess
        return at(self.weight, view.images) * excess.square().mean()


class DRAGAN(PenaltySettings):
    """Gradient penalty with target 1 around the reals, weight E[(||grad D(x + noise)|| - 1)^2]. Kodali et al. (2017).

    The gradient is taken after `show`. The paper has Gaussian noise; as in the authors' code it is uniform here, from 0
    to `spread` standard deviations of the batch of reals, times a share drawn for each image.
    """

    paper: ClassVar[str] = "arXiv:1705.07215"
    helps: ClassVar[str] = "Keeps the discriminator smooth around the reals, with any loss; fewer collapses than none."
    hurts: ClassVar[str] = (
        "A third pass and a second backward; it keeps gradients of 1 even at the goal, where R1 wants 0."
    )

    kind: Literal["dragan"] = "dragan"
    weight: NonNegative = 10.0
    spread: float = Field(default=0.5, gt=0)

    def __call__(self, view: View) -> Tensor:
        real = view.real.detach()
        share = torch.rand(len(real), 1, 1, 1, device=real.device)
        noise = self.spread * real.float().std() * torch.rand_like(real)
        return at(self.weight, view.images) * (steepness(view, real + share * noise) - 1).square().mean()
