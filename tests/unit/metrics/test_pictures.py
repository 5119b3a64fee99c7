from __future__ import annotations

import pytest
import torch

from steadygan.errors import DataError
from steadygan.metrics.pictures import check_pictures, check_same_form, thumbnails

BAD = {
    "type uint8, not float32; convert": torch.zeros(2, 3, 16, 16),
    r"shape \(N, C, H, W\), .* not 3×16×16": torch.zeros(3, 16, 16, dtype=torch.uint8),
    "at least one of each, not 0×3×16×16": torch.zeros(0, 3, 16, 16, dtype=torch.uint8),
    "square, not 16×12 pixels; crop": torch.zeros(2, 3, 12, 16, dtype=torch.uint8),
    "7×7 pixels are too small .* 8×8": torch.zeros(2, 3, 7, 7, dtype=torch.uint8),
}


def pictures(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8)


@pytest.mark.parametrize("problem", BAD)
def test_what_cannot_be_measured_is_refused(problem):
    with pytest.raises(DataError, match=problem):
        check_pictures(BAD[problem])
    with pytest.raises(DataError, match=problem):
        thumbnails(BAD[problem])
    with pytest.raises(DataError, match=problem):
        check_same_form(pictures(2, 3, 16, 16), BAD[problem])


@pytest.mark.parametrize("other", [(5, 1, 16, 16), (5, 3, 32, 32)])
def test_pictures_of_two_forms_are_refused_and_of_two_numbers_are_not(other):
    check_same_form(pictures(2, 3, 16, 16), pictures(5, 3, 16, 16))
    with pytest.raises(DataError, match=f"3×16×16 and {other[1]}×{other[2]}×{other[2]} pictures cannot be compared"):
        check_same_form(pictures(2, 3, 16, 16), pictures(*other))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_thumbnail_is_of_the_means_of_areas(channels):
    images = pictures(5, channels, 64, 64)
    means = images.float().unflatten(3, (16, 4)).unflatten(2, (16, 4)).mean((3, 5)) / 255
    assert thumbnails(images).shape == (5, channels * 256)
    torch.testing.assert_close(thumbnails(images), means.flatten(1))


def test_a_picture_of_the_thumbnails_size_is_its_own_and_a_smaller_one_is_enlarged():
    images = pictures(2, 3, 8, 8)
    torch.testing.assert_close(thumbnails(images, side=8), images.flatten(1) / 255)
    torch.testing.assert_close(
        thumbnails(images).view(2, 3, 16, 16), images.repeat_interleave(2, 2).repeat_interleave(2, 3) / 255
    )


def test_one_grey_level_is_as_far_as_it_says():
    images = pictures(1, 3, 64, 64) // 2
    distance = (thumbnails(images + 1) - thumbnails(images)).norm()
    assert distance == pytest.approx(3**0.5 * 16 / 255, rel=1e-5)


def test_the_nearest_thumbnail_of_a_noisy_copy_is_that_of_the_original():
    images = pictures(20, 3, 8, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)
    noisy = (images + 20 * torch.randn(images.shape)).clamp(0, 255).to(torch.uint8).roll(1, 3)
    nearest = torch.cdist(thumbnails(noisy), thumbnails(images)).argmin(1)
    assert nearest.tolist() == list(range(20))


def test_a_thumbnail_does_not_depend_on_its_batch():
    images = pictures(7, 3, 33, 33)
    assert torch.equal(thumbnails(images), torch.cat([thumbnails(part) for part in images.split(2)]))
