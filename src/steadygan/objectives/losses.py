"""Adversarial losses: what each player minimises, as arithmetic on logits.

D(x) below is a logit: the probability of being real is sigmoid(D(x)).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal, Protocol, runtime_checkable

import torch
from pydantic import AfterValidator, Field
from torch import Tensor
from torch.nn.functional import relu, softplus

from steadygan.objectives.view import View
from steadygan.part import Part
from steadygan.schedule import Share, at

__all__ = [
    "AnyLoss",
    "Hinge",
    "LeastSquares",
    "Loss",
    "LossSettings",
    "Minimax",
    "NonSaturating",
    "Relativistic",
    "RelativisticAverage",
    "Separable",
    "Wasserstein",
]


@runtime_checkable
class Loss(Protocol):
    """Two scalars of one view: what the discriminator and what the generator minimises."""

    def d_loss(self, view: View) -> Tensor: ...

    def g_loss(self, view: View) -> Tensor: ...


@runtime_checkable
class Separable(Loss, Protocol):
    """A loss whose discriminator can be trained on reals alone or on fakes alone: the two sum up to `d_loss`."""

    def real_loss(self, view: View) -> Tensor: ...

    def fake_loss(self, view: View) -> Tensor: ...


class LossSettings(Part):
    """Base of all losses: the settings are the object, frozen, and its methods are the formula.

    `absolute` says whether a single logit means real or fake, `boundary` where one becomes the other.
    """

    absolute: ClassVar[bool] = True

    @property
    def boundary(self) -> float:
        return 0.0


def boundary_among(loss: object, d_real: Tensor, d_fake: Tensor) -> Tensor | float:
    """Where fake becomes real among logits of these means: the loss's `boundary`, or half way between the two under
    a loss that only compares logits, so that all of them may drift.
    """
    if getattr(loss, "absolute", True):
        return float(getattr(loss, "boundary", 0.0))
    return (d_real + d_fake) / 2


class SeparableLoss(LossSettings, ABC):
    """Base of the losses whose discriminator judges reals and fakes apart."""

    @abstractmethod
    def real_loss(self, view: View) -> Tensor: ...

    @abstractmethod
    def fake_loss(self, view: View) -> Tensor: ...

    def d_loss(self, view: View) -> Tensor:
        return self.real_loss(view) + self.fake_loss(view)


def _ordered(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"give the lower end first, got {ends[0]:g} to {ends[1]:g}")
    return ends


Labels = Annotated[tuple[float, float], AfterValidator(_ordered)]
"""The ends of a range of labels, 1 being certainly real and 0 certainly fake; equal ends are one label for all."""


def _drawn(ends: tuple[float, float], logits: Tensor) -> Tensor | float:
    """One label for each logit (N,), uniform between the ends; equal ends need no random numbers."""
    low, high = ends
    return low if low == high else low + (high - low) * torch.rand(logits.shape, device=logits.device)


def _cross_entropy(logits: Tensor, labels: Tensor | float) -> Tensor:
    """Mean cross entropy of logits (N,) with soft labels: -t log sigmoid(l) - (1 - t) log(1 - sigmoid(l))."""
    return (labels * softplus(-logits) + (1 - labels) * softplus(logits)).mean()


class _CrossEntropy(SeparableLoss):
    """The discriminator of Goodfellow et al. (2014), equation 1, with soft and noisy labels in its own turn."""

    real_labels: Labels = (1.0, 1.0)
    fake_labels: Labels = (0.0, 0.0)
    flip: Share = 0.0

    def real_loss(self, view: View) -> Tensor:
        labels = self._labels(view, view.real_logits, self.real_labels, self.fake_labels)
        return _cross_entropy(view.real_logits, labels)

    def fake_loss(self, view: View) -> Tensor:
        labels = self._labels(view, view.fake_logits, self.fake_labels, self.real_labels)
        return _cross_entropy(view.fake_logits, labels)

    def _labels(
        self, view: View, logits: Tensor, own: tuple[float, float], other: tuple[float, float]
    ) -> Tensor | float:
        share = at(self.flip, view.images)
        labels = _drawn(own, logits)
        if share == 0:
            return labels
        swapped = torch.rand(logits.shape, device=logits.device) < share
        return torch.where(swapped, _drawn(other, logits), labels)


class NonSaturating(_CrossEntropy):
    """The non-saturating loss, cross entropy for D and -log D(G(z)) for G. Goodfellow et al. (2014), section 3.

    d_loss = E[softplus(-D(x))] + E[softplus(D(G(z)))], g_loss = E[softplus(-D(G(z)))].

    In the discriminator's turn each image may get a label of its own, uniform in `real_labels` or `fake_labels`:
    (0.9, 0.9) for reals alone is one-sided smoothing (Salimans et al. 2016, section 3.4). With probability `flip` a
    label is swapped for one of the other side. The generator's loss always wants the label 1.
    """

    paper: ClassVar[str] = "arXiv:1406.2661"
    helps: ClassVar[str] = "The plain choice: a generator that is losing still gets a strong gradient."
    hurts: ClassVar[str] = (
        "Without a gradient penalty it can rotate or collapse; real labels above 1 push real logits up without end."
    )

    kind: Literal["non_saturating"] = "non_saturating"

    def g_loss(self, view: View) -> Tensor:
        return softplus(-view.fake_logits).mean()


class Minimax(_CrossEntropy):
    """The minimax or saturating loss: G minimises log(1 - D(G(z))). Goodfellow et al. (2014), equation 1.

    d_loss as in the non-saturating loss, g_loss = -E[softplus(D(G(z)))], the negative of what D pays for fakes.
    Labels in the discriminator's turn as there.
    """

    paper: ClassVar[str] = "arXiv:1406.2661"
    helps: ClassVar[str] = "The game of the theory, to see for oneself why nobody trains with it."
    hurts: ClassVar[str] = "The generator's gradient vanishes as soon as the discriminator is sure of the fakes."

    kind: Literal["minimax"] = "minimax"

    def g_loss(self, view: View) -> Tensor:
        return -softplus(view.fake_logits).mean()


class LeastSquares(SeparableLoss):
    """The least squares loss. Mao et al. (2017), by default with their 0-1 labels.

    d_loss = 1/2 E[(D(x) - b)^2] + 1/2 E[(D(G(z)) - a)^2], g_loss = 1/2 E[(D(G(z)) - c)^2]: D wants `a` for fakes and
    `b` for reals, G wants `c`. With a=-1, b=1, c=0 it is a Pearson chi-squared divergence.
    """

    paper: ClassVar[str] = "arXiv:1611.04076"
    helps: ClassVar[str] = "Fakes that are judged real but lie far from the reals still get a gradient."
    hurts: ClassVar[str] = "Outliers weigh quadratically, so a single odd batch can throw the discriminator."

    kind: Literal["least_squares"] = "least_squares"
    a: float = 0.0
    b: float = 1.0
    c: float = 1.0

    @property
    def boundary(self) -> float:
        return (self.a + self.b) / 2

    def real_loss(self, view: View) -> Tensor:
        return (view.real_logits - self.b).square().mean() / 2

    def fake_loss(self, view: View) -> Tensor:
        return (view.fake_logits - self.a).square().mean() / 2

    def g_loss(self, view: View) -> Tensor:
        return (view.fake_logits - self.c).square().mean() / 2


class Hinge(SeparableLoss):
    """The hinge loss. Lim and Ye (2017); Miyato et al. (2018), equations 16 and 17.

    d_loss = E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))], g_loss = -E[D(G(z))].
    """

    paper: ClassVar[str] = "arXiv:1802.05957"
    helps: ClassVar[str] = (
        "The discriminator stops at a margin instead of growing ever surer; a good match for spectral norm."
    )
    hurts: ClassVar[str] = "Once all images are beyond the margin the discriminator learns nothing more from them."

    kind: Literal["hinge"] = "hinge"

    def real_loss(self, view: View) -> Tensor:
        return relu(1 - view.real_logits).mean()

    def fake_loss(self, view: View) -> Tensor:
        return relu(1 + view.fake_logits).mean()

    def g_loss(self, view: View) -> Tensor:
        return -view.fake_logits.mean()


class Wasserstein(SeparableLoss):
    """The Wasserstein loss, the difference of the mean logits. Arjovsky et al. (2017), Algorithm 1.

    d_loss = E[D(G(z))] - E[D(x)], g_loss = -E[D(G(z))]. It is a distance only while D is held Lipschitz, by weight
    clipping or a gradient penalty; without either it has no lower bound. The paper gives D five turns for each of G.
    """

    paper: ClassVar[str] = "arXiv:1701.07875"
    helps: ClassVar[str] = "The loss falls with the distance of fakes from reals, and a strong critic is no harm."
    hurts: ClassVar[str] = "It diverges without a Lipschitz constraint and is slow, with several critic turns a step."

    absolute: ClassVar[bool] = False
    kind: Literal["wasserstein"] = "wasserstein"

    def real_loss(self, view: View) -> Tensor:
        return -view.real_logits.mean()

    def fake_loss(self, view: View) -> Tensor:
        return view.fake_logits.mean()

    def g_loss(self, view: View) -> Tensor:
        return -view.fake_logits.mean()


class Relativistic(LossSettings):
    """The relativistic pairing loss: is this real more real than that fake? Jolicoeur-Martineau (2019), equation 7.

    d_loss = E[softplus(-(D(x) - D(G(z))))], g_loss = E[softplus(-(D(G(z)) - D(x)))]; reals and fakes are paired by
    their place in the batch. With R1 and R2 it converges locally (Huang et al. 2024, section 2).
    """

    paper: ClassVar[str] = "arXiv:1807.00734"
    helps: ClassVar[str] = (
        "Every fake is held against a real, so the generator cannot hide in one mode; good with R1 and R2."
    )
    hurts: ClassVar[str] = (
        "Without both gradient penalties it may not converge, and the generator's turn judges reals too."
    )

    absolute: ClassVar[bool] = False
    kind: Literal["relativistic"] = "relativistic"

    def d_loss(self, view: View) -> Tensor:
        return softplus(-(view.real_logits - view.fake_logits)).mean()

    def g_loss(self, view: View) -> Tensor:
        return softplus(view.real_logits - view.fake_logits).mean()


class RelativisticAverage(LossSettings):
    """The relativistic average loss (RaSGAN): is this real more real than the average fake? Jolicoeur-Martineau (2019).

    d_loss = E[softplus(-(D(x) - E D(G(z))))] + E[softplus(D(G(z)) - E D(x))]; g_loss is the same with reals and fakes
    exchanged. The inner means run over the batch and carry gradients.
    """

    paper: ClassVar[str] = "arXiv:1807.00734"
    helps: ClassVar[str] = "The generator learns from reals as well as from fakes; well tried in super-resolution."
    hurts: ClassVar[str] = "The means are noisy in small batches, and the generator's turn judges reals too."

    absolute: ClassVar[bool] = False
    kind: Literal["relativistic_average"] = "relativistic_average"

    def d_loss(self, view: View) -> Tensor:
        return _above_average(view.real_logits, view.fake_logits)

    def g_loss(self, view: View) -> Tensor:
        return _above_average(view.fake_logits, view.real_logits)


def _above_average(these: Tensor, those: Tensor) -> Tensor:
    """What a player pays who wants these logits (N,) above the mean of those, and those below the mean of these."""
    return softplus(those.mean() - these).mean() + softplus(those - these.mean()).mean()


AnyLoss = Annotated[
    NonSaturating | Minimax | LeastSquares | Hinge | Wasserstein | Relativistic | RelativisticAverage,
    Field(discriminator="kind"),
]
