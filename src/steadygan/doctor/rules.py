"""All rules, in the order in which they look."""

from __future__ import annotations

from steadygan.doctor.rule import Rule

RULES: tuple[Rule, ...] = ()
