from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from steadygan.errors import DataError
from steadygan.metrics import neighbours
from steadygan.metrics.neighbours import copying_z, duplicates, memorised, nearest, overlap


def irregular(rows, columns, start):
    """Numbers in 0..1 that are the same on every machine and in every version."""
    numbers = torch.arange(start, start + rows * columns, dtype=torch.float64)
    return (numbers.square() * 0.6180339887498949 % 1).reshape(rows, columns)


def column(*numbers):
    return torch.tensor(numbers, dtype=torch.float32)[:, None]


def apart(some, others):
    """Distances by differences, nothing that could cancel."""
    return np.linalg.norm(some.double().numpy()[:, None] - others.double().numpy()[None], axis=2)


def by_definition(real, fake):
    """Precision, recall, density and coverage written out from the papers."""
    within_real, within_fake, across = apart(real, real), apart(fake, fake), apart(real, fake)
    three, five = (np.sort(within_real, 1)[:, k] for k in (3, 5))  # the 0th is the image itself
    theirs = np.sort(within_fake, 1)[:, 3]
    pairs = list(itertools.product(range(len(real)), range(len(fake))))
    return (
        len({f for r, f in pairs if across[r, f] <= three[r]}) / len(fake),
        len({r for r, f in pairs if across[r, f] <= theirs[f]}) / len(real),
        sum(across[r, f] < five[r] for r, f in pairs) / (5 * len(fake)),
        len({r for r, f in pairs if across[r, f] < five[r]}) / len(real),
    )


def test_overlap_by_hand():
    """Reals at 0..6 reach 3, 2, 2, 2, 2, 2, 3 (k = 3) and 5, 4, 3, 3, 3, 4, 5 (k = 5, open).

    The fake at 12 lies in no sphere, that at 8.9 in the narrow one of 6 and the wide ones of 5 and 6, the four others
    in the wide ones of 3, 4, 5 and 6. They reach 3.2, 6.3, 0.3, 0.2, 0.2 and 0.3, and so only to the real at 6.
    """
    found = overlap(column(*range(7)), column(8.9, 12, 5.5, 5.6, 5.7, 5.8))
    assert found == pytest.approx((5 / 6, 1 / 7, (2 + 4 * 4) / (5 * 6), 4 / 7))


@pytest.mark.parametrize("block", [7, 16, 1000])
def test_overlap_is_that_of_the_definitions_whatever_the_blocks(block, monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    real, fake = irregular(32, 3, 0) + 50, 1.2 * irregular(40, 3, 10_000) + 50.3
    found = overlap(real, fake)
    assert found == pytest.approx(by_definition(real, fake), abs=1e-12)
    assert all(0.2 < value < 0.95 for value in found)


def test_precision_and_recall_agree_with_torch_fidelity():
    """calculate_precision_recall_full of torch-fidelity 0.4.0, of these features."""
    real, fake = irregular(60, 5, 0), 0.8 * irregular(50, 5, 10_000) + 0.3
    found = overlap(real, fake)
    assert (found.precision, found.recall) == pytest.approx((0.9, 0.65), abs=1e-6)


def test_a_set_overlaps_itself_entirely():
    features = torch.randn(40, 6)
    assert overlap(features, features) == (1, 1, 1, 1)
    assert overlap(features, features[torch.randperm(40)]) == (1, 1, 1, 1)


def test_sets_far_apart_do_not_overlap():
    assert overlap(torch.randn(40, 6), torch.randn(40, 6) + 100) == (0, 0, 0, 0)


def test_equal_distributions_have_the_expected_density_and_coverage():
    """Naeem et al. (2020), lemma 2: 1 - (N-1)...(N-k) / ((2N-1)...(2N-k))."""
    count = 60
    found = [overlap(torch.randn(count, 4), torch.randn(count, 4)) for _ in range(60)]
    missed = math.prod((count - k) / (2 * count - k) for k in range(1, 6))
    assert np.mean([one.coverage for one in found]) == pytest.approx(1 - missed, abs=0.01)
    assert np.mean([one.density for one in found]) == pytest.approx(1, abs=0.04)


def test_few_modes_keep_precision_and_density_and_lose_recall_and_coverage():
    modes = torch.randn(10, 4) * 20
    real, fake = (modes[torch.arange(200) % kept] + torch.randn(200, 4) for kept in (10, 2))
    found = overlap(real, fake)
    assert found.precision > 0.8
    assert found.density > 0.7
    assert found.recall < 0.3
    assert found.coverage < 0.3
    turned = overlap(fake, real)
    assert turned.precision < 0.3
    assert turned.recall > 0.8


def test_overlap_falls_with_a_shift():
    real, fake = torch.randn(200, 4), torch.randn(200, 4)
    rows = np.array([overlap(real, fake + shift) for shift in (0, 1, 2, 4)])
    assert (np.diff(rows, axis=0) < 0).all()


def test_images_without_spheres_are_in_those_of_their_equals():
    """Ten copies of each of four images: all radii are 0, which open spheres do not survive."""
    copies = torch.randn(4, 3).repeat(10, 1) + 1e3
    assert overlap(copies, copies) == (1, 1, 0, 0)


@pytest.mark.parametrize("block", [7, 16, 1000])
def test_nearest_is_that_of_all_differences(block, monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    query, pool = torch.randn(33, 5), torch.randn(48, 5)
    distances, indices = nearest(query, pool)
    np.testing.assert_allclose(distances, apart(query, pool).min(1), rtol=1e-9)
    np.testing.assert_array_equal(indices, apart(query, pool).argmin(1))
    distances, indices = nearest(pool, pool, itself=False)
    others = apart(pool, pool) + np.diag(np.full(48, np.inf))
    np.testing.assert_allclose(distances, others.min(1), rtol=1e-9)
    np.testing.assert_array_equal(indices, others.argmin(1))
    distances, indices = nearest(pool, pool)
    assert distances.tolist() == [0] * 48
    assert indices.tolist() == list(range(48))


def test_nearest_takes_pixels_as_they_are():
    pool = torch.arange(30, dtype=torch.uint8).reshape(10, 3)
    distances, indices = nearest(torch.tensor([[255, 255, 255], [3, 4, 6]], dtype=torch.uint8), pool)
    assert indices.tolist() == [9, 1]
    np.testing.assert_allclose(distances, [math.hypot(228, 227, 226), 1], rtol=1e-6)


def test_a_generator_that_copies_nothing_has_memorised_half_and_one_that_copies_all():
    training, held_out, fake = torch.randn(600, 3), torch.randn(600, 3), torch.randn(1000, 3)
    assert memorised(fake, training, held_out) == pytest.approx(0.5, abs=4 / math.sqrt(1000) / 2)
    assert memorised(training[:200] + 1e-3, training, held_out) == pytest.approx(1, abs=0.02)
    assert memorised(held_out[:200], training, held_out) == 0


def test_share_memorised_is_the_plain_share_of_equal_numbers():
    training, held_out, fake = (torch.randn(40, 3) for _ in range(3))
    share = (apart(fake, training).min(1) < apart(fake, held_out).min(1)).mean()
    assert memorised(fake, training, held_out) == pytest.approx(share)


@pytest.mark.parametrize("held", [200, 2000, 6000])
def test_share_of_copies_is_found_whatever_the_number_of_held_out_images(held):
    """Copies are of any training image, 30 in 100."""
    training, held_out, fake = torch.randn(2000, 3), torch.randn(held, 3), torch.randn(2000, 3)
    error = math.sqrt(2000 / held / 2000) / 2
    assert memorised(fake, training, held_out) == pytest.approx(0.5, abs=4 * error)
    fake[:600] = training[torch.randperm(2000)[:600]]
    assert 2 * memorised(fake, training, held_out) - 1 == pytest.approx(0.3, abs=8 * error)


def test_ties_tell_nothing():
    both = torch.randn(30, 3)
    for more in (torch.zeros(0, 3), torch.randn(60, 3) + 100):
        assert memorised(both, torch.cat([both, more]), both) == pytest.approx(0.5)


def test_z_of_copying_is_that_of_counted_pairs_and_below_zero_for_copies():
    """Of fakes' distances 0, 1, 5 and held-out images' 1, 3: 0 + ½ + 2 pairs of 6, deviation √(6 · 6 / 12)."""
    training, held_out = column(0.0), column(1.0, -3.0)
    z = copying_z(column(0.0, -1.0, 5.0), training, held_out)
    assert z == pytest.approx((2.5 - 3) / math.sqrt(3))
    training, held_out = torch.randn(300, 3), torch.randn(200, 3)
    assert abs(copying_z(torch.randn(200, 3), training, held_out)) < 4
    assert copying_z(training[:200], training, held_out) < -10
    assert copying_z(torch.randn(200, 3) + 5, training, held_out) > 10


def test_z_of_fresh_images_is_standard_normal():
    values = [copying_z(torch.randn(50, 2), torch.randn(500, 2), torch.randn(60, 2)) for _ in range(300)]
    assert np.mean(values) == pytest.approx(0, abs=0.2)
    assert np.std(values) == pytest.approx(1, abs=0.15)


def test_duplicates_are_rows_as_near_as_the_threshold_per_element():
    """Row 1 lies 2 from row 0 in one of four elements: root mean square 1; row 2 is far; 3 and 4 are equal."""
    rows = torch.tensor([[0, 0, 0, 0], [2, 0, 0, 0], [50, 0, 0, 0], [9, 90, 200, 1], [9, 90, 200, 1]])
    rows = rows.to(torch.uint8)
    assert duplicates(rows, 0) == pytest.approx(2 / 5)
    assert duplicates(rows, 0.99) == pytest.approx(2 / 5)
    assert duplicates(rows, 1.01) == pytest.approx(4 / 5)
    assert duplicates(rows, 25) == 1


def test_copies_are_found_far_from_zero_and_near_copies_told_from_them():
    rows = torch.randn(50, 40) + 1e4
    assert duplicates(rows, 0) == 0
    assert duplicates(torch.cat([rows, rows[:10]]), 0) == pytest.approx(20 / 60)
    assert duplicates(torch.cat([rows, rows[:10] + 0.01]), 0) == 0
    assert duplicates(torch.cat([rows, rows[:10] + 0.01]), 0.011) == pytest.approx(20 / 60)


def test_rows_that_cannot_be_compared_are_refused():
    with pytest.raises(DataError, match="5 real images are too few; give 6 or more"):
        overlap(torch.ones(5, 3), torch.ones(9, 3))
    with pytest.raises(DataError, match="real images have 3 features each and generated images 2"):
        overlap(torch.ones(9, 3), torch.ones(9, 2))
    with pytest.raises(DataError, match="9 of 9 generated images are not finite"):
        overlap(torch.ones(9, 3), torch.full((9, 3), torch.nan))
    with pytest.raises(DataError, match="0 images to search are too few"):
        nearest(torch.ones(9, 3), torch.ones(0, 3))
    with pytest.raises(DataError, match="among themselves"):
        nearest(torch.ones(9, 3), torch.ones(8, 3), itself=False)
    with pytest.raises(DataError, match="among themselves"):
        nearest(torch.ones(1, 3), torch.ones(1, 3), itself=False)
    with pytest.raises(DataError, match="0 held-out images are too few"):
        memorised(torch.ones(9, 3), torch.ones(9, 3), torch.ones(0, 3))
    with pytest.raises(DataError, match="training images have 3 features each and generated images 2"):
        copying_z(torch.ones(9, 2), torch.ones(9, 3), torch.ones(9, 3))
    with pytest.raises(DataError, match="1 images are too few"):
        duplicates(torch.ones(1, 3), 1)
