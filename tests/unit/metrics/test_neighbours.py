from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from steadygan.errors import DataError
from steadygan.metrics import neighbours
from steadygan.metrics.neighbours import chance_of_copies, duplicates, memorised, nearest, overlap


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


def test_fresh_images_are_memorised_by_chance_and_copies_all():
    shares = []
    for _ in range(30):
        training, held_out = torch.randn(500, 3), torch.randn(300, 3)
        shares.append(memorised(torch.randn(300, 3), training, held_out))
    assert chance_of_copies(300) == 3 / 301
    assert np.mean(shares) == pytest.approx(3 / 301, abs=3 * np.std(shares) / math.sqrt(30))
    assert memorised(training[:200] + 1e-5, training, held_out) == 1
    fakes = torch.cat([training[:30] + 1e-5, torch.randn(70, 3)])
    assert memorised(fakes, training, held_out) == pytest.approx(0.3, abs=0.05)


def test_poor_images_are_no_copies():
    training, held_out = torch.randn(500, 3), torch.randn(100, 3)
    assert memorised(torch.randn(100, 3) + 9, training, held_out) == 0
    assert memorised(torch.full((100, 3), 3.0), training, held_out) == 0


def test_the_nearest_hundredth_of_the_held_out_images_is_the_limit():
    """Of held-out distances 1 to 200 the second, 2: of the fakes 1.5 is nearer, and 2 is not."""
    training, held_out = column(0.0), column(*range(1, 201))
    assert memorised(column(1.5, 2.0, 3.0, -1.9), training, held_out) == 0.5


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
        memorised(torch.ones(9, 2), torch.ones(9, 3), torch.ones(9, 3))
    with pytest.raises(DataError, match="1 images are too few"):
        duplicates(torch.ones(1, 3), 1)
