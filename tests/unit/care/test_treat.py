"""Treating: one remedy at a time, kept if it helped, taken back if it did not, given up in the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from steadygan.care import Continue, Moment, RollBack, Treat
from steadygan.care import treat as treating
from steadygan.care.treat import calming
from steadygan.doctor.remedies import options
from steadygan.doctor.rule import Rule
from unit.doctor.cases import case

CONFIG = {
    "optimizer": {"generator": {"lr": 1e-3}, "discriminator": {"lr": 1e-3}},
    "show": {"kind": "as_is"},
    "turns": {"kind": "fixed"},
    "penalties": [],
}
A, B = {"show": "ada"}, {"turns.generator": 2}


def rule(name, severity="serious", remedies=(A, B)):
    """One that looks whether its name stands among the ticks."""
    return Rule(
        id=name,
        severity=severity,
        says=f"{name} is there",
        causes="",
        judge=lambda one: f"{name} is {one[name].last}" if one[name].last > 0 else None,
        remedies=lambda _: [options(one, "a reason") for one in remedies],
        source="",
    )


@pytest.fixture(autouse=True)
def rules(monkeypatch):
    monkeypatch.setattr(treating, "RULES", (rule("grave"), rule("mild", "warning"), rule("known", "info")))
    monkeypatch.setattr(treating, "calming", lambda _: [])


def at(images, score, changes=None, broken="", **found):
    """A run of 1,000 images, with these findings; its best checkpoint is that after 200 images."""
    ticks = {"loss_d": [1.0], **{name: [value] for name, value in found.items()}}
    told = case(ticks=ticks, scores={"fd-training": [5.0, score]}, images=images, config=CONFIG)
    told = replace(told, budget_images=1000)
    return Moment(images, told, (100, 200, images), 200, changes or {}, broken)


def test_a_grave_finding_sets_the_run_back_to_its_best_with_the_first_remedy():
    act = Treat().build().decide(at(400, 9.0, grave=1))
    assert isinstance(act, RollBack)
    assert (act.to_images, act.changes) == (200, A)
    assert act.reason == "grave is there: grave is 1.0"


def test_a_warning_is_treated_when_it_stands_at_two_checkpoints():
    policy = Treat().build()
    assert policy.decide(at(400, 9.0, mild=1)) == Continue()
    assert isinstance(policy.decide(at(500, 9.0, mild=1)), RollBack)


def test_a_warning_that_goes_away_and_an_info_are_not():
    policy = Treat().build()
    for images, found in ((300, {"mild": 1}), (400, {"known": 1}), (500, {"known": 1}), (600, {})):
        assert policy.decide(at(images, 5.0, **found)) == Continue()


def test_nothing_is_judged_before_its_time():
    policy = Treat(wait=0.2).build()
    policy.decide(at(400, 9.0, grave=1))
    assert policy.decide(at(590, 99.0, grave=1)) == Continue()
    assert isinstance(policy.decide(at(600, 99.0, grave=1)), RollBack)


def test_what_helped_is_kept():
    policy = Treat().build()
    policy.decide(at(400, 9.0, grave=1))
    act = policy.decide(at(500, 5.2, A))
    assert isinstance(act, Continue)
    assert "show=ada helped" in act.reason
    assert policy.decide(at(600, 4.0, A)) == Continue()
    assert policy.needs() == ()


@pytest.mark.parametrize("after", [{"grave": 1}, {"score": 9.0}, {"broken": "loss_d is nan"}])
def test_what_did_not_help_is_taken_back_and_the_next_is_tried(after):
    policy = Treat().build()
    policy.decide(at(400, 9.0, grave=1))
    assert policy.needs() == (200,)
    act = policy.decide(at(500, **{"score": 5.0, "changes": A} | after))
    assert (act.to_images, act.changes) == (200, B)
    assert "show=ada did not help" in act.reason


def test_when_nothing_helps_what_came_nearest_stays_and_is_not_tried_again():
    policy = Treat().build()
    acts = [policy.decide(at(images, score, grave=1)) for images, score in ((400, 9.0), (500, 7.0), (600, 8.0))]
    assert acts[2].changes == A  # it scored 7
    assert "nothing that was tried helps" in acts[2].reason
    assert policy.decide(at(700, 9.0, A, grave=1)) == Continue()


@pytest.mark.parametrize(
    ("images", "base", "begun"), [(590, 200, True), (610, 200, False), (790, 700, True), (810, 700, False)]
)
def test_nothing_is_begun_where_less_is_left_than_is_given_up_or_than_two_waits(images, base, begun):
    moment = replace(at(images, 9.0, grave=1), checkpoints=(base, images), best=base)
    assert isinstance(Treat().build().decide(moment), RollBack) is begun


@pytest.mark.parametrize("broken", ["", "loss_d is nan"])
def test_what_does_not_help_too_late_to_go_back_goes_on_unless_it_is_broken(broken):
    policy = Treat(wait=0.1).build()
    policy.decide(replace(at(750, 9.0, grave=1), checkpoints=(700, 750), best=700))
    act = policy.decide(at(850, 7.0, A, broken, grave=1))
    assert isinstance(act, RollBack if broken else Continue)
    assert "too little of the budget is left" in act.reason or broken
    assert policy.needs() == ()


@pytest.mark.parametrize(("score", "kept"), [(9.9, True), (10.1, False)])
def test_early_on_it_begins_anew_and_is_held_against_the_run_when_that_was_as_young(score, kept):
    policy = Treat().build()
    act = policy.decide(at(300, 9.0, grave=1))  # it scored 5 after 150 images
    assert (act.to_images, act.changes) == (None, A)
    assert isinstance(policy.decide(at(460, score, A)), Continue) is kept


def test_without_other_weights_to_begin_with_it_goes_back_to_the_best_even_early():
    assert Treat().build().decide(replace(at(300, 9.0, grave=1), fresh=False)).to_images == 200


@pytest.mark.parametrize(("there", "base"), [((100, 200, 300), 200), ((100, 300), 300), ((), None)])
def test_it_goes_back_to_the_best_or_if_that_was_given_up_to_the_newest(there, base):
    assert Treat().build().decide(replace(at(400, 9.0, grave=1), checkpoints=there)).to_images == base


def test_what_the_audit_advised_is_tried_first():
    advised = rule("early", remedies=({"turns.discriminator": 2}, B))(at(100, 1.0, early=1).case)
    assert advised
    act = Treat().build().decide(replace(at(400, 9.0, grave=1), advised=(advised,)))
    assert act.changes == {"turns.discriminator": 2}


def test_all_that_the_audit_advised_is_tried_together_and_then_one_by_one():
    names = {"a": {"turns.discriminator": 2}, "b": {"turns.discriminator": 3, "show": "ada"}, "c": {"loss": "hinge"}}
    advised = tuple(rule(name, remedies=(one,))(at(100, 1.0, **{name: 1}).case) for name, one in names.items())
    moment = replace(at(400, 9.0, grave=1), advised=advised, allowed=lambda changes: "loss" not in changes)
    assert Treat().build().advice(moment) == [{"turns.discriminator": 2, "show": "ada"}, names["a"], names["b"]]


def test_what_is_in_force_already_is_not_tried():
    moment = replace(at(400, 9.0, grave=1), case=replace(at(400, 9.0, grave=1).case, config=CONFIG | {"show": "ada"}))
    assert Treat().build().decide(moment).changes == B


def test_one_warning_is_enough_where_the_audit_warned_too_be_it_between_checkpoints():
    told = at(400, 9.0)
    advised, found = (rule(name, "warning")(at(300, 1.0, **{name: 1}).case) for name in ("early", "mild"))
    assert Treat().build().decide(replace(told, found=(found,))) == Continue()
    assert Treat().build().decide(replace(told, advised=(advised,))) == Continue()
    policy = Treat().build()
    assert isinstance(policy.decide(replace(told, advised=(advised,), found=(found,))), RollBack)
    kept = policy.decide(replace(at(500, 4.0, A), advised=(advised,), found=(found,)))
    assert "helped" in kept.reason
    assert policy.decide(replace(at(600, 4.0, A), advised=(advised,), found=(found,))) == Continue()


def test_a_finding_of_a_rule_that_there_is_no_more_is_left_alone():
    moment = at(400, 5.0, grave=1)
    [found] = [
        replace(moment, found=(one.model_copy(update={"rule": "gone"}),))
        for one in treating.examine(moment.case, treating.RULES)
    ]
    assert Treat().build().decide(replace(found, case=at(400, 5.0).case)) == Continue()


def test_there_is_a_limit_to_tries():
    policy = Treat(tries=1).build()
    acts = [policy.decide(at(images, 9.0, grave=1)) for images in (400, 500, 600)]
    assert acts[0].changes == A
    assert "nothing that was tried helps" in acts[1].reason
    assert acts[2] == Continue()


def test_what_may_not_change_is_not_tried():
    moment = replace(at(400, 9.0, grave=1), allowed=lambda changes: "show" not in changes)
    assert Treat().build().decide(moment).changes == B


def test_against_what_has_no_remedy_of_its_own_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(treating, "calming", calming)
    moment = replace(at(400, 9.0, grave=1), allowed=lambda changes: not changes.keys() & {"show", "turns.generator"})
    assert Treat().build().decide(moment) == Continue()


def test_what_calms_any_game_comes_after_its_own_remedies(monkeypatch):
    monkeypatch.setattr(treating, "calming", calming)
    found = list(Treat().build().remedies(at(400, 9.0, grave=1), rule("grave")(at(400, 9.0, grave=1).case)))
    assert [next(iter(one)) for one in found] == [
        *("show", "turns.generator", "optimizer.generator.lr", "optimizer.generator.lr", "show", "penalties", "turns")
    ]


def test_changes_in_force_before_stay():
    assert Treat().build().decide(at(400, 9.0, {"turns.discriminator": 3}, grave=1)).changes == {
        "turns.discriminator": 3,
        **A,
    }


def test_a_learning_rate_is_lowered_further_if_once_is_not_enough(monkeypatch):
    lower = {"optimizer.generator.lr": 5e-4}
    monkeypatch.setattr(treating, "RULES", (rule("grave", remedies=(lower, B)),))
    policy = Treat().build()
    acts = [policy.decide(at(images, 9.0, grave=1)) for images in (400, 500, 600)]
    assert [dict(act.changes) for act in acts] == [lower, {"optimizer.generator.lr": 1.25e-4}, B]


def test_a_value_that_is_not_finite_is_met_as_by_keep_when_nothing_is_treated():
    act = Treat().build().decide(at(400, 9.0, broken="loss_d is nan"))
    assert (act.to_images, "optimizer.generator.lr" in act.changes) == (400, True)


def test_its_state_comes_back_in_the_middle_of_a_treatment():
    policy, other = Treat().build(), Treat().build()
    policy.decide(at(400, 9.0, grave=1))
    other.load_state_dict(policy.state_dict())
    assert other.decide(at(500, 9.0, A, grave=1)) == policy.decide(at(500, 9.0, A, grave=1))


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        ({}, ["optimizer.generator.lr", "show", "penalties", "turns"]),
        ({"show": {"kind": "ada"}}, ["optimizer.generator.lr", "penalties", "turns"]),
        ({"turns": {"kind": "moderated"}}, ["optimizer.generator.lr", "show", "penalties"]),
    ],
)
def test_what_calms_any_game_leaves_out_what_is_there(settings, places):
    assert [next(iter(one)) for one in calming(case(config=CONFIG | settings))] == places


def test_penalties_that_are_there_become_stronger():
    found = calming(case(config=CONFIG | {"penalties": [{"kind": "r1", "gamma": 0.5}]}))
    assert {"penalties": [{"kind": "r1", "gamma": 5.0}]} in found
