from __future__ import annotations

import numpy as np
import pytest
import torch

from steadygan.errors import DataError
from steadygan.metrics import frechet
from steadygan.metrics.frechet import Gaussian, frechet_distance, frechet_extrapolated, gaussian_distance


def draw(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def irregular(rows, columns, start):
    """Numbers in 0..1 that are the same on every machine and in every version."""
    numbers = torch.arange(start, start + rows * columns, dtype=torch.float64)
    return (numbers.square() * 0.6180339887498949 % 1).reshape(rows, columns)


def lot(seed=0):
    return torch.Generator().manual_seed(seed)


def test_distance_of_independent_features_is_that_of_means_and_deviations():
    mean, other, deviation, wider = draw(8), draw(8), draw(8).abs() + 0.1, draw(8).abs() + 0.1
    expected = float((mean - other).square().sum() + (deviation - wider).square().sum())
    sides = Gaussian(mean, deviation.square().diag()), Gaussian(other, wider.square().diag())
    assert gaussian_distance(*sides) == pytest.approx(expected, rel=1e-9)
    turn = torch.linalg.qr(draw(8, 8)).Q
    turned = (Gaussian(turn @ side.mean, turn @ side.covariance @ turn.T) for side in sides)
    assert gaussian_distance(*turned) == pytest.approx(expected, rel=1e-9)


def test_distance_of_covariances_that_do_not_commute_is_that_of_the_closed_form_in_two_dimensions():
    """tr √M = √(tr M + 2 √det M) of a 2×2 matrix."""
    a, b = (Gaussian(torch.zeros(2, dtype=torch.float64), m @ m.T) for m in (draw(2, 2), draw(2, 2)))
    product = a.covariance @ b.covariance
    cross = float((product.trace() + 2 * product.det().sqrt()).sqrt())
    expected = float(a.covariance.trace() + b.covariance.trace()) - 2 * cross
    assert gaussian_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert gaussian_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_distance_is_that_of_the_eigenvalues_of_the_plain_product():
    real, fake = draw(40, 8) @ draw(8, 8) + draw(8), draw(30, 8) @ draw(8, 8)
    first, second = np.cov(real.numpy().T), np.cov(fake.numpy().T)
    cross = np.sqrt(np.linalg.eigvals(first @ second).astype(complex)).real.sum()
    means = np.square(real.numpy().mean(0) - fake.numpy().mean(0)).sum()
    expected = means + np.trace(first) + np.trace(second) - 2 * cross
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(real.float(), fake.float()) == pytest.approx(expected, rel=1e-5)


def test_few_images_of_many_features_give_the_same_by_another_way():
    real, fake = torch.randn(30, 50), 1.5 * torch.randn(20, 50) + 0.2
    expected = gaussian_distance(Gaussian.of(real), Gaussian.of(fake))
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)


def test_distance_agrees_with_torch_fidelity():
    """fid_statistics_to_metric of torch-fidelity 0.4.0, of these features."""
    real, fake = irregular(60, 7, 0), 1.2 * irregular(50, 7, 10_000) + 0.1
    assert frechet_distance(real, fake) == pytest.approx(0.42640885688924923, rel=1e-9)


def test_distance_of_a_set_to_itself_is_zero_and_a_shift_adds_its_square():
    features = draw(40, 8)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(features, features + 3 * torch.eye(8, dtype=torch.float64)[0]) == pytest.approx(9)
    few = draw(5, 8)  # of rank 4
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(few, few) >= 0


def test_distance_grows_with_noise():
    real, noise = draw(400, 8), draw(400, 8)
    values = [frechet_distance(real, real + level * noise) for level in (0, 0.3, 1, 3)]
    assert values == sorted(values)
    assert values[3] > 10 * values[1] > 0


def test_moments_are_numpys_whatever_the_chunks(monkeypatch):
    features = (draw(50, 4) @ draw(4, 4) + 1e4).float()  # far from 0: squares minus squares would lose the variance
    for chunk in (7, 50, 4096):
        monkeypatch.setattr(frechet, "_CHUNK", chunk)
        mean, covariance = Gaussian.of(features)
        np.testing.assert_allclose(mean, features.double().numpy().mean(0), rtol=1e-12)
        np.testing.assert_allclose(covariance, np.cov(features.double().numpy().T), rtol=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_extrapolation_takes_most_of_the_bias_away(shift):
    """500 of each, 16 features; the true distance is that of the means and deviations."""
    deviation = torch.linspace(0.5, 1.5, 16, dtype=torch.float64) if shift else torch.ones(16, dtype=torch.float64)
    expected = float(16 * shift**2 + (deviation - 1).square().sum())
    sides = [(draw(500, 16), draw(500, 16) * deviation + shift) for _ in range(30)]
    plain = np.array([frechet_distance(*side) for side in sides]) - expected
    extrapolated = np.array([frechet_extrapolated(*side, lot()) for side in sides]) - expected
    error = (extrapolated - plain).std() / np.sqrt(30)
    assert plain.mean() > 0.05
    assert abs(extrapolated.mean()) < 0.25 * plain.mean() + 2 * error


def test_extrapolation_finds_the_constant_of_a_line_in_one_over_the_number_of_images(monkeypatch):
    """And the smaller side says how many images there are."""
    monkeypatch.setattr(frechet, "frechet_distance", lambda real, fake: 3 + 5 / len(real) + 7 / len(fake))
    assert frechet_extrapolated(draw(120, 2), draw(150, 2), lot()) == pytest.approx(3, abs=1e-9)
    assert frechet_extrapolated(draw(150, 2), draw(120, 2), lot()) == pytest.approx(3, abs=1e-9)


def test_extrapolation_uses_every_image_of_the_smaller_side_once_per_size(monkeypatch):
    seen = []
    monkeypatch.setattr(frechet, "frechet_distance", lambda real, fake: seen.append((real, fake)) or 1.0)
    rows = torch.arange(24.0)[:, None]
    frechet_extrapolated(rows, rows + 100, lot())
    assert [len(real) for real, _ in seen] == [24, 12, 12, 8, 8, 8, 6, 6, 6, 6]
    for side, start in ((0, 0), (1, 100)):
        for first, last in ((0, 1), (1, 3), (3, 6), (6, 10)):
            parts = torch.cat([pair[side] for pair in seen[first:last]]).flatten()
            assert parts.sort().values.tolist() == [start + number for number in range(24)]
            assert parts.tolist() != sorted(parts.tolist())


def test_extrapolation_is_the_same_for_the_same_generator():
    real, fake = draw(50, 3), draw(50, 3)
    first, again, other = (frechet_extrapolated(real, fake, lot(seed)) for seed in (1, 1, 2))
    assert first == pytest.approx(again, rel=1e-12)  # sums depend on where in memory rows happen to lie
    assert abs(first - other) > 1e-3 * first


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (torch.ones(1, 3), torch.ones(9, 3), r"1 real images are too few; give 2 or more"),
        (torch.ones(9, 3), torch.ones(0, 3), r"0 generated images are too few"),
        (torch.ones(9, 3), torch.ones(9, 4), r"real images have 3 features each and generated images 4"),
        (torch.ones(9, 3), torch.tensor([[1.0, torch.nan]] * 2 + [[1, 2]]), r"2 of 3 generated images are not finite"),
        (torch.full((2, 2), torch.inf), torch.ones(2, 2), r"2 of 2 real images are not finite"),
        (torch.ones(9, 3, 2, 2), torch.ones(9, 3), r"table \(images, features\), not of shape \(9, 3, 2, 2\)"),
        (torch.ones(9, 0), torch.ones(9, 0), r"table"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(real, fake, message):
    with pytest.raises(DataError, match=message):
        frechet_distance(real, fake)


def test_too_few_images_for_a_line_and_gaussians_of_different_widths_are_refused():
    with pytest.raises(DataError, match="7 generated images are too few; give 8 or more"):
        frechet_extrapolated(draw(8, 2), draw(7, 2), lot())
    with pytest.raises(DataError, match="3 features each and the generated images 2"):
        gaussian_distance(Gaussian.of(draw(9, 3)), Gaussian.of(draw(9, 2)))
    with pytest.raises(DataError, match="1 images are too few"):
        Gaussian.of(draw(1, 3))
