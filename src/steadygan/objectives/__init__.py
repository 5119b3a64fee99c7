"""What the players minimise: losses, penalties and generator terms."""

from __future__ import annotations

from steadygan.objectives.base import GeneratorTerm, Penalty, PenaltySettings
from steadygan.objectives.gradients import DRAGAN, R1, R2, WGANGP
from steadygan.objectives.lecam import LeCam
from steadygan.objectives.losses import (
    AnyLoss,
    Hinge,
    LeastSquares,
    Loss,
    LossSettings,
    Minimax,
    NonSaturating,
    Relativistic,
    RelativisticAverage,
    Separable,
    Wasserstein,
)
from steadygan.objectives.penalties import AnyPenalty
from steadygan.objectives.perturbation import Consistency, PerturbedR1, PerturbedR2
from steadygan.objectives.terms import AnyGeneratorTerm, FeatureMatching, ModeSeeking
from steadygan.objectives.view import JointForDiscriminator, JointView, View
from steadygan.objectives.weights import L2, HistoricalAveraging, WeightClipping

__all__ = [
    "DRAGAN",
    "L2",
    "R1",
    "R2",
    "WGANGP",
    "AnyGeneratorTerm",
    "AnyLoss",
    "AnyPenalty",
    "Consistency",
    "FeatureMatching",
    "GeneratorTerm",
    "Hinge",
    "HistoricalAveraging",
    "JointForDiscriminator",
    "JointView",
    "LeCam",
    "LeastSquares",
    "Loss",
    "LossSettings",
    "Minimax",
    "ModeSeeking",
    "NonSaturating",
    "Penalty",
    "PenaltySettings",
    "PerturbedR1",
    "PerturbedR2",
    "Relativistic",
    "RelativisticAverage",
    "Separable",
    "View",
    "Wasserstein",
    "WeightClipping",
]
