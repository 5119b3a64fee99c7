"""Terms the generator pays besides its adversarial loss, each a scalar of one view."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol, runtime_checkable

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from steadygan.objectives.view import View


@runtime_checkable
class GeneratorTerm(Protocol):
    """A scalar added to the generator's loss in each of its turns."""

    def __call__(self, view: View) -> Tensor: ...


class FeatureMatching(BaseModel):
    """Squared distance of the mean features of reals and fakes. Salimans et al. (2016), section 3.1.

    The features are those the discriminator returns with `with_features=True`, averaged over the batch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    paper: ClassVar[str] = "arXiv:1606.03498"

    kind: Literal["feature_matching"] = "feature_matching"
    weight: float = Field(default=1.0, ge=0)

    def __call__(self, view: View) -> Tensor:
        with torch.no_grad():
            real = view.discriminator(view.real, with_features=True)[1].mean(0)
        fake = view.discriminator(view.fake, with_features=True)[1].mean(0)
        return self.weight * (fake - real).float().square().sum()


AnyGeneratorTerm = FeatureMatching
