from __future__ import annotations

import pytest
import torch

from steadygan.augment import DiffAugment
from steadygan.spec import ImageSpec

SPEC = ImageSpec(size=16, channels=3)
COUNT = 4000


def only(kind: str, probability: float = 1.0) -> torch.nn.Module:
    kinds = {name: name == kind for name in ("colour", "translation", "cutout")}
    return DiffAugment(**kinds, probability=probability).build(SPEC)


def colours(probability: float = 1.0) -> torch.Tensor:
    """One pixel of the same colour shown many times, (COUNT, 3)."""
    images = torch.tensor([0.5, 0.1, 0.0]).view(1, 3, 1, 1).expand(COUNT, 3, 2, 2)
    shown = only("colour", probability)(images)
    torch.testing.assert_close(shown, shown[..., :1, :1].expand_as(shown))
    return shown[..., 0, 0]


def test_brightness_moves_the_mean_by_up_to_one_half():
    moved = colours().mean(1) - 0.2
    assert moved.mean() == pytest.approx(0, abs=0.02)
    assert moved.std() == pytest.approx(12**-0.5, rel=0.03)
    assert 0.49 < moved.abs().max() <= 0.5 + 1e-6


def test_saturation_goes_from_0_to_2_and_contrast_from_a_half_to_three_halves():
    shown = colours()
    factor = (shown[:, 0] - shown.mean(1)) / 0.3
    assert factor.mean() == pytest.approx(1, abs=0.03)
    assert factor.square().mean() == pytest.approx(4 / 3 * (1 + 1 / 12), rel=0.05)
    assert 0 <= factor.min() < 0.02
    assert 2.5 < factor.max() <= 3


def test_contrast_is_about_the_mean_of_the_image():
    images = torch.rand(COUNT, 1, 4, 4)
    shown = only("colour")(images)
    factor = shown.std((1, 2, 3)) / images.std((1, 2, 3))
    assert 0.5 - 1e-4 < factor.min() < 0.52
    assert 1.48 < factor.max() < 1.5 + 1e-4
    assert factor.mean() == pytest.approx(1, abs=0.02)
    assert (shown.mean((1, 2, 3)) - images.mean((1, 2, 3))).abs().max() <= 0.5 + 1e-5


def test_alpha_is_moved_and_cut_but_not_coloured():
    images = torch.rand(50, 4, 16, 16)
    assert torch.equal(only("colour")(images)[:, 3], images[:, 3])
    assert not torch.equal(only("translation")(images)[:, 3], images[:, 3])
    assert not torch.equal(only("cutout")(images)[:, 3], images[:, 3])


@pytest.mark.parametrize(("size", "furthest"), [(2, 0), (8, 1), (12, 2), (16, 2), (32, 4)])
def test_translation_is_even_over_all_whole_pixels_up_to_an_eighth_of_the_side(size, furthest):
    images = torch.zeros(COUNT, 1, size, size)
    middle = size // 2
    images[..., middle, middle] = 1
    places = only("translation")(images).flatten(1)
    assert (places.sum(1) == 1).all()
    found = places.argmax(1)
    for moved in (found // size - middle, found % size - middle):
        values, counts = moved.unique(return_counts=True)
        assert values.tolist() == list(range(-furthest, furthest + 1))
        assert (counts / COUNT).tolist() == pytest.approx([1 / len(values)] * len(values), abs=0.03)


def test_what_comes_in_by_translation_is_zero():
    shown = only("translation")(torch.ones(COUNT, 1, 16, 16))
    assert set(shown.unique().tolist()) == {0.0, 1.0}
    assert shown.mean() == pytest.approx((1 - 1.2 / 16) ** 2, abs=0.005)  # the mean of |shift| is 6/5 pixels


def test_cutout_hides_a_square_half_as_wide_as_the_image_anywhere_in_it():
    hidden = only("cutout")(torch.ones(COUNT, 1, 16, 16))[:, 0] == 0
    height, width = hidden.any(2).sum(1), hidden.any(1).sum(1)
    assert torch.equal(hidden.sum((1, 2)), height * width)
    assert height.max() == width.max() == 8
    assert height.min() == width.min() == 4
    assert hidden.float().mean() == pytest.approx((7 / 16) ** 2, abs=0.005)
    torch.testing.assert_close(hidden.float().mean(0), hidden.float().mean(0).flip(0, 1), atol=0.05, rtol=0)


@pytest.mark.parametrize("kind", ["translation", "cutout"])
def test_with_a_probability_only_that_share_of_the_images_is_changed(kind):
    images = torch.rand(COUNT, 3, 16, 16)
    changed = (only(kind, 0.3)(images) != images).flatten(1).any(1).float().mean()
    share = 0.3 * (24 / 25 if kind == "translation" else 1)  # one of 25 shifts is none
    assert changed == pytest.approx(share, abs=0.025)


def test_the_three_changes_of_colour_are_drawn_apart():
    shown = colours(0.3)
    lighter = (shown.mean(1) - 0.2).abs() > 1e-6
    purer = ((shown[:, 0] - shown.mean(1)) / 0.3 - 1).abs() > 1e-5
    assert lighter.float().mean() == pytest.approx(0.3, abs=0.025)
    assert purer.float().mean() == pytest.approx(1 - 0.7**2, abs=0.03)
    assert (lighter & purer).float().mean() == pytest.approx(0.3 * (1 - 0.7**2), abs=0.025)
