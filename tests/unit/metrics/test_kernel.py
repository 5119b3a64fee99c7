from __future__ import annotations

import numpy as np
import pytest
import torch

from steadygan.errors import DataError
from steadygan.metrics.kernel import kernel_distance


def irregular(rows, columns, start):
    """Numbers in 0..1 that are the same on every machine and in every version."""
    numbers = torch.arange(start, start + rows * columns, dtype=torch.float64)
    return (numbers.square() * 0.6180339887498949 % 1).reshape(rows, columns)


def column(*numbers):
    return torch.tensor(numbers)[:, None]


def test_values_by_hand():
    """(x y + 1)³: pairs within the reals give 1, within the fakes 27, across 1, 1, 8 and 27."""
    assert kernel_distance(column(0.0, 1.0), column(1.0, 2.0)) == pytest.approx(1 + 27 - 2 * 37 / 4)
    assert kernel_distance(column(0.0, 1.0, 2.0), column(1.0, 2.0)) == pytest.approx(29 / 3 + 27 - 2 * 189 / 6)


def test_points_at_one_place_each_have_the_closed_form():
    real, fake = torch.zeros(5, 4), torch.full((7, 4), 3.0)
    assert kernel_distance(real, fake) == pytest.approx(1 + 10**3 - 2)


def test_more_of_the_same_features_change_nothing():
    real, fake = torch.randn(20, 3), torch.randn(20, 3) + 1
    assert kernel_distance(real.repeat(1, 4), fake.repeat(1, 4)) == pytest.approx(kernel_distance(real, fake))


def test_distance_is_symmetric_and_grows_with_a_shift():
    real, fake = torch.randn(200, 5), torch.randn(200, 5)
    assert kernel_distance(real, fake) == pytest.approx(kernel_distance(fake, real))
    values = [kernel_distance(real, fake + shift) for shift in (0, 0.3, 1, 2)]
    assert values == sorted(values)
    assert values[3] > 1


def test_distance_of_equal_distributions_is_zero_on_average_and_sometimes_below():
    """With the diagonals it would be near 2 E[k(x, x) - k(x, y)] / 10 = 0.226."""
    values = np.array([kernel_distance(torch.randn(10, 2) / 2, torch.randn(10, 2) / 2) for _ in range(400)])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(400) < 0.15
    assert 0.3 < (values < 0).mean() < 0.8


def test_distance_agrees_with_torch_fidelity():
    """mmd2 of kernel_poly of torch-fidelity 0.4.0, of these features."""
    real, fake = irregular(60, 7, 0), 1.2 * irregular(60, 7, 10_000) + 0.1
    assert kernel_distance(real, fake) == pytest.approx(0.4486115488507947, rel=1e-9)
    assert kernel_distance(real.float(), fake.float()) == pytest.approx(0.4486115488507947, rel=1e-5)


def test_distance_is_the_mean_over_even_blocks_in_the_order_given():
    real, fake = torch.randn(25, 3), torch.randn(25, 3) + 1
    parts = [(slice(0, 9), slice(0, 9)), (slice(9, 17), slice(9, 17)), (slice(17, 25), slice(17, 25))]
    expected = np.mean([kernel_distance(real[r], fake[f]) for r, f in parts])
    assert kernel_distance(real, fake, block=10) == pytest.approx(expected, rel=1e-12)
    assert kernel_distance(real, fake, block=25) != pytest.approx(expected, rel=1e-3)
    assert kernel_distance(real.flip(0), fake, block=10) != pytest.approx(expected, rel=1e-3)


def test_all_rows_of_the_larger_side_count():
    real, fake = torch.randn(100, 3), torch.randn(10, 3)
    for rows in (slice(0, 50), slice(50, 100)):
        changed = real.clone()
        changed[rows] += 5
        assert kernel_distance(changed, fake, block=5) > kernel_distance(real, fake, block=5) + 1


def test_blocks_hold_two_images_at_least():
    real, fake = torch.randn(5, 2), torch.randn(9, 2)
    assert kernel_distance(real, fake, block=1) == pytest.approx(kernel_distance(real, fake, block=3))


def test_features_far_from_zero_keep_their_distance():
    """In float32 the terms, of 10⁶ each, would not resolve a difference of about 1."""
    real, fake = torch.randn(500, 4), torch.randn(500, 4) + 1e-3
    distance = kernel_distance(real + 10, fake + 10)
    assert distance == pytest.approx(kernel_distance(real.double() + 10, fake.double() + 10), abs=0.05)


def test_features_that_cannot_be_compared_are_refused():
    with pytest.raises(DataError, match="1 real images are too few; give 2 or more"):
        kernel_distance(torch.ones(1, 3), torch.ones(9, 3))
    with pytest.raises(DataError, match="real images have 3 features each and generated images 4"):
        kernel_distance(torch.ones(9, 3), torch.ones(9, 4))
    with pytest.raises(DataError, match="9 of 9 generated images are not finite"):
        kernel_distance(torch.ones(9, 3), torch.full((9, 3), torch.nan))
