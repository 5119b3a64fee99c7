"""What is seen of pictures, against hand values, closed forms, and what must raise it and what must not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv_transpose2d

from steadygan.augment import DiffAugment
from steadygan.metrics.neighbours import nearest
from steadygan.ops.images import from_uint8, to_uint8
from steadygan.signals import leak, pictures
from steadygan.spec import ImageSpec


def noise(count: int = 64, side: int = 16, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(seed)).byte()


def scenes(count: int = 64, seed: int = 0, side: int = 32) -> Tensor:
    """Smooth pictures whose power falls with the frequency, as that of photographs does."""
    rng = torch.Generator().manual_seed(seed)
    frequency = torch.fft.fftfreq(side)
    fall = (frequency[:, None].square() + frequency.square()).sqrt().clamp(min=1 / side)
    drawn = torch.fft.ifft2(torch.fft.fft2(torch.randn(count, 3, side, side, generator=rng)) / fall.square()).real
    return (128 + 40 * (drawn / drawn.std())).round().clamp(0, 255).byte()


def test_contrast_colour_and_saturation_of_a_picture_are_what_they_are_by_hand():
    halves = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    halves[:, 0, :, :2] = 255
    halves[:, 1] = 102
    found = pictures.looks(halves)
    assert found["contrast"] == pytest.approx(0.5 / 3)
    assert found["colour"] == pytest.approx((0.5, 0.4, 0))
    assert found["saturated"] == pytest.approx(2 / 3)
    assert "ms_ssim" not in found


def test_the_grid_of_a_transposed_convolution_stands_out_and_neither_noise_nor_scenes_do():
    smooth = scenes().float()
    uneven = conv_transpose2d(smooth.flatten(0, 1)[:, None], torch.ones(1, 1, 3, 3), stride=2)[:, 0, :64, :64]
    grid = (uneven / uneven.max() * 255).unflatten(0, (64, 3)).byte()
    found = {name: pictures.looks(shown)["checkerboard"] for name, shown in
             {"grid": grid, "noise": noise(side=64), "scenes": scenes(side=64)}.items()}  # fmt: skip
    assert found["grid"] > 10
    assert found["noise"] < 2
    assert found["scenes"] < 2


def test_likeness_is_1_for_equal_pictures_and_low_for_noise():
    assert pictures.looks(noise()[:1].repeat(8, 1, 1, 1))["ms_ssim"] == pytest.approx(1)
    assert pictures.looks(noise())["ms_ssim"] < 0.2


def test_large_pictures_are_compared_at_64_pixels():
    large = scenes(4, side=128)
    small = torch.nn.functional.avg_pool2d(large.float(), 2).round().byte()
    assert pictures.looks(large)["ms_ssim"] == pictures.looks(small)["ms_ssim"]


def test_diversity_is_the_mean_distance_of_two_and_0_of_equal_pictures():
    rows = torch.tensor([[0.0, 0], [1, 1], [0, 1]])
    assert pictures.diversity(rows) == pytest.approx((1 + 2 * math.sqrt(0.5)) / 3)
    assert pictures.diversity(pictures.small(noise()[:1].repeat(5, 1, 1, 1))) == 0


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_the_rank_counts_directions_that_are_used_alike(dimensions):
    axes = torch.eye(8)[:dimensions]
    assert pictures.rank(torch.cat([axes, -axes])) == pytest.approx(dimensions)


def test_equal_pictures_have_no_rank_and_are_all_twins_even_if_the_reals_are():
    same = pictures.small(noise()[:1].repeat(64, 1, 1, 1))
    assert pictures.rank(same) == 0
    assert pictures.twins(same, pictures.twin_limit([same])) == 1


def test_fresh_reals_have_hardly_any_twins_and_a_half_collapse_has_half():
    reals = pictures.small(scenes(512))
    limit = pictures.twin_limit(list(torch.split(reals, 64)))
    fresh = pictures.small(scenes(64, seed=1))
    assert pictures.twins(fresh, limit) < 0.1
    half = torch.cat([fresh[:32], fresh[:1].repeat(32, 1)])
    assert pictures.twins(half, limit) == pytest.approx(33 / 64, abs=0.05)


def test_copies_of_training_images_are_seen_and_fresh_pictures_are_none():
    training, held_out = pictures.small(scenes(300)), pictures.small(scenes(100, seed=1))
    far = nearest(held_out, training)[0]
    assert pictures.copies(pictures.small(scenes(64, seed=2)), training, far) < 0.1
    assert pictures.copies(training[:64] + 0.002, training, far) == 1


def test_movement_is_0_for_what_stays_and_the_mean_distance_else():
    rows = torch.zeros(2, 4)
    assert pictures.movement(rows, rows) == 0
    assert pictures.movement(rows + torch.tensor([[0.5], [0.1]]), rows) == pytest.approx(0.3)


def augmented(shown: Tensor) -> Tensor:
    show = DiffAugment().build(ImageSpec(size=shown.shape[-1], channels=3))
    return to_uint8(show(from_uint8(shown)))


def test_fakes_that_look_augmented_leak_and_reals_and_other_wrong_ones_do_not():
    real, changed = leak.areas(scenes(512)), leak.areas(augmented(scenes(512)))
    fresh = scenes(64, seed=3)
    blurred = torch.nn.functional.avg_pool2d(fresh.float(), 5, 1, 2).byte()
    dark = (0.7 * fresh.float()).byte()
    assert all(leak.leak(leak.areas(one), changed, real) < 0.2 for one in (fresh, blurred, dark, noise(side=32)))
    assert leak.leak(leak.areas(augmented(fresh)), changed, real) > 0.7


def test_no_leak_is_told_of_an_augmentation_that_cannot_be_seen():
    real = leak.areas(scenes(512))
    assert leak.leak(leak.areas(scenes(64, seed=1)), real + 1e-4, real) is None
