"""What the players minimise: losses, penalties and generator terms."""

from __future__ import annotations

from steadygan.objectives.losses import AnyLoss, Hinge, Loss, NonSaturating, Relativistic
from steadygan.objectives.penalties import R1, R2, AnyPenalty, Penalty
from steadygan.objectives.terms import AnyGeneratorTerm, FeatureMatching, GeneratorTerm
from steadygan.objectives.view import View

__all__ = [
    "R1",
    "R2",
    "AnyGeneratorTerm",
    "AnyLoss",
    "AnyPenalty",
    "FeatureMatching",
    "GeneratorTerm",
    "Hinge",
    "Loss",
    "NonSaturating",
    "Penalty",
    "Relativistic",
    "View",
]
