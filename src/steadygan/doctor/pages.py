"""docs/rules.md and docs/doctor-mistakes.md, from rules and mistakes themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from steadygan.doctor import audit
from steadygan.doctor.audit.authors import REASONS
from steadygan.doctor.audit.mistakes import MISTAKES, Mistake
from steadygan.doctor.case import Case
from steadygan.doctor.rule import ORDER, RuleOf
from steadygan.doctor.rules import RULES

_RULES = """# What the doctor looks for

{note}
[How to read what it says.](doctor.md) A finding has the numbers at hand, with what they are compared with, and settings
that start from those of the run; what to try is written here as for a run of which nothing is known.

## In a run, or another program's log

{run}

## Before a run: in a recipe, images or networks

{before}
"""

_MISTAKES = """# Mistakes that can be seen before a run

{note}
`sg.audit` reads a recipe, a configuration, images or two networks of your own before anything is trained. It sends a
small batch through the networks and writes down what they compute, so functions called in `forward` are seen as modules
are. [What it looks for](rules.md#before-a-run-in-a-recipe-images-or-networks) holds for most runs where it is a
warning; where later work rightly does otherwise, it is an info.

## The 39 mistakes

Those of "Fake satellite images: 39 mistakes". *Before* and *during* name the rules that see it before and during a run.

| # | mistake | before | during | ruled out, as | offered |
|---|---|---|---|---|---|
{mistakes}

## Where an author did otherwise

These are infos, with the reason.

| rule | where | reason |
|---|---|---|
{reasons}
"""


def rules_page(note: str) -> str:
    """docs/rules.md, the gravest first."""
    return _RULES.format(note=note, run=_part(RULES, Case({})), before=_part(audit.RULES, audit.RunPlan()))


def _part(rules: Sequence[RuleOf[Any]], nothing: object) -> str:
    """A table of rules and all that is known of each; `nothing` is a subject of which nothing is known."""
    found = sorted(rules, key=lambda rule: ORDER.index(rule.severity))
    rows = [f"| [`{one.id}`](#{one.id}) | {one.severity} | {_cell(one.says)} | {_cell(one.source)} |" for one in found]
    head = ["| rule | severity | what it sees | source |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, *(_section(one, nothing) for one in found)])


def _section(rule: RuleOf[Any], nothing: object) -> str:
    facts = {
        "Evidence": inspect.getdoc(getattr(rule.judge, "func", rule.judge)) or "",
        "Usual causes": rule.causes,
        "To try, in this order": "; ".join(_code(remedy) for remedy in rule.remedies(nothing)),
        "Does not apply": rule.unless,
        "Brings with it": ", ".join(f"`{name}`" for name in rule.leads_to),
        "Source": rule.source,
    }
    lines = [f"- {name}: {' '.join(fact.split())}" for name, fact in facts.items() if fact]
    return "\n".join(["", f"### {rule.id}", "", f"{rule.severity}: {rule.says}", "", *lines])


def _code(remedy: str) -> str:
    """A remedy with its setting as code."""
    setting, reason, why = remedy.partition(" (")
    return f"`{setting}`{reason}{why}" if setting.startswith("--") else remedy


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def mistakes_page(note: str) -> str:
    """docs/doctor-mistakes.md."""
    reasons = (f"| `{it.rule}` | `{it.setting}={it.value}` | {it.why} |" for it in REASONS)
    return _MISTAKES.format(note=note, mistakes="\n".join(map(_row, MISTAKES)), reasons="\n".join(reasons))


def _row(it: Mistake) -> str:
    before, during, offered = (_listed(names) for names in (it.audit, it.run, it.offered))
    return f"| {it.number} | {it.what} | {before} | {during} | {it.prevented} | {offered} |"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
