from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from steadygan.errors import DataError
from steadygan.metrics.frechet import frechet_distance
from steadygan.metrics.kernel import kernel_distance
from steadygan.metrics.uncertainty import deviation, interval, subsamples


def lot(seed=0):
    return torch.Generator().manual_seed(seed)


def of(metric, real, fake):
    return lambda some, others: float(metric(real[some], fake[others]))


def difference(real, fake):
    return float(fake.mean() - real.mean())


@pytest.mark.parametrize("most", [1000, 20, 8])
def test_deviation_of_a_difference_of_means_is_the_closed_form(most):
    real, fake = torch.randn(20), 3 * torch.randn(40)
    expected = math.sqrt(float(real.var() / 20 + fake.var() / 40))
    found = deviation(of(difference, real, fake), subsamples(20, 40, 4000, lot(), most))
    assert found == pytest.approx(expected, rel=0.05)


def test_intervals_hold_the_truth_as_often_as_they_say():
    hits = {0.95: 0, 0.5: 0}
    for seed in range(300):
        real, fake = torch.randn(40), torch.randn(30) + 2
        for level in hits:
            value = difference(real, fake)
            low, high = interval(of(difference, real, fake), subsamples(40, 30, 30, lot(seed)), value, level)
            hits[level] += low <= 2 <= high
    assert 0.90 * 300 < hits[0.95] < 0.985 * 300
    assert 0.42 * 300 < hits[0.5] < 0.58 * 300


def test_interval_lies_around_the_value_and_reaches_as_far_as_the_level_asks():
    real, fake = torch.randn(40), torch.randn(40)
    statistic = of(difference, real, fake)
    error = deviation(statistic, subsamples(40, 40, 20, lot()))
    found = interval(statistic, subsamples(40, 40, 20, lot()), 7.0)
    assert found == pytest.approx((7 - 1.959964 * error, 7 + 1.959964 * error))
    wide = interval(statistic, subsamples(40, 40, 20, lot()), 7.0, level=0.99)
    assert wide.high - 7 == pytest.approx(2.575829 * error)


@pytest.mark.parametrize("metric", [frechet_distance, kernel_distance])
def test_deviation_is_that_of_fresh_images(metric):
    def draw():
        return 0.6 * torch.randn(150, 4), 0.8 * torch.randn(150, 4) + 0.4

    fresh = np.std([metric(*draw()) for _ in range(300)], ddof=1)
    found = [deviation(of(metric, *draw()), subsamples(150, 150, 20, lot())) for _ in range(25)]
    assert np.mean(found) / fresh == pytest.approx(1, abs=0.25)


def test_deviation_is_too_large_by_the_root_of_three_at_most_where_the_sides_do_not_differ():
    def draw():
        return torch.randn(150, 4), torch.randn(150, 4)

    fresh = np.std([kernel_distance(*draw()) for _ in range(200)], ddof=1)
    found = [deviation(of(kernel_distance, *draw()), subsamples(150, 150, 30, lot())) for _ in range(20)]
    assert 1.2 < np.mean(found) / fresh < 2.1


def test_halves_hold_half_of_both_sides_without_repeats_and_change():
    seen = []
    deviation(lambda *halves: seen.append([half.tolist() for half in halves]) or 0.0, subsamples(11, 8, 3, lot()))
    assert [(len(set(some)), len(set(others))) for some, others in seen] == [(5, 4)] * 3
    assert all(set(some) <= set(range(11)) and set(others) <= set(range(8)) for some, others in seen)
    assert seen[0] != seen[1] != seen[2]


def test_of_many_images_some_are_drawn_and_the_same_share_of_the_other_side():
    ((some, others),), share = subsamples(4000, 2000, 2, lot())[0][:1], subsamples(4000, 2000, 2, lot()).share
    assert (len(some), len(others), share) == (1000, 500, 0.25)


def test_deviation_of_two_halves_does_not_come_out_low():
    values = iter([0.0, 1.0])
    assert deviation(lambda *_: next(values), subsamples(8, 8, 2, lot())) == pytest.approx(math.sqrt(1 / 2))


def test_a_side_may_be_missing():
    fake = torch.randn(100)
    found = deviation(lambda _, others: float(fake[others].mean()), subsamples(0, 100, 500, lot()))
    assert found == pytest.approx(float(fake.std()) / 10, rel=0.15)


def test_the_same_generator_gives_the_same_interval_and_the_global_state_stays():
    statistic = of(difference, torch.randn(40), torch.randn(40))
    before = torch.get_rng_state()
    first, again, other = (interval(statistic, subsamples(40, 40, 5, lot(seed)), 0.0) for seed in (1, 1, 2))
    assert first == again != other
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("real", "fake", "repeats", "message"),
    [
        (3, 40, 25, "3 reals and 40 generated images have no halves to compare; give 4 or more"),
        (40, 1, 25, "40 reals and 1 generated images have no halves"),
        (0, 0, 25, "0 reals and 0 generated images have no halves"),
        (40, 40, 1, "1 subsamples do not tell"),
    ],
)
def test_too_few_images_or_repeats_are_refused(real, fake, repeats, message):
    with pytest.raises(DataError, match=message):
        deviation(lambda *_: 0.0, subsamples(real, fake, repeats, lot()))
