from __future__ import annotations

import numpy as np
import pytest
import torch

from steadygan.data.builtin import Critters
from steadygan.errors import DataError
from steadygan.metrics.colour import colour_distance, colour_histograms


@pytest.fixture(scope="module")
def critters():
    """60 pictures (N, 3, 32, 32)."""
    return torch.from_numpy(np.stack([Critters().draw(index, 32).image for index in range(60)])).permute(0, 3, 1, 2)


def plain(*colour):
    """One picture of 8 pixels of one colour."""
    return torch.tensor(colour, dtype=torch.uint8)[None, :, None, None].repeat(1, 1, 8, 8)


def pictures(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8)


def distance(real, fake):
    return colour_distance(colour_histograms(real), colour_histograms(fake))


def test_pixels_of_each_level_are_counted_for_each_image_and_channel():
    images = pictures(3, 2, 9, 9)
    rows = colour_histograms(images)
    assert rows.dtype == torch.int16
    for image in range(3):
        for channel in range(2):
            expected = np.histogram(images[image, channel].numpy(), 256, (0, 256))[0]
            assert rows[image, channel].tolist() == expected.tolist()


@pytest.mark.parametrize(("channels", "axes"), [(1, 1), (2, 2), (3, 5), (4, 6)])
def test_two_opponent_axes_follow_where_there_are_three_channels(channels, axes):
    rows = colour_histograms(pictures(4, channels, 16, 16))
    assert rows.shape == (4, axes, 256)
    assert (rows.sum(2) == 256).all()


@pytest.mark.parametrize(
    ("colour", "red_green", "yellow_blue"),
    [
        ((0, 0, 0), 127, 127), ((255, 255, 255), 127, 127), ((90, 90, 90), 127, 127), ((255, 0, 0), 255, 191),
        ((0, 255, 0), 0, 191), ((0, 0, 255), 127, 0), ((255, 255, 0), 127, 255), ((100, 40, 20), 157, 152),
    ],
)  # fmt: skip
def test_opponent_axes_of_known_colours(colour, red_green, yellow_blue):
    rows = colour_histograms(plain(*colour))
    assert rows.argmax(2).tolist() == [[*colour, red_green, yellow_blue]]
    assert rows.max(2).values.tolist() == [[64] * 5]
    four = colour_histograms(plain(*colour, 7))
    assert four.argmax(2).tolist() == [[*colour, 7, red_green, yellow_blue]]


def test_distance_is_that_of_all_pixels_in_order():
    """In one dimension the best transport takes the k-th smallest to the k-th smallest."""
    real, fake = pictures(5, 2, 16, 16), pictures(5, 2, 16, 16) // 2
    ordered = [side.transpose(0, 1).flatten(1).sort(1).values.double() for side in (real, fake)]
    assert distance(real, fake) == pytest.approx((ordered[0] - ordered[1]).abs().mean().item(), rel=1e-9)


def test_distance_of_a_set_to_itself_is_zero_in_any_order_and_number_and_the_way_back_is_as_long(critters):
    assert distance(critters, critters) == 0
    assert distance(critters, critters.flip(0, 2)) == 0
    assert distance(critters, torch.cat([critters, critters])) == pytest.approx(0, abs=1e-9)
    other = 255 - critters[:20] // 3
    assert distance(critters, other) == pytest.approx(distance(other, critters))


def test_three_levels_brighter_is_three_on_the_channels_and_nothing_on_the_opponent_axes():
    images = pictures(4, 3, 16, 16) // 2
    assert distance(images[:, :1], images[:, :1] + 3) == pytest.approx(3)
    assert distance(images, images + 3) == pytest.approx(3 * 3 / 5)
    assert distance(plain(0, 0, 0, 0), plain(0, 0, 0, 255)) == pytest.approx(255 / 6)


def test_a_hue_that_leaves_every_channel_alone_is_seen():
    """Grey noise, and the same values shuffled among the pixels of each channel: as many of each, and all colours."""
    grey = pictures(10, 1, 16, 16).repeat(1, 3, 1, 1)
    mixed = torch.stack([grey.flatten(2)[:, c][:, torch.randperm(256)] for c in range(3)], dim=1).view_as(grey)
    one_by_one = [distance(grey[:, c : c + 1], mixed[:, c : c + 1]) for c in range(3)]
    assert one_by_one == [0, 0, 0]
    assert distance(grey, mixed) > 10


def test_rows_do_not_depend_on_the_batch(critters):
    parts = torch.cat([colour_histograms(part) for part in critters.split(7)])
    assert torch.equal(colour_histograms(critters), parts)


def shifted(images, amount):
    tint = torch.tensor([1.0, 0.0, -1.0])[:, None, None]
    return (images + amount * tint).round().clamp(0, 255).to(torch.uint8)


def contrasted(images, amount):
    return ((images.float() - 128) * (1 + amount / 40) + 128).round().clamp(0, 255).to(torch.uint8)


def noisy(images, amount):
    return (images + amount * torch.randn(images.shape)).round().clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("disturbed", [shifted, contrasted, noisy])
def test_distance_grows_with_a_disturbance(critters, disturbed):
    values = [distance(critters, disturbed(critters, amount)) for amount in (0, 5, 15, 40)]
    assert values[0] == 0
    assert values[0] < values[1] < values[2] < values[3]


def test_distance_grows_as_modes_are_dropped(critters):
    real, fake = critters[:30], critters[30:]
    values = [distance(real, fake[:kept].repeat(30 // kept, 1, 1, 1)) for kept in (30, 5, 1)]
    assert values[0] < values[1] < values[2]


def test_rows_that_cannot_be_compared_are_refused():
    rows = colour_histograms(pictures(2, 3, 8, 8))
    with pytest.raises(DataError, match="on 5 and on 1 axes cannot be compared"):
        colour_distance(rows, colour_histograms(pictures(2, 1, 8, 8)))
    for sides in ((rows[:0], rows), (rows, rows[:0])):
        with pytest.raises(DataError, match="at least one real and one generated"):
            colour_distance(*sides)
    with pytest.raises(DataError, match="type uint8"):
        colour_histograms(torch.zeros(2, 3, 8, 8))


@pytest.mark.parametrize("side", [181, 182])
def test_all_pixels_of_one_colour_are_counted_whatever_the_size(side):
    assert colour_histograms(torch.full((1, 1, side, side), 7, dtype=torch.uint8))[0, 0, 7] == side**2
