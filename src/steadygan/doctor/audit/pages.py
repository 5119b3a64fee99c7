"""docs/doctor-mistakes.md, from the table of mistakes and the rules of the audit."""

from __future__ import annotations

from collections.abc import Iterable

from steadygan.doctor.audit import RULES
from steadygan.doctor.audit.authors import REASONS
from steadygan.doctor.audit.mistakes import MISTAKES, Mistake

_PAGE = """# Mistakes that can be seen before a run

{note}
`sg.audit` reads a recipe, a configuration, images or two networks of your own before anything is trained. It sends a
small batch through the networks and writes down what they compute, so functions called in `forward` are seen as modules
are. What it takes for a warning holds for most runs; where later work rightly does otherwise, that is an info.

## The 39 mistakes

Those of "Fake satellite images: 39 mistakes". *Before* and *during* name the rules that see it before and during a run.

| # | mistake | before | during | ruled out, as | offered |
|---|---|---|---|---|---|
{mistakes}

## What the audit looks for

| rule | severity | what it sees | when it does not hold | source |
|---|---|---|---|---|
{rules}

## Where an author did otherwise

These are infos, with the reason.

| rule | where | reason |
|---|---|---|
{reasons}
"""


def mistakes_page(note: str) -> str:
    """docs/doctor-mistakes.md."""
    rules = (f"| `{it.id}` | {it.severity} | {it.says} | {it.unless} | {it.source} |" for it in RULES)
    reasons = (f"| `{it.rule}` | `{it.setting}={it.value}` | {it.why} |" for it in REASONS)
    return _PAGE.format(
        note=note, mistakes="\n".join(map(_row, MISTAKES)), rules="\n".join(rules), reasons="\n".join(reasons)
    )


def _row(it: Mistake) -> str:
    named = (_code(names) for names in (it.audit, it.run))
    return f"| {it.number} | {it.what} | {' | '.join(named)} | {it.prevented} | {_code(it.offered)} |"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
