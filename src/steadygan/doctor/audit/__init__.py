"""The audit before a run: mistakes that can be read off settings, networks and images."""

from __future__ import annotations

from steadygan.doctor.audit import architecture, budget, data, initialisation, optimisation, regularisation
from steadygan.doctor.audit.anatomy import Anatomy, Layer
from steadygan.doctor.audit.authors import reason
from steadygan.doctor.audit.plan import AuditRule, Images, Remarked, RunPlan
from steadygan.doctor.rule import ranked
from steadygan.records import Finding

__all__ = ["RULES", "Anatomy", "AuditRule", "Images", "Layer", "Remarked", "RunPlan", "audited"]

RULES: tuple[AuditRule, ...] = (
    *architecture.RULES,
    *initialisation.RULES,
    *optimisation.RULES,
    *regularisation.RULES,
    *data.RULES,
    *budget.RULES,
)


def audited(plan: RunPlan) -> list[Finding]:
    """What all rules find, the gravest first; a warning that an author had a reason for is an info with that."""
    return ranked((_judged(found, plan) for rule in RULES if (found := rule(plan))), RULES)


def _judged(found: Finding, plan: RunPlan) -> Finding:
    why = reason(found.rule, plan)
    return found.model_copy(update={"severity": "info", "unless": why}) if why else found
