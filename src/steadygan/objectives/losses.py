"""Adversarial losses: what each player minimises, as arithmetic on logits.

D(x) below is a logit: the probability of being real is sigmoid(D(x)).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.functional import relu, softplus

from steadygan.objectives.view import View


@runtime_checkable
class Loss(Protocol):
    """Two scalars of one view: what the discriminator and what the generator minimises."""

    def d_loss(self, view: View) -> Tensor: ...

    def g_loss(self, view: View) -> Tensor: ...


class LossSettings(BaseModel):
    """Base of all losses: the settings are the object, frozen, and its methods are the formula."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NonSaturating(LossSettings):
    """The non-saturating loss, cross entropy for D and -log D(G(z)) for G. Goodfellow et al. (2014), section 3.

    d_loss = E[softplus(-D(x))] + E[softplus(D(G(z)))], g_loss = E[softplus(-D(G(z)))].
    """

    paper: ClassVar[str] = "arXiv:1406.2661"

    kind: Literal["non_saturating"] = "non_saturating"

    def d_loss(self, view: View) -> Tensor:
        return softplus(-view.real_logits).mean() + softplus(view.fake_logits).mean()

    def g_loss(self, view: View) -> Tensor:
        return softplus(-view.fake_logits).mean()


class Hinge(LossSettings):
    """The hinge loss. Lim and Ye (2017); Miyato et al. (2018), equations 16 and 17.

    d_loss = E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))], g_loss = -E[D(G(z))].
    """

    paper: ClassVar[str] = "arXiv:1802.05957"

    kind: Literal["hinge"] = "hinge"

    def d_loss(self, view: View) -> Tensor:
        return relu(1 - view.real_logits).mean() + relu(1 + view.fake_logits).mean()

    def g_loss(self, view: View) -> Tensor:
        return -view.fake_logits.mean()


class Relativistic(LossSettings):
    """The relativistic pairing loss: is this real more real than that fake? Jolicoeur-Martineau (2019), equation 7.

    d_loss = E[softplus(-(D(x) - D(G(z))))], g_loss = E[softplus(-(D(G(z)) - D(x)))]; reals and fakes are paired by
    their place in the batch. With R1 and R2 it converges locally (Huang et al. 2024, section 2).
    """

    paper: ClassVar[str] = "arXiv:1807.00734"

    kind: Literal["relativistic"] = "relativistic"

    def d_loss(self, view: View) -> Tensor:
        return softplus(view.fake_logits - view.real_logits).mean()

    def g_loss(self, view: View) -> Tensor:
        return softplus(view.real_logits - view.fake_logits).mean()


AnyLoss = Annotated[NonSaturating | Hinge | Relativistic, Field(discriminator="kind")]
