"""Level, noise and trend of a series against values that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from steadygan.doctor.case import Case
from steadygan.doctor.trends import Trend, level, lived, noise, past_beginning, quality, smooth, start, trend
from unit.doctor.cases import case, spread


def test_levels_are_medians_of_the_last_and_the_first_numbers():
    series = spread([1, 2, 9, math.nan, 4, 5, 100], 700)
    assert (level(series), start(series), level(series, 1)) == (5, 2, 100)
    assert math.isnan(level(series, 7))


def test_running_medians_pass_over_an_outlier():
    assert smooth(np.array([1.0, 2, 99, 3, 4]), 3).tolist() == [1.5, 2, 3, 4, 3.5]


def test_noise_is_the_deviation_from_a_slope():
    rng = np.random.default_rng(0)
    assert noise(np.linspace(0, 50, 2_000) + 0.3 * rng.standard_normal(2_000)) == pytest.approx(0.3, rel=0.06)
    assert math.isnan(noise(np.array([1.0, 2, 3])))


def test_a_power_law_is_found_and_goes_on():
    found = trend(spread([40 * n**-0.5 for n in range(1, 9)], 8_000))
    assert found is not None
    assert (found.slope, found.low, found.high) == pytest.approx((-0.5, -0.5, -0.5))
    assert found.after(4)[0] == pytest.approx(0.5)


def test_the_interval_of_a_trend_is_student_s():
    """Nineteen of twenty intervals hold the truth, of six points and of thirty."""
    rng = np.random.default_rng(0)
    for count in (6, 30):
        held = 0
        for _ in range(400):
            values = np.arange(1, count + 1) ** -0.3 * np.exp(0.1 * rng.standard_normal(count))
            found = trend(spread(values.tolist(), 100 * count))
            held += isinstance(found, Trend) and found.low < -0.3 < found.high
        assert held / 400 == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize("values", [[3.0, 2.0, 1.0], [3.0, 2.0, 1.0, 0.0], [3.0, 2.0, 1.0, math.nan]])
def test_there_is_no_trend_of_too_few_or_of_what_has_no_logarithm(values: list[float]):
    assert trend(spread(values, 400)) is None


@pytest.mark.parametrize(
    ("told", "judged"),
    [
        (case(images=12_000, ticks={"loss_d": [1.0]}, budget_images=100_000), True),
        (case(images=11_000, ticks={"loss_d": [1.0]}, budget_images=100_000), False),
        (case(images=11_000, signals={"distance": [9, 7, 5, 4, *[3.0] * 8]}, budget_images=10**6), True),
        (case(images=11_000, signals={"distance": [9.0 - n / 2 for n in range(12)]}, budget_images=10**6), False),
        (case(images=11_000, signals={"distance": [3.0] * 9}, budget_images=10**6), False),
    ],
)
def test_pictures_are_judged_once_their_distance_has_levelled_or_an_eighth_of_the_budget_is_used(
    told: Case, judged: bool
):
    assert past_beginning(told) is judged


def test_the_score_that_picks_comes_before_the_cheap_distance_once_there_are_enough_of_it():
    both = case(scores={"fd-training": [3.0, 2.0]}, signals={"distance": [9.0] * 9})
    assert len(quality(both, 2)[1]) == 2
    assert len(quality(both, 3)[1]) == 9
    assert quality(both, 10) is None


def test_fresh_weights_are_at_their_beginning_however_late_they_came():
    late = case(ticks={"loss_d": [1.0] * 100})
    anew = late.without(0, 95_000)
    assert past_beginning(late)
    assert (lived(anew), past_beginning(anew)) == (0.05, False)
    assert past_beginning(late.without(0, 80_000))
