"""What rules share: each finding once, when it was first to be seen, and causes before what they bring."""

from __future__ import annotations

from dataclasses import replace

from steadygan.doctor.rule import Rule, examine, given_up, moments, ranked, story
from steadygan.records import Finding
from unit.doctor.cases import case

ABOVE = Rule(
    id="above",
    severity="warning",
    says="it is above 1",
    causes="growth",
    judge=lambda one: f"it is {one['loss_d'].last:g}" if one["loss_d"].last > 1 else None,
    remedies=lambda one: [f"first (of {len(one['loss_d'])})", "second"],
    source="hand-made",
    unless="it should be",
    picture="curves.png",
)
GROWING = case({"loss_d": [0.0, 1.0, 2.0, 3.0]}, images=400)


def finding(rule: str, severity: str = "warning", images: int = 100) -> Finding:
    return Finding(rule=rule, severity=severity, evidence="", remedy="", step=images, images=images)


def test_what_was_found_in_a_stretch_that_a_run_went_back_over_was_given_up_but_no_act():
    backs = [finding("care-set-back", "info", at).model_copy(update={"back_to": to}) for at, to in ((50, 20), (90, 20))]
    found = [finding("a", images=at) for at in (0, 20, 21, 50, 90, 91)]
    assert [one.images for one in given_up([*found, *backs])] == [21, 50, 90]


def rule(name: str, *leads_to: str) -> Rule:
    return replace(ABOVE, id=name, leads_to=leads_to)


def order(*findings: Finding, rules: tuple[Rule, ...] = ()) -> list[str]:
    return [one.rule for one in ranked(findings, rules)]


def test_a_finding_says_all_that_its_rule_knows():
    found = ABOVE(GROWING)

    assert found is not None
    assert (found.rule, found.severity, found.says, found.evidence) == ("above", "warning", "it is above 1", "it is 3")
    assert (found.causes, found.remedy, found.unless) == ("growth", "first (of 4); second", "it should be")
    assert (found.images, found.source, found.picture) == (400, "hand-made", "curves.png")


def test_nothing_to_see_is_no_finding():
    assert ABOVE(GROWING.until(200)) is None
    assert ABOVE(case()) is None


def test_what_is_known_is_not_found_again():
    assert examine(GROWING, [ABOVE], [finding("above")]) == []
    assert [one.rule for one in examine(GROWING, [ABOVE, replace(ABOVE, id="other")], [finding("above")])] == ["other"]


def test_the_story_tells_each_once_at_its_first_moment():
    (told,) = story(GROWING, [ABOVE])

    assert (told.images, told.evidence) == (300, "it is 2")


def test_the_doctor_looks_whenever_signals_were_measured_and_at_the_end():
    assert moments(case({"loss_d": [0.0] * 8}, {"rank": [1.0] * 2}, images=800)) == [400, 800]
    assert moments(case({"loss_d": [0.0] * 1000}, images=100_000))[-1] == 100_000
    assert len(moments(case({"loss_d": [0.0] * 1000}, images=100_000))) <= 101


def test_the_most_serious_comes_first_and_then_the_oldest():
    assert order(finding("b", "info", 10), finding("a", "serious", 90), finding("d"), finding("c", images=50)) == [
        *("a", "c", "d", "b")
    ]


def test_a_cause_comes_before_what_it_brings_however_serious_that_is():
    effect, cause, other = finding("collapse", "serious"), finding("rate", images=110), finding("other", "serious", 120)

    assert order(effect, other, cause, rules=(rule("rate", "collapse"),)) == ["rate", "other", "collapse"]


def test_what_was_seen_much_later_is_no_cause():
    assert order(finding("collapse", "serious"), finding("rate", images=200), rules=(rule("rate", "collapse"),)) == [
        *("collapse", "rate")
    ]


def test_causes_in_a_ring_are_told_by_their_time():
    ring = (rule("a", "b"), rule("b", "a"))

    assert order(finding("a", images=110), finding("b"), rules=ring) == ["b", "a"]
