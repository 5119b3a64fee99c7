from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, pad

from steadygan.data.builtin import Critters
from steadygan.errors import DataError
from steadygan.metrics.spectrum import checkerboard, checkerboard_distance, log_spectrum, spectrum_distance

FLOOR = 10 * np.log10(1 / 12)


@pytest.fixture(scope="module")
def critters():
    """60 pictures (N, 3, 64, 64)."""
    return torch.from_numpy(np.stack([Critters().draw(index, 64).image for index in range(60)])).permute(0, 3, 1, 2)


def whole(images):
    return images.round().clamp(0, 255).to(torch.uint8)


def pictures(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8)


def clouds(count, size, power=1.0):
    """Noise whose amplitude falls as 1 / frequency^power, grey, 40 levels of deviation."""
    down, right = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)
    shape = (down.square() + right.square()).sqrt().clamp(min=1 / size) ** -power
    noise = torch.fft.irfft2(torch.fft.rfft2(torch.randn(count, 1, size, size)) * shape, s=(size, size))
    return 128 + 40 * noise / noise.std()


def noisy(images, amount):
    return whole(images + amount * torch.randn(images.shape))


def blurred(images, amount):
    """Mixed with the mean of 3×3 pixels."""
    smooth = avg_pool2d(pad(images.float(), (1, 1, 1, 1), mode="reflect"), 3, 1)
    return whole(torch.lerp(images.float(), smooth, amount))


def compressed(images, loss):
    """JPEG of a quality of 100 - loss."""
    result = []
    for image in images.permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=100 - loss)
        result.append(np.asarray(Image.open(file)))
    return torch.from_numpy(np.stack(result)).permute(0, 3, 1, 2)


def distance(real, fake):
    return spectrum_distance(log_spectrum(real), log_spectrum(fake))


@pytest.mark.parametrize("size", [8, 9, 15, 16, 33, 64])
def test_spectrum_is_that_of_the_whole_plane_ring_by_ring(size):
    images = pictures(3, 3, size, size)
    luma = np.tensordot([0.299, 0.587, 0.114], images.numpy().astype(float), (0, 1))
    window = np.outer(*[np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2] * 2)
    luma -= np.average(luma.reshape(3, -1), axis=1, weights=window.ravel())[:, None, None]
    power = np.abs(np.fft.fft2(luma * window)) ** 2 / (window**2).sum()
    frequency = np.fft.fftfreq(size, 1 / size)
    rings = np.rint(np.hypot(frequency[:, None], frequency)).astype(int)
    expected = [[p[rings == k].mean() for k in range(1, rings.max() + 1)] for p in power]
    np.testing.assert_allclose(log_spectrum(images), 10 * np.log10(np.array(expected) + 1 / 12), atol=2e-4)


def test_white_noise_has_its_variance_at_every_frequency():
    rows = log_spectrum(whole(128 + 20 * torch.randn(200, 1, 64, 64)))
    assert rows.shape == (200, 45)
    assert rows[:, 7:42].mean(0).tolist() == pytest.approx([20 * np.log10(20)] * 35, abs=0.35)


def test_a_wave_is_at_its_frequency():
    x = torch.arange(64) * 2 * np.pi / 64
    images = whole(128 + 50 * torch.stack([torch.cos(k * x) for k in (3, 10, 31)])[:, None, None].repeat(1, 1, 64, 1))
    assert log_spectrum(images).argmax(1).tolist() == [2, 9, 30]
    assert log_spectrum(images.transpose(2, 3)).argmax(1).tolist() == [2, 9, 30]


def test_a_plain_picture_has_the_power_of_rounding_and_brightness_does_not_matter():
    assert log_spectrum(torch.full((1, 3, 16, 16), 9, dtype=torch.uint8)).flatten().tolist() == pytest.approx(
        [FLOOR] * 11
    )
    images = pictures(4, 3, 32, 32) // 2
    assert distance(images, images + 100) == pytest.approx(0, abs=1e-4)


def test_twice_the_contrast_is_six_decibels():
    images = pictures(20, 3, 32, 32) // 4
    assert distance(images, images * 2) == pytest.approx(20 * np.log10(2), abs=0.02)
    assert distance(images * 2, images) == distance(images, images * 2)
    assert distance(images, images) == 0


def test_the_distance_is_of_mean_rows_and_a_root_mean_square():
    real = torch.tensor([[0.0, 2.0], [2.0, 2.0]])
    assert spectrum_distance(real, torch.tensor([[1.0, 2.0]])) == 0
    assert spectrum_distance(real, torch.tensor([[4.0, 6.0]])) == pytest.approx((25 / 2) ** 0.5)


@pytest.mark.parametrize(
    ("disturbed", "amounts"),
    [(noisy, (0, 5, 15, 40)), (blurred, (0, 0.2, 0.5, 1)), (compressed, (10, 40, 80, 95))],
)
def test_distance_grows_with_a_disturbance(critters, disturbed, amounts):
    values = [distance(critters, disturbed(critters, amount)) for amount in amounts]
    assert values[0] < 1
    assert values[0] < values[1] < values[2] < values[3]


def test_distance_grows_as_modes_are_dropped(critters):
    values = [distance(critters[:30], critters[30:][:kept]) for kept in (30, 5, 1)]
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize("describe", [log_spectrum, checkerboard])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_rows_do_not_depend_on_the_batch(critters, describe, channels):
    images = torch.cat([critters[:20], critters[20:40]], 1)[:, :channels]
    parts = torch.cat([describe(part) for part in images.split(7)])
    torch.testing.assert_close(describe(images), parts, atol=1e-5, rtol=1e-6)


def test_of_four_channels_each_counts_as_much_as_the_others():
    images = pictures(3, 4, 16, 16)
    for describe in (log_spectrum, checkerboard):
        torch.testing.assert_close(describe(images), describe(images[:, [3, 1, 0, 2]]), atol=1e-3, rtol=0)


def test_pictures_without_a_grid_are_near_zero(critters):
    assert checkerboard(torch.full((2, 3, 64, 64), 9, dtype=torch.uint8)).abs().max() < 1e-4
    means = [checkerboard(critters).mean(0)]
    means += [checkerboard(whole(clouds(60, size, power))).mean(0) for power in (0, 1) for size in (32, 64, 128)]
    assert torch.stack(means).max() < 1.5
    assert torch.stack(means).min() > -4


PATTERNS = {
    "checkers of 1 pixel": lambda y, x: (-1.0) ** (x + y),
    "stripes of 1 pixel down": lambda y, x: (-1.0) ** (x + 0 * y),
    "stripes of 1 pixel across": lambda y, x: (-1.0) ** (0 * x + y),
    "checkers of 2 pixels": lambda y, x: (-1.0) ** (x // 2 + y // 2),
    "stripes of 2 pixels down": lambda y, x: (-1.0) ** (x // 2 + 0 * y),
    "stripes of 2 pixels across": lambda y, x: (-1.0) ** (0 * x + y // 2),
    "slants of 2 pixels up": lambda y, x: (-1.0) ** ((x + y) // 2),
    "slants of 2 pixels down": lambda y, x: (-1.0) ** ((x - y) // 2),
    "dots every 4 pixels": lambda y, x: 4.0 * ((x % 4 == 1) & (y % 4 == 2)),
}


def patterned(images, name, amount):
    y, x = torch.arange(images.shape[2])[:, None], torch.arange(images.shape[3])
    return whole(images + amount * PATTERNS[name](y, x))


LINES = {
    "checkers of 1 pixel": {8},
    "stripes of 1 pixel down": {2},
    "stripes of 1 pixel across": {3},
    "checkers of 2 pixels": {4, 5},
    "stripes of 2 pixels down": {0},
    "stripes of 2 pixels across": {1},
    "slants of 2 pixels up": {4},
    "slants of 2 pixels down": {5},
    "dots every 4 pixels": set(range(9)),
}


def grid_distance(real, fake):
    return checkerboard_distance(checkerboard(real), checkerboard(fake))


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("size", [32, 64, 101])
def test_a_faint_grid_is_seen_at_its_own_frequencies(name, size):
    images = whole(clouds(30, size, 1.5))
    values = [grid_distance(images, patterned(images, name, amount)) for amount in (0, 2, 4, 8)]
    assert values[0] < 1
    assert values[1] > values[0]
    assert values[2] > values[1] + 2
    assert values[3] > values[2] + 2
    difference = (checkerboard(patterned(images, name, 8)) - checkerboard(images)).mean(0)
    assert set(torch.nonzero(difference > 3).flatten().tolist()) == LINES[name]


@pytest.mark.parametrize("name", PATTERNS)
def test_a_faint_grid_is_seen_on_drawn_images(critters, name):
    values = [grid_distance(critters, patterned(critters, name, amount)) for amount in (0, 4, 8)]
    assert values[0] < 1
    assert values[1] > 3  # beside sharp edges
    assert values[2] > values[1] + 3


def test_a_grid_is_seen_in_small_pictures_too():
    for size, amount in ((16, 10), (20, 10)):
        images = whole(clouds(60, size, 1.5))
        assert grid_distance(images, patterned(images, "checkers of 1 pixel", amount)) > 2


def test_a_grid_of_the_reals_is_no_fault_of_the_fakes_and_the_worst_one_counts(critters):
    fine = patterned(critters, "checkers of 1 pixel", 3)
    assert grid_distance(fine, fine) == 0
    assert grid_distance(fine, critters) < 1
    rows = torch.zeros(2, 9)
    assert checkerboard_distance(rows - 5, rows + torch.arange(9)) == 8
    assert checkerboard_distance(rows + 2, rows + torch.arange(9)) == 6


def upsampled(images, unevenness, times):
    """Transposed convolutions of stride 2: kernel 3 covers pixels 1, 2 or 4 times; kernel 4 all equally, bilinearly."""
    smooth = torch.outer(*[torch.tensor([1.0, 3, 3, 1]) / 4] * 2)
    uneven = torch.zeros(4, 4)
    uneven[:3, :3] = 4 / 9
    kernel = torch.lerp(smooth, uneven, unevenness)[None, None]
    result = images.float().flatten(0, 1)[:, None] / 255
    for _ in range(times):
        result = conv_transpose2d(result, kernel, stride=2, padding=1)
    return whole(255 * result.view(*images.shape[:2], *result.shape[2:]))


@pytest.mark.parametrize("times", [1, 2])
def test_the_grid_of_a_transposed_convolution_is_seen_though_it_follows_the_picture(critters, times):
    small = whole(avg_pool2d(critters.float() / 2, 2**times))
    values = [grid_distance(critters, upsampled(small, share, times)) for share in (0, 0.02, 0.05, 0.2)]
    assert values[0] < 1
    assert values[1] > 10
    assert values[3] > values[2] > values[1]


def softened(images, _):
    """Mixed with its neighbours by weights 1, 2, 1: no power is left at half a cycle per pixel."""
    kernel = torch.outer(*[torch.tensor([1.0, 2, 1]) / 4] * 2)[None, None]
    padded = pad(images.float().flatten(0, 1)[:, None], (1, 1, 1, 1), mode="reflect")
    return whole(conv2d(padded, kernel).view(images.shape))


@pytest.mark.parametrize(
    ("disturbed", "amount"), [(noisy, 20), (softened, 0), (compressed, 40), (lambda x, _: x.flip(3), 0)]
)
def test_other_disturbances_are_no_grid(critters, disturbed, amount):
    assert grid_distance(critters, disturbed(critters, amount)) < 1.5


def test_rows_that_cannot_be_compared_are_refused():
    rows = log_spectrum(pictures(2, 3, 16, 16))
    with pytest.raises(DataError, match="of 11 and of 23 frequencies cannot be compared"):
        spectrum_distance(rows, log_spectrum(pictures(2, 3, 32, 32)))
    for sides in ((rows[:0], rows), (rows, rows[:0])):
        for measure in (spectrum_distance, checkerboard_distance):
            with pytest.raises(DataError, match="at least one real and one generated"):
                measure(*sides)
    for describe in (log_spectrum, checkerboard):
        with pytest.raises(DataError, match="type uint8"):
            describe(torch.zeros(2, 3, 8, 8))
