from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import pad

from steadygan.ops.warp import cut_out, move_pixels, rotation, scaling, shift, warp

ONE = torch.ones(1)


def picture(size: int = 8, count: int = 1) -> torch.Tensor:
    return torch.rand(count, 3, size, size) * 2 - 1


def pixels(images: torch.Tensor, right: float, down: float) -> torch.Tensor:
    unit = 2 / (images.shape[-1] - 1)
    return shift(ONE * right * unit, ONE * down * unit)


def wave(size: int, period: float, right: float = 0.0) -> torch.Tensor:
    """A wave along x that many pixels long, moved to the right."""
    along = torch.arange(size) - (size - 1) / 2 - right
    return (2 * math.pi * along / period).sin().expand(1, 1, size, size)


@pytest.mark.parametrize("size", [2, 3, 7, 64])
@pytest.mark.parametrize("matrix", [rotation(ONE * 0), scaling(ONE, ONE), shift(ONE * 0, ONE * 0)])
def test_neutral_parameters_give_the_same_picture_bit_by_bit(size, matrix):
    images = picture(size)
    assert torch.equal(warp(images, matrix), images)
    assert torch.equal(move_pixels(images, matrix, beyond="zeros"), images)


@pytest.mark.parametrize("size", [7, 64])
def test_the_filter_itself_keeps_every_pixel(size):
    images = picture(size)
    almost = torch.eye(3)[None] + 1e-9 * torch.eye(3)[[1, 2, 0]]  # not the identity, so that it is computed
    torch.testing.assert_close(warp(images, almost), images, atol=3e-5, rtol=0)  # 1/260 of a grey level


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("size", [8, 9])
def test_turning_by_quarters_is_what_torch_calls_rot90(quarters, size):
    images = picture(size)
    matrix, expected = rotation(ONE * quarters * math.pi / 2), torch.rot90(images, quarters, (2, 3))
    torch.testing.assert_close(warp(images, matrix), expected, atol=1e-5, rtol=0)
    assert torch.equal(move_pixels(images, matrix, beyond="reflection"), expected)


def test_a_scale_of_minus_one_mirrors():
    images = picture()
    torch.testing.assert_close(warp(images, scaling(-ONE, ONE)), images.flip(3), atol=1e-5, rtol=0)
    assert torch.equal(move_pixels(images, scaling(ONE, -ONE), beyond="reflection"), images.flip(2))


@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, -3), (-1, 2)])
def test_a_shift_by_whole_pixels_is_the_shifted_tensor_with_mirrored_edges(right, down):
    images = picture()
    expected = pad(images, (3, 3, 3, 3), mode="reflect")[..., 3 - down : 11 - down, 3 - right : 11 - right]
    torch.testing.assert_close(warp(images, pixels(images, right, down)), expected, atol=1e-5, rtol=0)
    assert torch.equal(move_pixels(images, pixels(images, right, down), beyond="reflection"), expected)


@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, -3), (-1, 2), (9, 0)])
def test_a_shift_with_zeros_is_the_shifted_tensor_with_zeros(right, down):
    images = picture()
    expected = pad(images, (9, 9, 9, 9))[..., 9 - down : 17 - down, 9 - right : 17 - right]
    assert torch.equal(move_pixels(images, pixels(images, right, down), beyond="zeros"), expected)


def test_each_picture_has_its_own_map():
    images = picture(count=3)
    turned = warp(images, rotation(torch.tensor([0.0, math.pi / 2, math.pi])))
    expected = torch.stack([torch.rot90(image, k, (1, 2)) for k, image in enumerate(images)])
    torch.testing.assert_close(turned, expected, atol=1e-5, rtol=0)


def test_scaling_by_two_makes_a_wave_twice_as_long():
    larger = warp(wave(32, period=8), scaling(2 * ONE, ONE))
    torch.testing.assert_close(larger, wave(32, period=16), atol=0.05, rtol=0)


@pytest.mark.parametrize(("right", "tolerance"), [(0.5, 0.03), (0.25, 0.1)])
def test_a_shift_by_part_of_a_pixel_keeps_a_wave_of_four_pixels(right, tolerance):
    shifted = warp(wave(32, period=4), pixels(wave(32, 4), right, 0))[..., 4:-4]
    torch.testing.assert_close(shifted, wave(32, period=4, right=right)[..., 4:-4], atol=tolerance, rtol=0)


def test_half_a_pixel_costs_a_fine_wave_far_less_than_the_mean_of_two_neighbours_would():
    shifted = warp(wave(64, period=3), pixels(wave(64, 3), 0.5, 0))[..., 8:-8]
    kept = shifted.norm() / wave(64, period=3, right=0.5)[..., 8:-8].norm()
    assert 0.9 < kept < 1  # linear interpolation keeps cos(π/3) = 0.5


def test_in_a_product_the_left_factor_is_done_first():
    images = picture()
    both = warp(images, pixels(images, 2, 0) @ rotation(ONE * math.pi / 2))
    one_by_one = torch.rot90(pad(images, (2, 0, 0, 0), mode="reflect")[..., :8], 1, (2, 3))
    torch.testing.assert_close(both, one_by_one, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("x", "y", "side", "rows", "columns"),
    [
        (4.0, 4.0, 4, slice(2, 6), slice(2, 6)),
        (0.0, 8.0, 4, slice(6, 8), slice(0, 2)),
        (4.5, 2.5, 3, slice(1, 4), slice(3, 6)),
        (4.3, 2.4, 3, slice(1, 4), slice(3, 6)),
        (4.0, 4.0, 0, slice(0, 0), slice(0, 0)),
    ],
)
def test_a_hole_is_a_square_of_its_side_clipped_at_the_border(x, y, side, rows, columns):
    images = picture()
    expected = images.clone()
    expected[..., rows, columns] = 0
    assert torch.equal(cut_out(images, ONE * x, ONE * y, ONE * side), expected)


@pytest.mark.parametrize("size", [2, 5])
def test_gradients_agree_with_finite_differences_and_so_do_gradients_of_gradients(size):
    images = torch.rand(2, 1, size, size, dtype=torch.float64, requires_grad=True)
    matrix = rotation(torch.tensor([0.7, -2.0], dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda x: warp(x, matrix), images)
    assert torch.autograd.gradgradcheck(lambda x: warp(x, matrix).sin(), images)
