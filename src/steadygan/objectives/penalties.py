"""Penalties the discriminator pays, each a scalar of one view.

With `every=n` a penalty is computed at each n-th turn of the discriminator and counts n times there
(lazy regularisation, Karras et al. 2020, section 3.1), so its mean strength does not depend on n.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Protocol, runtime_checkable

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from steadygan.objectives.view import View


@runtime_checkable
class Penalty(Protocol):
    """A scalar added to the discriminator's loss at every `every`-th of its turns."""

    every: int

    def __call__(self, view: View) -> Tensor: ...


class PenaltySettings(BaseModel):
    """Base of all penalties: the settings are the object, and calling it is the formula."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    every: int = Field(default=1, ge=1)


def squared_gradient_norm(logits: Tensor, images: Tensor) -> Tensor:
    """Squared L2 norm of d logits / d images, one per image: (N,), (N, C, H, W) -> (N,); differentiable itself."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.float().square().flatten(1).sum(1)


class R1(PenaltySettings):
    """Zero-centred gradient penalty on reals, gamma/2 E[||grad D(x)||^2]. Mescheder et al. (2018), equation 9.

    The gradient is taken at the image the discriminator sees, after `show`.
    """

    paper: ClassVar[str] = "arXiv:1801.04406"

    kind: Literal["r1"] = "r1"
    gamma: float = Field(default=10.0, ge=0)

    def __call__(self, view: View) -> Tensor:
        return self.gamma / 2 * squared_gradient_norm(view.real_logits, view.real).mean()


class R2(PenaltySettings):
    """Zero-centred gradient penalty on fakes, gamma/2 E[||grad D(G(z))||^2]. Mescheder et al. (2018), equation 10.

    The gradient is taken at the image the discriminator sees, after `replay` and `show`.
    """

    paper: ClassVar[str] = "arXiv:1801.04406"

    kind: Literal["r2"] = "r2"
    gamma: float = Field(default=10.0, ge=0)

    def __call__(self, view: View) -> Tensor:
        return self.gamma / 2 * squared_gradient_norm(view.fake_logits, view.fake).mean()


AnyPenalty = Annotated[R1 | R2, Field(discriminator="kind")]
