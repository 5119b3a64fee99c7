"""docs/rules.md says of each rule all that is known without a run."""

from __future__ import annotations

import pytest

from steadygan.doctor import audit, pages
from steadygan.doctor.case import Case
from steadygan.doctor.rule import Rule
from steadygan.doctor.rules import RULES


def judge(case: Case) -> str | None:
    """The height of a loss."""
    return None


def rule(name: str, severity: str) -> Rule:
    texts = {"says": f"{name} | happens", "causes": "a cause", "source": "Nobody (2020)", "unless": "never"}
    tries = ["--set 'loss.kind=hinge' (it (too) helps)", "look at the pictures (first)"]
    return Rule(name, severity, judge=judge, remedies=lambda case: tries, leads_to=("other",), **texts)


def test_the_page_has_a_row_and_a_section_for_each_rule_the_gravest_first(monkeypatch):
    monkeypatch.setattr(pages, "RULES", (rule("one", "info"), rule("two", "serious")))
    page = pages.rules_page("NOTE")
    for one in audit.RULES:
        assert page.count(f"\n### {one.id}\n") == 1
    assert page.index("| [`two`](#two) | serious | two \\| happens | Nobody (2020) |") < page.index("| [`one`](#one)")
    section = page[page.index("### two") : page.index("### one")].splitlines()
    assert section[4:10] == [
        "- Evidence: The height of a loss.",
        "- Usual causes: a cause",
        "- To try, in this order: `--set 'loss.kind=hinge'` (it (too) helps); look at the pictures (first)",
        "- Does not apply: never",
        "- Brings with it: `other`",
        "- Source: Nobody (2020)",
    ]


BOTH = [(one, Case({})) for one in RULES] + [(one, audit.RunPlan()) for one in audit.RULES]


@pytest.mark.parametrize(("one", "nothing"), BOTH, ids=[one.id for one, _ in BOTH])
def test_what_to_try_can_be_told_apart_again(one, nothing):
    """They are joined in a finding, and parted where it is shown."""
    assert [remedy for remedy in one.remedies(nothing) if "; " in remedy] == []


def test_no_two_rules_share_a_name():
    names = [one.id for one, _ in BOTH]
    assert sorted(names) == sorted(set(names))
