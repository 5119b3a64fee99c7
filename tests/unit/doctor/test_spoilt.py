"""Records that are not as they should be: no rule and no answer stumbles over them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from steadygan.doctor.answers import answers
from steadygan.doctor.case import Case, Series
from steadygan.doctor.rules import RULES
from unit.doctor.cases import case, course, health
from unit.doctor.test_dynamics import FIRES as DYNAMICS
from unit.doctor.test_pictures_and_budget import FIRES as OTHERS

SPOILT: dict[str, Callable[[Series], Series]] = {
    "missing": lambda one: one.part(0, 0),
    "of one line": lambda one: one.part(0, 1),
    "of four lines": lambda one: one.part(0, 4),
    "nothing but zeros": lambda one: replace(one, values=np.zeros(len(one))),
    "no numbers": lambda one: replace(one, values=math.nan * np.ones(len(one))),
    "infinite": lambda one: replace(one, values=math.inf * np.ones(len(one))),
    "negative": lambda one: replace(one, values=-one.values),
    "at the start": lambda one: replace(one, images=0 * one.images, steps=0 * one.steps),
    "without images": lambda one: replace(one, images=0 * one.images),
}
RULE = {rule.id: rule for rule in RULES}


def faults(rule: str) -> list[Case]:
    return [*DYNAMICS[rule].values()][-1:] if rule in DYNAMICS else OTHERS[rule][:1]


def groups(one: Case) -> list[list[str]]:
    """Names that are spoilt together: each alone, those of a group as one, and all."""
    heads = {name.rsplit(".", 1)[0] if name.count(".") > 1 else name for name in one.series}
    return [*([name for name in one.series if name.startswith(head)] for head in heads), [*one.series]]


QUICK = {"missing", "of four lines", "no numbers", "at the start"}
HOW = [pytest.param(how, marks=[] if how in QUICK else pytest.mark.slow) for how in SPOILT]


@pytest.mark.parametrize("rule", RULE)
@pytest.mark.parametrize("how", HOW)
def test_no_rule_stumbles_over_columns_that_are_not_as_they_should_be(rule, how):
    for sick in faults(rule):
        spoilt = {name: SPOILT[how](one) for name, one in sick.series.items()}
        for names in groups(sick):
            found = RULE[rule](replace(sick, series={**sick.series, **{name: spoilt[name] for name in names}}))
            assert not found or rule == "not-finite" or " nan" not in found.evidence


@pytest.mark.parametrize("how", HOW)
def test_every_question_is_answered_of_columns_that_are_not_as_they_should_be(how):
    whole = health({"seconds": course(1, 900)}, {"copies": [0.01] * 40}, {"fd-training": course(90, 9)}, size=32)
    for names in groups(whole):
        told = replace(whole, series={**whole.series, **{name: SPOILT[how](whole[name]) for name in names}})
        assert all(one.text and "\n" not in one.text for one in answers(told))


@pytest.mark.parametrize("told", [Case({}), case(), case(training=0, held_out=0, budget_images=0)])
def test_no_rule_sees_anything_where_there_is_nothing(told):
    assert [rule.id for rule in RULES if rule(told)] == []
