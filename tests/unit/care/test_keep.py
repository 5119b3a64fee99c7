"""Keeping: a run is ended long past its best, never before, and one that diverges is set back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from steadygan.care import AnyCare, Continue, Keep, Moment, RollBack, Stop, Treat, Watch
from unit.doctor.cases import case

LR = {"optimizer": {"generator": {"lr": 1e-3}, "discriminator": {"lr": 2e-3}}}
UP_AGAIN = [20, 12, 8, 6, 6.1, 6.9, 7.9, 9, 9.5, 10]


def scored(values, budget=None):
    found = case(scores={"fd-training": [float(value) for value in values]}, config=LR)
    return Moment(found.images, replace(found, budget_images=budget or found.images))


def broken(images, *checkpoints, **rest):
    return Moment(images, case(ticks={"loss_d": [1.0]}, config=LR), checkpoints, broken="loss_d is nan", **rest)


@pytest.mark.parametrize("kind", [Watch, Keep, Treat])
def test_every_care_is_built_by_its_name_and_its_state_comes_back(kind):
    chosen = TypeAdapter(AnyCare).validate_python({"kind": kind.model_fields["kind"].default})
    assert type(chosen) is kind
    policy, other = chosen.build(), chosen.build()
    policy.decide(broken(100, 40, 80))
    other.load_state_dict(policy.state_dict())
    assert other.state_dict() == policy.state_dict()
    assert other.decide(broken(130, 40, 80)) == policy.decide(broken(130, 40, 80))


def test_a_run_is_ended_when_its_best_was_long_ago():
    act = Keep().build().decide(scored(UP_AGAIN))
    assert isinstance(act, Stop)
    assert "was 6 after" in act.reason
    assert "of the budget later" in act.reason


@pytest.mark.parametrize(
    ("care", "values", "budget"),
    [
        (Keep(), UP_AGAIN[:6], None),  # worse, but not for long
        (Keep(), UP_AGAIN, 10**6),  # for long, but not of the budget
        (Keep(), [20, 12, 8, 6, 6.1, 5.9, 6.2, 6, 6.1, 5.95], None),  # flat
        (Keep(), [20, 12, 8, 7, 6, 5.5, 5, 4.7, 4.5, 4.4], None),  # getting better
        (Keep(stop=False), UP_AGAIN, None),
        (Keep(patience=0.9), UP_AGAIN, None),
        (Watch(), UP_AGAIN, None),
    ],
)
def test_a_run_goes_on_otherwise(care, values, budget):
    assert care.build().decide(scored(values, budget)) == Continue()


def test_the_cheap_distance_alone_never_ends_a_run():
    values = [float(value) for value in np.repeat(UP_AGAIN, 4)]
    found = case(signals={"distance": values}, config=LR)
    assert Keep().build().decide(Moment(found.images, found)) == Continue()


def test_a_diverged_run_goes_back_to_its_last_checkpoint_with_lower_rates():
    act = Keep(lr_factor=0.5).build().decide(broken(100, 40, 80))
    assert isinstance(act, RollBack)
    assert act.to_images == 80
    assert act.changes == {"optimizer.generator.lr": 5e-4, "optimizer.discriminator.lr": 1e-3}
    assert "loss_d is nan" in act.reason


def test_it_goes_further_back_each_time_until_a_checkpoint_came_since():
    policy = Keep().build()
    tried = [policy.decide(broken(100 + number, 40, 80)).to_images for number in range(3)]
    assert tried == [80, 40, None]
    assert policy.decide(broken(190, 40, 80, 160)).to_images == 160


def test_rates_are_lowered_from_those_in_force_and_other_changes_stay():
    moment = broken(100, changes={"show": "ada", "optimizer.generator.lr": 1e-3})
    assert dict(Keep(lr_factor=0.1).build().decide(moment).changes) == {
        "show": "ada",
        "optimizer.generator.lr": 1e-4,
        "optimizer.discriminator.lr": 2e-4,
    }


@pytest.mark.parametrize("limit", [0, 2])
def test_it_gives_up_after_its_limit(limit):
    policy = Keep(set_backs=limit).build()
    acts = [policy.decide(broken(100 + number, 80)) for number in range(limit + 1)]
    assert [isinstance(act, RollBack) for act in acts] == [True] * limit + [False]


@pytest.mark.parametrize("hindrance", [{"fresh": False}, {"allowed": lambda changes: False}])
def test_without_a_way_back_nothing_is_done(hindrance):
    assert Keep().build().decide(broken(100, **hindrance)) == Continue()


def test_the_checkpoint_that_it_went_back_to_is_kept():
    policy = Keep().build()
    assert policy.needs() == ()
    policy.decide(broken(100, 40, 80))
    assert policy.needs() == (80,)
