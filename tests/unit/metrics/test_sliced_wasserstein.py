from __future__ import annotations

import numpy as np
import pytest
import torch

from steadygan.metrics.sliced_wasserstein import SlicedWassersteinToReals, laplacian_levels, sliced_wasserstein


def _images(count: int = 128, size: int = 32) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(size // 8, 1).repeat(size // 8, 2)


def test_distance_of_a_set_to_itself_is_zero_and_symmetric_otherwise():
    torch.manual_seed(0)
    a, b = torch.randn(100, 5), torch.randn(100, 5) + 1

    def distance(x, y):
        return sliced_wasserstein(x, y, torch.Generator().manual_seed(0))

    assert distance(a, a) == 0
    torch.testing.assert_close(distance(a, b), distance(b, a))


def test_distance_of_a_shifted_set_is_the_mean_projected_shift():
    """W1 of a shift by v along a unit vector u is |u.v|; its mean over the sphere in 3-D is |v| / 2."""
    points = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    values = [
        sliced_wasserstein(points, points + torch.tensor([0.0, 3.0, 0.0]), torch.Generator().manual_seed(seed))
        for seed in range(50)
    ]
    # 50 x 128 directions; |u.v| has deviation 3 / sqrt(12), so the mean's is 0.011
    assert torch.stack(values).mean() == pytest.approx(1.5, abs=0.045)


def test_pyramid_of_a_constant_image_has_no_detail_and_keeps_the_constant():
    *details, last = laplacian_levels(torch.full((1, 3, 64, 64), 0.5))
    assert len(details) == 2
    assert all(detail.abs().max() < 1e-6 for detail in details)
    torch.testing.assert_close(last, torch.full((1, 3, 16, 16), 0.5))


@pytest.mark.parametrize("disturb", ["noise", "colour"])
def test_score_grows_with_the_disturbance(disturb):
    images = _images()
    metric = SlicedWassersteinToReals(images)
    rng = np.random.default_rng(1)
    noise = rng.normal(size=images.shape) if disturb == "noise" else np.ones(images.shape)
    values = [metric(np.clip(images + level * noise, 0, 255).astype(np.uint8)) for level in (0, 20, 60)]
    assert values[0] < values[1] < values[2]


def test_points_are_scored_too():
    points = np.random.default_rng(0).integers(0, 256, (200, 1, 1, 2), dtype=np.uint8)
    metric = SlicedWassersteinToReals(points)
    assert metric(points) == 0
    assert metric(255 - points // 2) > 0.1
