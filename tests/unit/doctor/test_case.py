"""A run's records as columns: names, what is left out, and the past as it was."""

from __future__ import annotations

import math

import pytest

from steadygan.doctor.case import Case, _budget, columns, loss_of, score_columns, series_of
from steadygan.records import DatedScore, Signals, Tick
from unit.doctor.cases import BATCH, case

TICK = {
    **dict.fromkeys(("seconds", "images_per_second", "loss_d", "loss_g", "d_real", "d_fake"), 1.0),
    **dict.fromkeys(("accuracy_real", "accuracy_fake", "grad_norm_d", "grad_norm_g", "lr_d", "lr_g"), 0.5),
}


def tick(step: int, **fields) -> Tick:
    return Tick(**TICK | {"step": step, "images": 10 * step} | fields)


def test_a_series_has_the_lines_that_have_the_number():
    found = columns([tick(1, loss_d_real=0.2), tick(2), tick(3, loss_d_real=math.nan)])

    assert found["loss_d"].values.tolist() == [1.0, 1.0, 1.0]
    assert found["loss_d_real"].steps.tolist() == [1, 3]
    assert found["loss_d_real"].finite().images.tolist() == [10]
    assert "images" not in found


def test_groups_and_tuples_become_names_with_dots():
    found = columns([tick(1, shares={"penalty.r1": 0.5})])
    signals = columns(
        [Signals(step=1, images=10, gradients={"generator": {"0.weight": 0.1, "1": 0.2}}, colour=(0.4, 0.6))],
        "signals.",
    )

    assert found["shares.penalty.r1"].last == 0.5
    assert Case(signals).group("signals.gradients.generator").keys() == {"0.weight", "1"}
    assert (signals["signals.colour.0"].last, signals["signals.colour.1"].last) == (0.4, 0.6)


def test_fields_of_newer_versions_are_read_as_well():
    assert columns([tick(1, tomorrow=3)])["tomorrow"].last == 3


def test_only_scores_of_the_newest_protocol_compare():
    scores = [
        DatedScore(step=at, images=at, metric="fd", value=value, protocol=protocol)
        for at, value, protocol in ((1, 50.0, "old"), (2, 9.0, "new"), (3, 8.0, "new"))
    ]

    assert score_columns(scores)["scores.fd"].values.tolist() == [9.0, 8.0]


def test_what_was_never_written_is_an_empty_series():
    nothing = case()["loss_d"]

    assert len(nothing) == 0
    assert math.isnan(nothing.last)


def test_the_past_knows_nothing_of_what_came_later():
    one = case({"loss_d": [1.0, 2.0, 3.0, 4.0]}, {"rank": [1.0, 2.0]}, images=400)
    past = one.until(250)

    assert past["loss_d"].values.tolist() == [1.0, 2.0]
    assert past["signals.rank"].values.tolist() == [1.0]
    assert (past.images, past.step) == (200, one["loss_d"].steps[1])
    assert one["loss_d"].since(200).values.tolist() == [3.0, 4.0]


def test_a_stretch_that_was_given_up_is_left_out_of_everything_and_what_came_later_stays():
    one = case({"loss_d": [1.0, 2.0, 3.0, 4.0]}, {"rank": [1.0, 2.0]}, {"swd": [5.0]}, images=400)
    left = one.without(100, 300)

    assert left["loss_d"].images.tolist() == [100, 400]
    assert left["loss_d"].values.tolist() == [1.0, 4.0]
    assert left["loss_d"].steps.tolist() == [2, 8]
    assert left["signals.rank"].images.tolist() == [400]
    assert left["scores.swd"].images.tolist() == [400]
    assert one["loss_d"].images.tolist() == [100, 200, 300, 400]
    assert left.without(100, 300)["loss_d"].images.tolist() == [100, 400]
    assert one.without(0, 400).images == 0


def test_columns_may_end_at_other_moments():
    one = Case({"a": series_of([(1, 10, 0.0)]), "b": series_of([(3, 30, 0.0), (4, 40, 0.0)])}, training=20)

    assert (one.images, one.step, one.views) == (40, 4, 2.0)
    assert Case({}).images == 0
    assert Case({}).views == 0


@pytest.mark.parametrize(
    ("place", "found"), [("optimizer.generator.lr", 0.1), ("optimizer.lr", None), ("optimizer.generator.lr.x", None)]
)
def test_a_setting_is_found_by_its_place(place, found):
    assert Case({}, {"optimizer": {"generator": {"lr": 0.1}}}).setting(place) == found


def test_a_loss_of_the_users_own_has_no_kind():
    assert loss_of({"loss": {"kind": "hinge"}}) == "hinge"
    assert loss_of({"loss": {"kind": "own", "type": "mine.Loss"}}) == ""
    assert loss_of({}) == ""


@pytest.mark.parametrize(
    ("budget", "images"),
    [
        ({"images": 500}, 500),
        ({"steps": 100}, 3_000),
        ({"minutes": 2}, 3_600),
        ({"images": 5_000, "steps": 100}, 3_000),
        ({}, 0),
    ],
)
def test_the_budget_is_told_in_images_at_the_rate_so_far(budget, images):
    seen = columns([tick(10, seconds=10.0, images=300)])

    assert _budget({"budget": budget, "batch": 10}, seen) == images


def test_a_budget_of_steps_before_the_first_tick_counts_batches():
    assert _budget({"budget": {"steps": 100}, "batch": 10}, {}) == 1_000


def test_fresh_weights_are_as_old_as_what_came_after_them():
    whole = case(ticks={"loss_d": [1.0] * 10}, training=1000)
    anew = whole.without(0, 60_000)
    assert (anew.images, anew.began_images, anew.views) == (100_000, 60_000, 40)
    assert anew.steps_learned == (100_000 - 60_000) // BATCH
    assert (whole.without(20_000, 60_000).began_images, whole.views) == (0, 100)
