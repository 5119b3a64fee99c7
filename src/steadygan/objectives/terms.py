"""Terms the generator pays besides its adversarial loss, each a scalar of one view."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from steadygan.objectives.view import View
from steadygan.objectives.weights import L2, HistoricalAveraging
from steadygan.part import Part
from steadygan.schedule import NonNegative, at

__all__ = ["AnyGeneratorTerm", "FeatureMatching", "ModeSeeking"]


class FeatureMatching(Part):
    """Squared distance of the mean features of reals and fakes. Salimans et al. (2016), section 3.1.

    The features are those the discriminator returns with `with_features=True`, averaged over the batch.
    """

    paper: ClassVar[str] = "arXiv:1606.03498"
    helps: ClassVar[str] = "A steady goal for the generator when the discriminator's verdict is too sharp or too noisy."
    hurts: ClassVar[str] = "Two more passes of the discriminator; matching means says nothing about single images."

    kind: Literal["feature_matching"] = "feature_matching"
    weight: NonNegative = 1.0

    def __call__(self, view: View) -> Tensor:
        with torch.no_grad():
            real = view.features(view.real).float().mean(0)
        fake = view.features(view.fake).float().mean(0)
        return at(self.weight, view.images) * (fake - real).square().sum()


class ModeSeeking(Part):
    """Unlike latents must give unlike images. Mao et al. (2019).

    weight d_z / d_I, the ratio of the mean L1 distances of latents and of images over pairs from the batch, to be
    minimised where the paper maximises its inverse. Without labels the pairs are the first half of the batch against
    the second, without an odd image; with labels they are neighbours of one label after sorting, since the paper's
    pairs share their condition. Images are those before `show`.
    """

    paper: ClassVar[str] = "arXiv:1903.05628"
    helps: ClassVar[str] = "Against a generator that ignores its latents, above all within a class."
    hurts: ClassVar[str] = "It rewards any difference between images, noise too."

    kind: Literal["mode_seeking"] = "mode_seeking"
    weight: NonNegative = 1.0
    eps: float = Field(default=1e-5, gt=0)

    def __call__(self, view: View) -> Tensor:
        first, second, counts = _pairs(view)
        latents = _distance(view.latent[first], view.latent[second]) * counts
        images = _distance(view.made[first], view.made[second]) * counts
        return at(self.weight, view.images) * latents.mean() / (images.mean() + self.eps)


def _distance(these: Tensor, those: Tensor) -> Tensor:
    """Mean absolute difference of each pair, in float32: (N, ...), (N, ...) -> (N,)."""
    return (these.float() - those.float()).abs().flatten(1).mean(1)


def _pairs(view: View) -> tuple[Tensor, Tensor, Tensor]:
    """Places of the first and the second image of each pair, and whether the pair counts: three tensors (P,)."""
    half = len(view.fake) // 2
    if not view.given:
        places = torch.arange(2 * half, device=view.fake.device)
        return places[:half], places[half:], torch.ones(half, device=view.fake.device)
    labels, places = view.given[0].sort(stable=True)
    return places[:-1], places[1:], labels[:-1] == labels[1:]


AnyGeneratorTerm = Annotated[FeatureMatching | ModeSeeking | L2 | HistoricalAveraging, Field(discriminator="kind")]
