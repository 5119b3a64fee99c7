"""Penalties the discriminator pays, each a scalar of one view: the list of all there are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from steadygan.objectives.gradients import DRAGAN, R1, R2, WGANGP
from steadygan.objectives.lecam import LeCam
from steadygan.objectives.perturbation import Consistency, PerturbedR1, PerturbedR2
from steadygan.objectives.weights import L2, HistoricalAveraging, WeightClipping

__all__ = ["AnyPenalty"]

AnyPenalty = Annotated[
    R1
    | R2
    | PerturbedR1
    | PerturbedR2
    | WGANGP
    | DRAGAN
    | WeightClipping
    | L2
    | Consistency
    | LeCam
    | HistoricalAveraging,
    Field(discriminator="kind"),
]
