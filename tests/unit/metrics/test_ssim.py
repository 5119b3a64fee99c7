from __future__ import annotations

import numpy as np
import pytest
import torch

from steadygan.data.builtin import Critters
from steadygan.errors import DataError
from steadygan.metrics.ssim import diversity, ms_ssim

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
C1, C2 = 2.55**2, 7.65**2


@pytest.fixture(scope="module")
def critters():
    """40 pictures (N, 3, 64, 64)."""
    return torch.from_numpy(np.stack([Critters().draw(index, 64).image for index in range(40)])).permute(0, 3, 1, 2)


def plain(grey, size):
    return torch.full((1, 1, size, size), grey, dtype=torch.uint8)


def pictures(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8)


def noisy(images, amount):
    return (images + amount * torch.randn(images.shape)).round().clamp(0, 255).to(torch.uint8)


def blurred(images, width):
    """Box filter."""
    padded = torch.nn.functional.pad(images.float(), (width // 2,) * 4, mode="reflect")
    return torch.nn.functional.avg_pool2d(padded, width, 1).round().to(torch.uint8)


def slow(first, second):
    """One channel (S, S) each, from the equations: two-dimensional windows, moments about their means, float64."""
    x, y = (side.numpy().astype(float) for side in (first, second))
    scales = 1 + sum(len(x) // 2**scale >= 11 for scale in range(1, 5))
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    result = 1.0
    for scale in range(scales):
        xs, ys = (np.lib.stride_tricks.sliding_window_view(side, (11, 11)) for side in (x, y))
        mx, my = (np.sum(side * window, axis=(2, 3), keepdims=True) for side in (xs, ys))
        vx, vy, cov = (
            np.sum(a * b * window, axis=(2, 3)) for a, b in ((xs - mx,) * 2, (ys - my,) * 2, (xs - mx, ys - my))
        )
        mx, my = mx[..., 0, 0], my[..., 0, 0]
        contrast = 2 * np.sqrt(vx * vy) + C2
        structure = (cov + C2 / 2) / (np.sqrt(vx * vy) + C2 / 2)
        term = contrast / (vx + vy + C2) * structure
        if scale == scales - 1:
            term = term * (2 * mx * my + C1) / (mx**2 + my**2 + C1)
        result *= max(term.mean(), 0) ** weights[scale]
        even = len(x) // 2 * 2
        x, y = (side[:even, :even].reshape(even // 2, 2, even // 2, 2).mean((1, 3)) for side in (x, y))
    return result


@pytest.mark.parametrize("size", [11, 16, 22, 33, 44, 64])
def test_similarity_is_that_of_the_equations(critters, size):
    first = critters[:6, :, :size, :size]
    for second in (noisy(first, 20), critters[6:12, :, :size, :size]):
        expected = [
            np.mean([slow(a, b) for a, b in zip(x, y, strict=True)]) for x, y in zip(first, second, strict=True)
        ]
        np.testing.assert_allclose(ms_ssim(first, second), expected, atol=1e-4)  # float32 of plain ground: 6e-5


def test_similarity_is_that_of_another_library_where_that_takes_small_pictures(critters):
    other = pytest.importorskip("pytorch_msssim")
    large = critters[:4].repeat_interleave(3, 2).repeat_interleave(3, 3)
    for second in (noisy(large, 30), blurred(large, 9), large.flip(0)):
        expected = other.ms_ssim(large.float(), second.float(), data_range=255, size_average=False)
        torch.testing.assert_close(ms_ssim(large, second), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("size", "scales"), [(8, 1), (21, 1), (22, 2), (43, 2), (44, 3), (88, 4), (176, 5), (400, 5)])
def test_plain_pictures_differ_in_light_at_the_last_scale_alone(size, scales):
    a, b = 100, 60
    light = (2 * a * b + C1) / (a**2 + b**2 + C1)
    weight = WEIGHTS[scales - 1] / sum(WEIGHTS[:scales])
    assert ms_ssim(plain(a, size), plain(b, size)).item() == pytest.approx(light**weight, abs=1e-5)


def test_under_eleven_pixels_one_window_is_the_picture():
    x, y = pictures(2, 1, 9, 9)
    offsets = (np.arange(9) - 4) * 11 / 9
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    a, b = x[0].numpy().astype(float), y[0].numpy().astype(float)
    ma, mb = (window * a).sum(), (window * b).sum()
    va, vb, cov = ((window * p * q).sum() for p, q in ((a - ma, a - ma), (b - mb, b - mb), (a - ma, b - mb)))
    expected = (2 * ma * mb + C1) / (ma**2 + mb**2 + C1) * (2 * cov + C2) / (va + vb + C2)
    assert ms_ssim(x[None], y[None]).item() == pytest.approx(max(expected, 0), abs=1e-6)


@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (3, 3, 16, 16), (2, 4, 64, 64), (1, 3, 181, 181)])
def test_equal_pictures_are_alike_entirely_and_either_may_be_first(shape):
    x, y = pictures(*shape), pictures(*shape)
    torch.testing.assert_close(ms_ssim(x, x), torch.ones(shape[0]))
    assert torch.equal(ms_ssim(x, y), ms_ssim(y, x))


def test_a_negative_is_not_alike_at_all_and_not_less():
    x = pictures(4, 1, 64, 64)
    assert ms_ssim(x, 255 - x).tolist() == [0, 0, 0, 0]


def test_the_channels_are_compared_one_by_one_and_the_mean_is_taken(critters):
    x, y = critters[:5], critters[5:10]
    singles = torch.stack([ms_ssim(x[:, c : c + 1], y[:, c : c + 1]) for c in range(3)])
    torch.testing.assert_close(ms_ssim(x, y), singles.mean(0))


@pytest.mark.parametrize(("disturbed", "amounts"), [(noisy, (0, 5, 20, 60)), (blurred, (1, 3, 7, 15))])
def test_similarity_falls_with_a_disturbance(critters, disturbed, amounts):
    values = [ms_ssim(critters, disturbed(critters, amount)).mean() for amount in amounts]
    assert values[0] == pytest.approx(1)
    assert values[0] > values[1] > values[2] > values[3]


def test_the_pairs_of_a_set_are_neighbours(critters):
    rows = diversity(critters)
    assert rows.shape == (20,)
    torch.testing.assert_close(rows[3], ms_ssim(critters[6:7], critters[7:8])[0])
    torch.testing.assert_close(diversity(critters[:39]), rows[:19])
    assert diversity(critters[:1]).shape == (0,)


def test_rows_do_not_depend_on_the_batch(critters):
    parts = torch.cat([diversity(part) for part in critters.split(6)])
    torch.testing.assert_close(diversity(critters), parts, atol=1e-6, rtol=0)


def test_similarity_of_a_set_grows_as_modes_are_dropped_and_falls_with_noise(critters):
    orders = [torch.randint(kept, (200,)) for kept in (40, 6, 2, 1)]
    values = [diversity(critters[order]).mean() for order in orders]
    assert values[0] < values[1] < values[2] < values[3]
    assert values[3] == pytest.approx(1)
    assert diversity(noisy(critters, 60)).mean() < diversity(critters).mean()


def test_what_is_no_pair_is_refused():
    with pytest.raises(DataError, match="2 and 3 pictures cannot be compared in pairs"):
        ms_ssim(pictures(2, 3, 16, 16), pictures(3, 3, 16, 16))
    with pytest.raises(DataError, match="3×16×16 and 1×16×16 pictures cannot be compared"):
        ms_ssim(pictures(2, 3, 16, 16), pictures(2, 1, 16, 16))
    with pytest.raises(DataError, match="type uint8"):
        diversity(torch.zeros(2, 3, 16, 16))
