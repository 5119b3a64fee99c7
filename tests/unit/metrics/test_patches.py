from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from steadygan.data.builtin import Critters
from steadygan.errors import DataError
from steadygan.metrics.patches import (
    _places,
    patches_per_image,
    project,
    projected_distance,
    pyramid_patches,
    sliced_distance,
)


@pytest.fixture(scope="module")
def critters():
    """80 pictures (N, 3, 64, 64)."""
    return torch.from_numpy(np.stack([Critters().draw(index, 64).image for index in range(80)])).permute(0, 3, 1, 2)


def pictures(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8)


def whole(images):
    return images.round().clamp(0, 255).to(torch.uint8)


def distance(real, fake, seeds=(1, 1), per_image=16, directions=64):
    return sliced_distance(
        *(pyramid_patches(x, per_image, s) for x, s in zip((real, fake), seeds, strict=True)), directions
    )


@pytest.mark.parametrize(("count", "patches"), [(1, 128), (1024, 128), (1025, 127), (10_000, 13), (200_000, 1)])
def test_fewer_patches_of_each_are_taken_of_many_images(count, patches):
    assert patches_per_image(count) == patches


@pytest.mark.parametrize(
    ("size", "sides"), [(8, [8]), (16, [16]), (31, [31]), (33, [33, 16]), (64, [64, 32, 16]), (96, [96, 48, 24])]
)
@pytest.mark.parametrize("channels", [1, 4])
def test_levels_go_down_to_sixteen_pixels(size, sides, channels):
    levels = pyramid_patches(pictures(3, channels, size, size), 5, seed=0)
    assert [level.shape for level in levels] == [(3, 5, channels, 49)] * len(sides)
    assert all(level.dtype == torch.float16 for level in levels)


def test_a_patch_is_a_window_of_its_own_image_with_all_channels_and_any_window_may_be_one():
    images = pictures(4, 3, 16, 16)
    (level,) = pyramid_patches(images, 1500, seed=3)
    windows = images.unfold(2, 7, 1).unfold(3, 7, 1).permute(0, 2, 3, 1, 4, 5).reshape(4, 100, -1)
    patches = (level.float() + 127.5).flatten(2)
    for image in range(4):
        same = torch.cdist(patches[image], windows[image].float(), compute_mode="donot_use_mm_for_euclid_dist") == 0
        assert (same.sum(1) == 1).all()
        assert same.any(0).all()


def test_the_levels_of_a_picture_are_its_means_and_what_they_lack():
    """A plain left half and right half: no detail away from the edge, and mid-grey is 0 at the last level."""
    images = torch.full((1, 1, 64, 64), 200, dtype=torch.uint8)
    finest, middle, last = pyramid_patches(images, 50, seed=0)
    assert not finest.any()
    assert not middle.any()
    assert (last == 72.5).all()
    fine, _, coarse = pyramid_patches(whole(200 + 50 * (-1.0) ** torch.arange(64).expand(1, 1, 64, 64)), 50, seed=0)
    assert set(fine.unique().tolist()) == {-50, 50}
    assert (coarse == 72.5).all()


def test_places_depend_on_the_number_of_an_image_and_not_on_its_batch(critters):
    levels = pyramid_patches(critters, 6, seed=5)
    for size in (1, 7, 32):
        parts = [pyramid_patches(part, 6, 5, size * index) for index, part in enumerate(critters.split(size))]
        for level, split in zip(levels, zip(*parts, strict=True), strict=True):
            assert torch.equal(level, torch.cat(split))


def test_places_differ_between_seeds_images_levels_and_patches():
    numbers = np.arange(1000)
    rows, columns = _places(numbers, 20, 58, (0, 0))
    assert rows.shape == columns.shape == (1000, 20)
    others = [_places(numbers, 20, 58, key) for key in ((1, 0), (0, 1), (2, 0))]
    others += [_places(numbers + 1000, 20, 58, (0, 0)), (rows.roll(1, 1), columns.roll(1, 1))]
    others += [(rows.roll(1, 0), columns.roll(1, 0))]
    for other in others:
        assert ((rows == other[0]) & (columns == other[1])).double().mean() == pytest.approx(1 / 58**2, abs=4e-4)
    assert (rows == columns).double().mean() == pytest.approx(1 / 58, abs=4e-3)
    assert torch.equal(_places(numbers[10:20], 5, 58, (0, 0))[0], rows[10:20, :5])


def test_every_place_is_as_likely_as_the_others():
    """Chi-squared of 100 cells has a mean of 99 and a deviation of 14."""
    rows, columns = _places(np.arange(5000), 20, 10, (7, 0))
    cells = torch.bincount((rows * 10 + columns).flatten(), minlength=100).double()
    assert len(cells) == 100
    assert 50 < ((cells - 1000) ** 2 / 1000).sum() < 150


def test_a_set_is_nowhere_from_itself_and_near_to_itself_in_other_places(critters):
    assert (distance(critters, critters) == 0).all()
    again = distance(critters, critters, seeds=(1, 2))
    assert (again > 0).all()
    assert (again < 0.2 * distance(critters, 255 - critters // 4)).all()


def test_distance_of_a_shift_is_the_mean_projected_shift():
    """The mean of |sum of a unit vector's 49 coordinates| is 7 sqrt(2 / 49π) (1 + 1/196) = 0.802."""
    images = pictures(40, 1, 16, 16) // 2
    (found,) = distance(images, images + 30, directions=1000)
    assert found == pytest.approx(0.802 * 30 / (128 / 12**0.5), abs=0.05)


def test_both_sides_are_divided_by_the_deviation_of_the_reals():
    images = pictures(200, 1, 16, 16)
    half = whole((images.float() - 128) / 2 + 128)
    forth, back = distance(images, half), distance(half, images)
    assert forth == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=0.1)  # of (1 - 1/2) |normal|
    assert back == pytest.approx(2 * forth, rel=0.01)


def test_a_channel_of_the_reals_that_never_varies_counts_in_units_of_rounding():
    images = pictures(20, 4, 16, 16)
    images[:, 3] = 255
    other = images.clone()
    other[:, 3] = 254
    assert 0 < distance(images, other) < 5
    assert distance(images[:, 3:], other[:, 3:], directions=1000) == pytest.approx(0.802 * 12**0.5, rel=0.08)


def test_sets_of_different_numbers_are_compared_share_by_share():
    real = pyramid_patches(pictures(6, 1, 16, 16), 2, 0)
    fake = pyramid_patches(pictures(9, 1, 16, 16) // 2, 2, 0)
    repeated = [level.repeat(count, 1, 1, 1) for count, (level,) in ((3, real), (2, fake))]
    expected = sliced_distance(repeated[:1], repeated[1:])
    np.testing.assert_allclose(sliced_distance(real, fake), expected, rtol=1e-6)
    np.testing.assert_allclose(sliced_distance(real, repeated[1:]), expected, rtol=1e-6)
    np.testing.assert_allclose(projected_distance(*project(real, fake, 128)), expected, rtol=1e-6)


def test_kept_projections_give_the_same_for_all_images_and_for_some(critters):
    real, fake = pyramid_patches(critters[:40], 8, 1), pyramid_patches(critters[40:], 8, 2)
    kept = project(real, fake, 64)
    assert kept[0].shape == kept[1].shape == (3, 64, 40, 8)
    np.testing.assert_allclose(projected_distance(*kept), sliced_distance(real, fake, 64), rtol=1e-6)
    np.testing.assert_allclose(projected_distance(*(side[:, :20] for side in kept)), sliced_distance(real, fake, 20))
    which = np.random.default_rng(0).permutation(40)[:15]
    deviations = [(x[0].float().std((0, 1, 3)), x[0][which].float().std((0, 1, 3))) for x in (real,)]
    assert not torch.equal(*deviations[0])  # the scale is that of all reals, not of those chosen
    subset = projected_distance(kept[0][:, :, which], kept[1][:, :, which])
    same = projected_distance(*project([x[which] for x in real], [x[which] for x in fake], 64))
    np.testing.assert_allclose(subset, same, rtol=0.2)


def noisy(images, amount):
    return whole(images + amount * torch.randn(images.shape))


def tinted(images, amount):
    return whole(images + amount * torch.tensor([1.0, 0.0, -1.0])[:, None, None])


def blurred(images, amount):
    """Mixed with the mean of 3×3 pixels."""
    padded = torch.nn.functional.pad(images.float(), (1, 1, 1, 1), mode="reflect")
    return whole(torch.lerp(images.float(), torch.nn.functional.avg_pool2d(padded, 3, 1), amount))


def compressed(images, loss):
    """JPEG of a quality of 100 - loss."""
    result = []
    for image in images.permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=100 - loss)
        result.append(np.asarray(Image.open(file)))
    return torch.from_numpy(np.stack(result)).permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("disturbed", "amounts", "level"),
    [
        (noisy, (2, 8, 20, 50), 0), (blurred, (0.1, 0.3, 0.6, 1), 0), (tinted, (5, 15, 30, 60), 2),
        (compressed, (5, 40, 80, 95), 0),
    ],
)  # fmt: skip
def test_distance_grows_with_a_disturbance_and_most_at_its_own_scale(critters, disturbed, amounts, level):
    values = [distance(critters, disturbed(critters, amount)) for amount in amounts]
    scores = [value.mean() for value in values]
    assert 0 < scores[0] < scores[1] < scores[2] < scores[3]
    assert values[2].argmax() == level


def test_distance_grows_as_modes_are_dropped(critters):
    values = [distance(critters[:40], critters[40:][:kept].repeat(40 // kept, 1, 1, 1)).mean() for kept in (40, 5, 1)]
    assert values[0] < values[1] < values[2]


def test_ten_thousand_images_take_the_memory_that_it_says():
    levels = pyramid_patches(pictures(10, 3, 64, 64), patches_per_image(10_000), seed=0)
    assert sum(level.nbytes for level in levels) * 1000 == pytest.approx(115e6, rel=0.01)
    kept = project(levels, levels)[0]
    assert kept.nbytes * 1000 == pytest.approx(25e6, rel=0.01)


def test_levels_that_cannot_be_compared_are_refused():
    def levels(channels, size):
        return pyramid_patches(pictures(2, channels, size, size), 2, 0)

    for measure in (sliced_distance, project):
        with pytest.raises(DataError, match="of 2 and of 1 levels cannot be compared"):
            measure(levels(3, 32), levels(3, 16))
        with pytest.raises(DataError, match="of 3 and of 1 channels cannot be compared"):
            measure(levels(3, 16), levels(1, 16))
        with pytest.raises(DataError, match="at least one real and one generated"):
            measure([level[:0] for level in levels(3, 16)], levels(3, 16))
    with pytest.raises(DataError, match="type uint8"):
        pyramid_patches(torch.zeros(2, 3, 16, 16), 2, 0)
