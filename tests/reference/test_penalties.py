"""Every penalty against a closed form, parametrised over the union: a new member without a reference fails."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.functional import pad

from steadygan.objectives import (
    DRAGAN,
    L2,
    R1,
    R2,
    WGANGP,
    AnyPenalty,
    Consistency,
    HistoricalAveraging,
    LeCam,
    Penalty,
    PerturbedR1,
    PerturbedR2,
    View,
    WeightClipping,
)
from steadygan.ops.jitter import jitter
from steadygan.schedule import Cosine, Linear
from tables import Table

MEMBERS = get_args(get_args(AnyPenalty)[0])
GRADIENTS = (R1, R2, WGANGP, DRAGAN)
PERTURBED = (PerturbedR1, PerturbedR2)
SIDE = {R1: "real", R2: "fake", PerturbedR1: "real", PerturbedR2: "fake"}
NAME = {"r1": "gamma", "r2": "gamma", "perturbed_r1": "gamma", "perturbed_r2": "gamma", "consistency": "real"}
MANY = 20_000  # images, so that what is drawn at random is near its mean


class Critic(nn.Module):
    """Linear in its images, one weight vector for each label; without labels the first."""

    def __init__(self, labels: int = 1) -> None:
        super().__init__()
        weight = torch.randn(labels, 2, 3, 3)
        self.weight = nn.Parameter((weight - weight.flip(3)).flatten(1))  # a flipped image has the opposite logit

    def forward(self, images, labels=None):
        weight = self.weight[labels] if labels is not None else self.weight[0]
        return (images.flatten(1) * weight).sum(1)


def view(critic=None, count: int = MANY, labels: int = 0, differentiable: bool = True, **others) -> View:
    torch.manual_seed(0)
    real, fake = torch.randn(count, 2, 3, 3), torch.randn(count, 2, 3, 3) / 2
    critic = critic if critic is not None else Critic(max(labels, 1))
    given = (torch.randint(labels, (count,)),) if labels else ()
    player = critic if isinstance(critic, nn.Module) else nn.Identity()
    leaves = (images.requires_grad_(differentiable) for images in (real, fake))
    return View(critic, *leaves, given, player=player, **others)


def moved(penalty, seen):
    """The history of a player whose every weight has since moved by 0.1."""
    history = penalty.build(seen.player)
    with torch.no_grad():
        for parameter in seen.player.parameters():
            parameter.add_(0.1)
    return history


def warm(penalty, seen):
    """LeCam after one turn with these same logits."""
    anchors = penalty.build(seen.player)
    assert seen.real_logits.shape == seen.fake_logits.shape  # judged with gradients, as the loss does
    anchors.watch(seen)
    return anchors


def as_it_is(penalty, seen):
    return penalty


def of(seen) -> torch.Tensor:
    """The weight vector of each image."""
    return seen.player.weight[seen.given[0]] if seen.given else seen.player.weight[:1]


def logits(seen, side) -> torch.Tensor:
    return (getattr(seen, side).detach().flatten(1) * of(seen)).sum(1)


def half_squared(seen):
    return of(seen).square().sum(1).mean() / 2


def ties(seen):
    real, fake = logits(seen, "real"), logits(seen, "fake")
    return (real - fake.mean().detach()).square().mean() + (fake - real.mean().detach()).square().mean()


# kind: (settings, how to make what is called with the view, its value on a linear critic as a function of the weights)
REFERENCE = Table(
    "REFERENCE in tests/reference/test_penalties.py",
    {
        "r1": ({"gamma": 3}, as_it_is, lambda seen: 3 * half_squared(seen)),
        "r2": ({"gamma": 3}, as_it_is, lambda seen: 3 * half_squared(seen)),
        "perturbed_r1": ({"gamma": 3}, as_it_is, lambda seen: 3 * half_squared(seen)),
        "perturbed_r2": ({"gamma": 3}, as_it_is, lambda seen: 3 * half_squared(seen)),
        "wgan_gp": ({"weight": 5}, as_it_is, lambda seen: 5 * (of(seen).norm(dim=1) - 1).square().mean()),
        "dragan": ({"weight": 5}, as_it_is, lambda seen: 5 * (of(seen).norm(dim=1) - 1).square().mean()),
        "weight_clipping": ({}, as_it_is, lambda seen: 0 * half_squared(seen)),
        "l2": ({"weight": 0.5}, as_it_is, lambda seen: 0.25 * seen.player.weight.square().sum()),
        # half of the images are flipped, and their logits change sign
        "consistency": (
            {"real": 3, "fake": 5, "shift": 0},
            as_it_is,
            lambda seen: 3 * 2 * logits(seen, "real").square().mean() + 5 * 2 * logits(seen, "fake").square().mean(),
        ),
        "lecam": ({"weight": 0.5}, warm, lambda seen: 0.5 * ties(seen)),
        "historical_averaging": (
            {"weight": 0.5},
            moved,
            lambda seen: 0.5 * (seen.player.weight - seen.player.weight.detach() + 0.1).square().sum(),
        ),
    },
)
RANDOM = ("perturbed_r1", "perturbed_r2", "consistency")


@pytest.mark.parametrize("labels", [0, 3])
@pytest.mark.parametrize("member", MEMBERS)
def test_penalty_of_a_linear_critic_and_its_gradient_are_the_closed_form(member, labels):
    settings, make, expected = REFERENCE[member().kind]
    seen = view(labels=labels)
    ours = make(member(**settings), seen)(seen)
    truth = expected(seen)
    loose = {"rtol": 0.08, "atol": 0.08 * truth.item()} if member().kind in RANDOM else {"rtol": 1e-4, "atol": 1e-5}
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, truth, **loose)
    if member is not WeightClipping:
        slopes = torch.autograd.grad(ours, seen.player.weight)[0]
        wanted = torch.autograd.grad(truth, seen.player.weight)[0]
        assert (slopes - wanted).norm() < (0.15 if member().kind in RANDOM else 1e-4) * wanted.norm()


@pytest.mark.parametrize("member", [m for m in MEMBERS if m is not WeightClipping])
def test_the_strength_of_a_penalty_may_follow_a_schedule(member):
    settings, make, _ = REFERENCE[member().kind]
    name = NAME.get(member().kind, "weight")
    others = {"fake": 0} if member is Consistency else {}
    constant, falling = view(count=8, images=75), view(count=8, images=75)
    torch.manual_seed(1)
    expected = make(member(**{**settings, name: 2.5, **others}), constant)(constant)
    torch.manual_seed(1)
    scheduled = make(member(**{**settings, name: Linear(start=1, end=3, images=100), **others}), falling)(falling)
    torch.testing.assert_close(scheduled, expected)
    assert expected > 0


@pytest.mark.parametrize("member", MEMBERS)
def test_every_can_be_set_where_a_penalty_is_computed_from_images(member):
    if member in (WeightClipping, L2, HistoricalAveraging):
        with pytest.raises(ValidationError):
            member(every=4)
    else:
        assert member(every=4).every == 4


@pytest.mark.parametrize("member", MEMBERS)
def test_a_penalty_is_callable_or_builds_what_is(member):
    penalty = member()
    assert isinstance(penalty, Penalty) if callable(penalty) else callable(penalty.build(Critic()))


class Once(torch.autograd.Function):
    """Squared sum of each image, differentiable once only, as a compiled network is."""

    @staticmethod
    def forward(ctx, images, weight):
        ctx.save_for_backward(images, weight)
        return weight * images.flatten(1).square().sum(1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slopes):
        images, weight = ctx.saved_tensors
        return 2 * weight * slopes[:, None, None, None] * images, (slopes * images.flatten(1).square().sum(1)).sum()


@pytest.mark.parametrize("member", MEMBERS)
def test_only_a_penalty_that_says_so_takes_the_gradient_of_a_gradient(member):
    class Compiled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.full((1, 1), 1.5))

        def forward(self, images):
            return Once.apply(images, self.weight[0, 0])

    _, make, _ = REFERENCE[member().kind]
    seen = view(Compiled(), count=8, differentiable=member.differentiates)
    assert member.differentiates == (member in GRADIENTS)
    value = make(member(), seen)(seen)
    if not member.differentiates and member is not WeightClipping:
        value.backward()
        assert seen.player.weight.grad.isfinite()
    else:
        assert not value.requires_grad, "it should have found nothing to descend"


@pytest.mark.parametrize("member", MEMBERS)
def test_penalty_under_bfloat16_autocast_is_near_that_of_float32(member):
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Conv2d(2, 16, 3), nn.SiLU(), nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0))
    settings, make, _ = REFERENCE[member().kind]
    values = []
    for enabled in (False, True):
        seen = view(critic, count=1000)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            values.append(make(member(**settings), seen)(seen))
    assert values[1].dtype == torch.float32
    torch.testing.assert_close(values[1], values[0], rtol=0.1, atol=1e-3)


@pytest.mark.parametrize("member", [R1, R2])
def test_zero_centred_penalty_agrees_with_finite_differences_on_its_own_side(member):
    def critic(images):
        return (images.flatten(1).sin() ** 2).sum(1)

    images = getattr(view(critic, count=5), SIDE[member]).detach().double()
    step = 1e-5
    total = torch.zeros(len(images), dtype=torch.float64)
    for place in range(18):
        shift = torch.zeros(18, dtype=torch.float64)
        shift[place] = step
        shift = shift.reshape(2, 3, 3)
        total += ((critic(images + shift) - critic(images - shift)) / (2 * step)) ** 2
    torch.testing.assert_close(member(gamma=2)(view(critic, count=5)).double(), total.mean(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("member", PERTURBED)
def test_perturbed_penalty_has_the_mean_of_the_exact_one_on_a_smooth_critic(member):
    def critic(images):
        return images.flatten(1).sin().sum(1) / 4 + images.flatten(1).square().sum(1) / 2

    exact = {"real": R1, "fake": R2}[SIDE[member]](gamma=2)(view(critic))
    ours = member(gamma=2)(view(critic))
    torch.testing.assert_close(ours, exact, rtol=0.06, atol=0)
    other = {"real": R2, "fake": R1}[SIDE[member]](gamma=2)(view(critic))
    assert abs(other - ours) > 0.2 * ours, "the two sides could not be told apart"


def test_perturbed_penalty_means_the_same_for_any_small_sigma():
    values = [PerturbedR1(sigma=sigma)(view()) for sigma in (0.01, 0.02, 0.04)]
    torch.testing.assert_close(values[0], values[1], rtol=1e-3, atol=0)
    torch.testing.assert_close(values[2], values[1], rtol=1e-3, atol=0)


@pytest.mark.parametrize(("one_sided", "expected"), [(False, 3**2 / 3 - 3 + 1), (True, (3 - 1) ** 3 / (3 * 3))])
def test_wgan_gp_takes_uniform_points_between_a_real_and_its_fake(one_sided, expected):
    # D(x) = |x|^2 / 2 has the gradient x; on the line from 0 to a real of length 3 it has length 3u, u uniform
    seen = view(lambda images: images.flatten(1).square().sum(1) / 2)
    with torch.no_grad():
        seen.fake.zero_()
        seen.real.mul_(3 / seen.real.flatten(1).norm(dim=1)[:, None, None, None])
    value = WGANGP(weight=2, one_sided=one_sided)(seen)
    torch.testing.assert_close(value, torch.tensor(2 * expected), rtol=0.05, atol=0)


def test_dragan_takes_points_at_and_just_above_the_reals():
    shown = []

    def critic(images):
        shown.append(images)
        return images.flatten(1).sum(1)

    seen = view(critic)
    with torch.no_grad():
        seen.real.mul_(3)
    DRAGAN(spread=0.5)(seen)
    (points,) = shown
    noise = ((points - seen.real) / seen.real.std()).detach()
    assert noise.min() >= -1e-6
    assert 0.45 < noise.max() <= 0.5 + 1e-6
    assert noise.mean() == pytest.approx(0.5 / 4, rel=0.05)
    # one share for each image: means of whole images spread more than 18 independent draws would
    assert noise.flatten(1).mean(1).std() > 0.06


@pytest.mark.parametrize("member", [WGANGP, DRAGAN])
def test_penalty_with_target_1_is_quiet_where_the_critic_is_dead(member):
    seen = view(count=6)
    with torch.no_grad():
        seen.player.weight.zero_()
    value = member(weight=2)(seen)
    value.backward()
    assert value == 2
    assert seen.player.weight.grad.isfinite().all()


def test_one_sided_wgan_gp_leaves_a_flat_critic_alone():
    seen = view(count=6)
    with torch.no_grad():
        seen.player.weight.div_(2 * seen.player.weight.norm())
    assert WGANGP(one_sided=True)(seen) == 0
    torch.testing.assert_close(WGANGP()(seen), torch.tensor(10 * 0.25))


@pytest.mark.parametrize("limit", [0.5, Cosine(start=0.7, end=0.3, images=100)])
def test_weight_clipping_cuts_every_parameter_of_the_player_after_the_turn(limit):
    network = nn.Linear(2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[3.0, -0.2]]))
        network.bias.fill_(-4.0)
    seen = View(network, torch.zeros(1, 2), torch.zeros(1, 2), player=network, images=50)
    clipping = WeightClipping(limit=limit)
    assert clipping(seen) == 0
    assert network.weight[0, 0] == 3
    clipping.watch(seen)
    torch.testing.assert_close(network.weight.detach(), torch.tensor([[0.5, -0.2]]))
    torch.testing.assert_close(network.bias.detach(), torch.tensor([-0.5]))


def test_consistency_of_a_critic_that_does_not_mind_moves_is_0():
    invariant = Consistency(shift=0)(view(lambda images: images.flatten(1).sum(1), count=20))
    torch.testing.assert_close(invariant, torch.tensor(0.0), rtol=0, atol=1e-9)
    assert Consistency(shift=0, mirror=False)(view(count=20)) == 0
    assert Consistency(shift=1, mirror=False)(view(count=20)) > 0


def test_lecam_ties_each_side_to_the_other_sides_past_over_three_turns():
    decay, turns = 0.9, [([1.0, 3.0], [-1.0, -2.0]), ([2.0, 5.0], [0.0, -4.0]), ([0.0, 1.0], [1.0, -1.0])]
    anchors = LeCam(weight=2.0, decay=decay).build(nn.Identity())
    past: list[tuple[float, float]] = []
    for real, fake in turns:
        seen = View(lambda images: images, torch.tensor(real), torch.tensor(fake))
        expected = 0.0
        if past:
            shares = [(1 - decay) * decay ** (len(past) - 1 - age) for age in range(len(past))]
            past_real, past_fake = (
                sum(s * p[i] for s, p in zip(shares, past, strict=True)) / sum(shares) for i in (0, 1)
            )
            expected = sum((r - past_fake) ** 2 for r in real) / 2 + sum((f - past_real) ** 2 for f in fake) / 2
        torch.testing.assert_close(anchors(seen), torch.tensor(2 * expected), rtol=1e-5, atol=0)
        anchors.watch(seen)
        past.append((sum(real) / 2, sum(fake) / 2))


def test_lecam_pulls_sure_logits_back_towards_the_other_side():
    real, fake = torch.tensor([4.0], requires_grad=True), torch.tensor([-4.0], requires_grad=True)
    seen = View(lambda images: images, real, fake)
    warm(LeCam(), seen)(seen).backward()
    assert real.grad > 0
    assert fake.grad < 0


def test_lecam_survives_its_state_dict():
    seen = view(count=8)
    first, second = warm(LeCam(), seen), LeCam().build(seen.player)
    assert second(seen) == 0
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(second(seen), first(seen))
    assert first(seen) > 0
    assert set(first.state_dict()) == {"real", "fake", "seen"}


@pytest.mark.parametrize("mirror", [False, True])
def test_jitter_gives_every_move_and_nothing_else(mirror):
    image = torch.arange(2 * 4 * 5, dtype=torch.float32).reshape(1, 2, 4, 5)
    wide = pad(image, (1, 1, 1, 1), mode="replicate")[0]
    moves = [wide[:, y : y + 4, x : x + 5] for y in range(3) for x in range(3)]
    moves += [move.flip(2) for move in moves] if mirror else []
    out = jitter(image.expand(2000, -1, -1, -1), shift=1, mirror=mirror)
    same = torch.stack([(out == move).flatten(1).all(1) for move in moves])
    assert (same.sum(0) == 1).all()
    torch.testing.assert_close(same.float().mean(1), torch.full((len(moves),), 1 / len(moves)), rtol=0.5, atol=0)


def test_jitter_without_a_move_is_the_identity_and_lets_gradients_through():
    images = torch.randn(3, 2, 4, 5, requires_grad=True)
    assert torch.equal(jitter(images, shift=0, mirror=False), images)
    assert jitter(torch.randn(2, 2, 1, 1), shift=4).shape == (2, 2, 1, 1)
    jitter(images, shift=0).sum().backward()
    torch.testing.assert_close(images.grad, torch.ones_like(images))
