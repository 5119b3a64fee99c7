from __future__ import annotations

import colorsys
import math

import pytest
import torch

from steadygan.ops.colour import brightness, coloured, contrast, hue, luma_flip, recolour, saturation

RED, GREEN, BLUE = torch.eye(3)


def apply(matrix: torch.Tensor, *colour: float) -> torch.Tensor:
    """One pixel of this colour through the map."""
    return recolour(torch.tensor(colour).view(1, -1, 1, 1), matrix).flatten()


def number(value: float) -> torch.Tensor:
    return torch.tensor([value])


def test_brightness_adds_to_every_channel():
    torch.testing.assert_close(apply(brightness(number(0.25)), 0.5, 0.0, -1.0), torch.tensor([0.75, 0.25, -0.75]))


def test_contrast_multiplies_the_distance_from_its_grey_level():
    torch.testing.assert_close(apply(contrast(number(2.0)), 0.5, 0.0, -0.25), torch.tensor([1.0, 0.0, -0.5]))
    about = contrast(number(0.5), about=number(0.2))
    torch.testing.assert_close(apply(about, 0.6, 0.2, -0.6), torch.tensor([0.4, 0.2, -0.2]))


def test_no_contrast_leaves_the_grey_level_alone():
    torch.testing.assert_close(apply(contrast(number(0.0), about=number(0.3)), 0.6, 0.2, -0.6), torch.full((3,), 0.3))


def test_no_saturation_leaves_the_mean_of_the_channels():
    torch.testing.assert_close(apply(saturation(number(0.0)), 0.9, 0.3, -0.6), torch.full((3,), 0.2))


def test_double_saturation_doubles_the_distance_from_that_mean():
    torch.testing.assert_close(apply(saturation(number(2.0)), 0.9, 0.3, -0.6), torch.tensor([1.6, 0.4, -1.4]))


def test_luma_flip_mirrors_greys_and_keeps_the_hue():
    torch.testing.assert_close(apply(luma_flip(number(1.0)), 0.4, 0.4, 0.4), torch.full((3,), -0.4))
    torch.testing.assert_close(apply(luma_flip(number(1.0)), 0.9, 0.3, -0.6), torch.tensor([0.5, -0.1, -1.0]))
    torch.testing.assert_close(apply(luma_flip(number(0.0)), 0.9, 0.3, -0.6), torch.tensor([0.9, 0.3, -0.6]))


def test_hue_by_a_third_of_a_turn_takes_red_to_green_to_blue():
    third = hue(number(2 * math.pi / 3))
    torch.testing.assert_close(apply(third, *RED), GREEN, atol=1e-6, rtol=0)
    torch.testing.assert_close(apply(third, *GREEN), BLUE, atol=1e-6, rtol=0)


@pytest.mark.parametrize("angle", [0.3, 1.0, -2.0])
def test_hue_turns_the_hue_by_its_angle_and_keeps_the_mean_and_the_length(angle):
    colour = torch.tensor([0.6, 0.5, 0.45])
    turned = apply(hue(number(angle)), *colour)
    a, b = (math.atan2(math.sqrt(3) * (c[1] - c[2]), 2 * c[0] - c[1] - c[2]) for c in (colour, turned))
    assert math.remainder(b - a - angle, 2 * math.pi) == pytest.approx(0, abs=1e-4)
    torch.testing.assert_close(turned.mean(), colour.mean())
    torch.testing.assert_close(turned.norm(), colour.norm())


def test_hue_agrees_with_the_hexagon_of_the_standard_library_where_the_two_meet():
    turned = apply(hue(number(math.pi / 3)), 0.8, 0.2, 0.2)
    assert colorsys.rgb_to_hsv(*turned.tolist())[0] == pytest.approx(1 / 6, abs=1e-6)


def test_a_product_does_its_right_factor_first():
    both = contrast(number(2.0)) @ brightness(number(0.25))
    torch.testing.assert_close(apply(both, 0.0, 0.0, 0.0), torch.full((3,), 0.5))


def test_each_image_gets_its_own_matrix():
    shown = recolour(torch.zeros(2, 3, 4, 4), brightness(torch.tensor([0.1, -0.2])))
    torch.testing.assert_close(shown[:, 0, 0, 0], torch.tensor([0.1, -0.2]))
    torch.testing.assert_close(shown, shown[:, :1, :1, :1].expand_as(shown))


def test_grey_takes_brightness_contrast_and_luma_flip_but_neither_hue_nor_saturation():
    torch.testing.assert_close(apply(brightness(number(0.25)), 0.5), number(0.75))
    torch.testing.assert_close(apply(contrast(number(0.5), about=number(0.1)), 0.5), number(0.3))
    torch.testing.assert_close(apply(luma_flip(number(1.0)), 0.5), number(-0.5))
    torch.testing.assert_close(apply(hue(number(1.0)), 0.5), number(0.5))
    torch.testing.assert_close(apply(saturation(number(0.0)), 0.5), number(0.5))


@pytest.mark.parametrize(("channels", "colours"), [(1, 1), (2, 1), (3, 3), (4, 3), (8, 3)])
def test_channels_that_are_no_colours_are_left_alone(channels, colours):
    images = torch.rand(2, channels, 4, 4)
    shown = recolour(images, brightness(torch.tensor([0.1, 0.2])))
    assert coloured(images) == colours
    assert torch.equal(shown[:, colours:], images[:, colours:])
    assert (shown[:, :colours] > images[:, :colours]).all()


def test_an_image_with_the_identity_comes_back_bit_by_bit():
    images = torch.randn(3, 4, 8, 8)
    neutral = saturation(torch.ones(3)) @ hue(torch.zeros(3)) @ contrast(torch.ones(3), about=torch.rand(3))
    assert torch.equal(recolour(images, neutral @ luma_flip(torch.zeros(3)) @ brightness(torch.zeros(3))), images)
