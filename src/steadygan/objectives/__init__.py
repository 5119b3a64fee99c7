"""What the players minimise: losses, penalties and generator terms. Each file says in `__all__` what is for others."""

from __future__ import annotations

from steadygan.objectives.base import *
from steadygan.objectives.gradients import *
from steadygan.objectives.lecam import *
from steadygan.objectives.losses import *
from steadygan.objectives.penalties import *
from steadygan.objectives.perturbation import *
from steadygan.objectives.terms import *
from steadygan.objectives.view import *
from steadygan.objectives.weights import *
