"""docs/rules.md, from the rules themselves."""

from __future__ import annotations

import inspect

from steadygan.doctor.case import Case
from steadygan.doctor.rule import ORDER, Rule
from steadygan.doctor.rules import RULES

_RULES = """# What the doctor looks for

{note}
These are the rules that read a run or another program's log; [how to read what they say](doctor.md). A finding has the
numbers of the run at hand, with what they are compared with, and settings that start from those of the run; what to try
is written here as for a run of which nothing is known.

| rule | severity | what it sees | source |
|---|---|---|---|
{rows}

{rules}
"""


def rules_page(note: str) -> str:
    """docs/rules.md, the gravest first."""
    rules = sorted(RULES, key=lambda rule: ORDER.index(rule.severity))
    rows = [f"| [`{one.id}`](#{one.id}) | {one.severity} | {_cell(one.says)} | {_cell(one.source)} |" for one in rules]
    return _RULES.format(note=note, rows="\n".join(rows), rules="\n\n".join(map(_section, rules)))


def _section(rule: Rule) -> str:
    """All that is known of a rule without a run."""
    facts = {
        "Evidence": inspect.getdoc(rule.judge) or "",
        "Usual causes": rule.causes,
        "To try, in this order": "; ".join(_code(remedy) for remedy in rule.remedies(Case({}))),
        "Does not apply": rule.unless,
        "Brings with it": ", ".join(f"`{name}`" for name in rule.leads_to),
        "Source": rule.source,
    }
    lines = [f"- {name}: {' '.join(fact.split())}" for name, fact in facts.items() if fact]
    return "\n".join([f"## {rule.id}", "", f"{rule.severity}: {rule.says}", "", *lines])


def _code(remedy: str) -> str:
    """A remedy with its setting as code."""
    setting, reason, why = remedy.partition(" (")
    return f"`{setting}`{reason}{why}" if setting.startswith("--") else remedy


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
