"""All rules, in the order in which they look."""

from __future__ import annotations

from steadygan.doctor.balance import BALANCE
from steadygan.doctor.budget import BUDGET
from steadygan.doctor.collapse import COLLAPSE
from steadygan.doctor.divergence import DIVERGENCE
from steadygan.doctor.fewness import FEWNESS
from steadygan.doctor.gradients import GRADIENTS
from steadygan.doctor.inputs import INPUTS
from steadygan.doctor.machine import MACHINE
from steadygan.doctor.pictures import PICTURES
from steadygan.doctor.rule import Rule
from steadygan.doctor.standing import STANDING

RULES: tuple[Rule, ...] = (
    *(*DIVERGENCE, *INPUTS, *GRADIENTS, *STANDING, *BALANCE, *COLLAPSE, *FEWNESS),
    *(*PICTURES, *BUDGET, *MACHINE),
)
