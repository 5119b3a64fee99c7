from __future__ import annotations

import math

import pytest
import torch
from torch import distributed

from steadygan.augment import ADA
from steadygan.objectives import View
from steadygan.spec import ImageSpec

SPEC = ImageSpec(size=16, channels=3)
SURE, UNSURE = torch.full((32,), 2.0), torch.full((32,), -2.0)
IMAGES = torch.rand(6000, 1, 16, 16, generator=torch.Generator().manual_seed(0))
IDENTITY = torch.eye(3)


def pipeline(probability: float = 1.0, **kinds: bool):
    return ADA(probability=probability, **kinds).build(SPEC)


def turn(logits: torch.Tensor, images: int = 0) -> View:
    return View(lambda images: logits, torch.zeros(len(logits), 1), torch.zeros(1, 1), images=images)


def controller(**settings: float):
    return ADA(**settings).build(SPEC)


def share(matrices: torch.Tensor) -> float:
    """The share of matrices that change something."""
    neutral = torch.eye(matrices.shape[-1])
    return float((matrices != neutral).flatten(1).any(1).float().mean())


# ---- the controller


def test_it_starts_with_images_as_they_are():
    show = controller()
    assert show.amount == 0
    assert torch.equal(show(IMAGES[:9]), IMAGES[:9])


@pytest.mark.parametrize(("every", "batch"), [(1, 32), (4, 32), (3, 8)])
def test_from_0_to_1_takes_exactly_the_images_of_its_speed(every, batch):
    show = controller(every=every, speed_images=9600)
    seen = 0
    while show.amount < 1 - 1e-5:
        show.watch(turn(SURE[:batch]))
        seen += batch
    assert seen == 9600


def test_it_falls_as_fast_as_it_rises_and_follows_each_change_of_mind():
    show = controller(every=1, speed_images=3200)
    for _ in range(50):
        show.watch(turn(SURE))
    assert show.amount == pytest.approx(0.5, abs=1e-5)
    for _ in range(20):
        show.watch(turn(UNSURE))
    assert show.amount == pytest.approx(0.3, abs=1e-5)


@pytest.mark.parametrize(("positive", "direction"), [(25, -1), (26, 1)])
def test_it_turns_at_the_target_which_is_reached_by_four_fifths_of_positive_logits(positive, direction):
    show = controller(every=1, speed_images=320)
    show.amount.fill_(0.5)
    logits = torch.cat([torch.full((positive,), 0.01), torch.full((32 - positive,), -100.0)])
    show.watch(turn(logits))
    assert show.amount == pytest.approx(0.5 + 0.1 * direction)


def test_it_judges_the_mean_of_all_its_turns():
    below, above = controller(every=4, speed_images=1280, target=0.4), controller(every=4, speed_images=1280)
    above.amount.fill_(0.5)
    for index, logits in enumerate((UNSURE, SURE, SURE, SURE)):  # mean sign 0.5
        below.watch(turn(logits))
        above.watch(turn(logits))
        assert below.amount == pytest.approx(0.1 * (index == 3))
        assert above.amount == pytest.approx(0.5 - 0.1 * (index == 3))


def test_it_never_leaves_0_to_1_over_thousands_of_turns():
    show = controller(every=1, speed_images=2000)
    for logits in (SURE, UNSURE):
        for _ in range(2000):
            show.watch(turn(logits))
            assert 0 <= show.amount <= 1
        assert show.amount == (logits[0] > 0)
    for _ in range(2000):
        show.watch(turn(torch.randn(32) * 1e4 + torch.randn(()) * 1e4))
        assert 0 <= show.amount <= 1


def test_logits_that_are_no_numbers_do_not_last():
    show = controller(every=1, speed_images=320)
    show.watch(turn(torch.full((32,), math.nan)))
    show.watch(turn(SURE))
    assert show.amount == pytest.approx(0.1)


def test_a_restart_between_two_adjustments_changes_nothing():
    logits = [torch.randn(32) + 1 for _ in range(40)]
    whole = controller(every=4, speed_images=1280)
    for part in logits:
        whole.watch(turn(part))
    first = controller(every=4, speed_images=1280)
    for part in logits[:18]:
        first.watch(turn(part))
    second = controller(every=4, speed_images=1280)
    second.load_state_dict(first.state_dict())
    for part in logits[18:]:
        second.watch(turn(part))
    assert whole.amount > 0
    assert torch.equal(second.amount, whole.amount)
    assert torch.equal(second.sureness, whole.sureness)


def test_several_processes_judge_together_and_count_all_their_images(monkeypatch):
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    other = torch.tensor(1.0)  # the sum of both processes is what all_reduce leaves
    monkeypatch.setattr(distributed, "all_reduce", lambda own: own.add_(other))
    show = controller(every=1, speed_images=640)
    show.watch(turn(SURE))
    assert show.amount == pytest.approx(0.1)
    show.watch(turn(UNSURE))  # mean 0
    assert show.amount == pytest.approx(0)


# ---- the pipeline


@pytest.mark.parametrize("p", [0.4, 1.0])
def test_blits_are_half_mirrored_a_quarter_each_way_and_shifted_by_whole_pixels(p):
    mirror, quarter, moved = pipeline(p)._blits(IMAGES)
    assert share(mirror) == pytest.approx(p / 2, abs=0.025)
    turns = torch.atan2(quarter[:, 1, 0], quarter[:, 0, 0]).div(math.pi / 2).round() % 4
    shares = [float((turns == k).float().mean()) for k in range(4)]
    assert shares == pytest.approx([1 - 0.75 * p, p / 4, p / 4, p / 4], abs=0.025)
    pixels = moved[:, :2, 2] * 15 / 2
    torch.testing.assert_close(pixels, pixels.round(), atol=1e-5, rtol=0)
    assert sorted(set(pixels.round().int().flatten().tolist())) == [-2, -1, 0, 1, 2]


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_geometry_has_the_spreads_of_the_paper(p):
    scale, turn_1, stretch, turn_2, moved = pipeline(p)._moves(IMAGES)
    scaled = scale[:, 0, 0].log2()
    torch.testing.assert_close(scale[:, 0, 0], scale[:, 1, 1])
    assert scaled.square().mean() == pytest.approx(p * 0.2**2, rel=0.1)
    assert share(scale) == pytest.approx(p, abs=0.025)
    torch.testing.assert_close(stretch[:, 0, 0] * stretch[:, 1, 1], torch.ones(len(IMAGES)))
    assert stretch[:, 0, 0].log2().square().mean() == pytest.approx(p * 0.2**2, rel=0.1)
    either = (turn_1 != IDENTITY).flatten(1).any(1) | (turn_2 != IDENTITY).flatten(1).any(1)
    assert either.float().mean() == pytest.approx(p, abs=0.025)
    assert (moved[:, :2, 2] * 15 / 32).square().mean() == pytest.approx(p * 0.125**2, rel=0.1)
    assert share(moved) == pytest.approx(p, abs=0.025)


def test_turns_go_all_the_way_round():
    angle = torch.atan2(*pipeline(1.0)._moves(IMAGES)[1][:, :2, 0].flip(1).unbind(1))
    assert angle.square().mean() == pytest.approx(math.pi**2 / 3, rel=0.05)
    assert angle.mean() == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_colours_have_the_spreads_of_the_paper(p):
    purer, turned, flipped, starker, lighter = pipeline(p)._colours(IMAGES)
    assert lighter[:, 0, 3].square().mean() == pytest.approx(p * 0.2**2, rel=0.1)
    assert starker[:, 0, 0].log2().square().mean() == pytest.approx(p * 0.5**2, rel=0.1)
    assert share(flipped) == pytest.approx(p / 2, abs=0.025)
    cosine = (turned[:, :3, :3].diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    assert cosine.mean() == pytest.approx(1 - p, abs=0.05)
    factor = (purer[:, 0, 0] - purer[:, 0, 1]).log2()
    assert factor.square().mean() == pytest.approx(p * 1.0**2, rel=0.1)
    for matrix in (purer, turned, starker, lighter):
        assert share(matrix) == pytest.approx(p, abs=0.025)


@pytest.mark.parametrize("kinds", [{"geometry": False, "colour": False}, {"blitting": False, "colour": False}])
def test_moves_change_where_pixels_are_but_no_constant_colour(kinds):
    images = torch.rand(200, 3, 1, 1).expand(-1, -1, 16, 16).contiguous()
    torch.testing.assert_close(pipeline(**kinds)(images), images, atol=1e-5, rtol=0)


def test_colours_are_changed_alike_all_over_an_image():
    images = torch.rand(200, 3, 1, 1).expand(-1, -1, 16, 16).contiguous()
    shown = pipeline(blitting=False, geometry=False)(images)
    torch.testing.assert_close(shown, shown[..., :1, :1].expand_as(shown))
    assert not torch.allclose(shown, images)


def test_blits_alone_keep_every_pixel_that_stays_in_the_image():
    images = torch.arange(256.0).view(1, 1, 16, 16).expand(500, -1, -1, -1)
    shown = pipeline(geometry=False, colour=False)(images)
    assert torch.equal(shown, shown.round())
    kept = shown.flatten(1).sort(1).values.diff().ne(0).sum(1) + 1
    assert (kept >= 14 * 14).all()


def test_unchanged_images_are_the_product_of_the_shares_left_out():
    images = IMAGES[:, :, :4, :4]
    shown = pipeline(0.3, blitting=False, colour=False)(images)
    same = (shown == images).flatten(1).all(1).float().mean()
    assert same == pytest.approx(0.7**4, abs=0.025)


def test_a_hole_is_half_as_wide_as_the_image_and_as_rare_as_the_rest():
    show = pipeline(0.4, blitting=False, geometry=False, colour=False, cutout=True)
    hidden = show(torch.ones(4000, 1, 16, 16)) == 0
    assert hidden.flatten(1).any(1).float().mean() == pytest.approx(0.4, abs=0.03)
    assert hidden.float().mean() == pytest.approx(0.4 * (7 / 16) ** 2, abs=0.01)
    assert hidden[:, 0].any(1).sum(1).max() == 8
