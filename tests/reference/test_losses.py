"""Every loss against hand values, parametrised over the union: a new member without a reference fails."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss, softplus

from steadygan.objectives import (
    AnyLoss,
    LeastSquares,
    Minimax,
    NonSaturating,
    Relativistic,
    RelativisticAverage,
    Separable,
    View,
)
from steadygan.schedule import Linear
from tables import Table

MEMBERS = get_args(get_args(AnyLoss)[0])
CROSS_ENTROPY = (NonSaturating, Minimax)


def sp(x: float) -> float:
    return math.log(1 + math.exp(x))


# kind: (d_loss, g_loss) for real logits (0, 2) and fake logits (0, -1)
REFERENCE = Table(
    "REFERENCE in tests/reference/test_losses.py",
    {
        "non_saturating": ((sp(0) + sp(-2)) / 2 + (sp(0) + sp(-1)) / 2, (sp(0) + sp(1)) / 2),
        "minimax": ((sp(0) + sp(-2)) / 2 + (sp(0) + sp(-1)) / 2, -(sp(0) + sp(-1)) / 2),
        "least_squares": ((1 + 1) / 4 + (0 + 1) / 4, (1 + 4) / 4),
        "hinge": ((1 + 0) / 2 + (1 + 0) / 2, (0 + 1) / 2),
        "wasserstein": (-0.5 - 1, 0.5),
        # pairs (0, 0) and (2, -1): differences 0 and 3
        "relativistic": ((sp(0) + sp(-3)) / 2, (sp(0) + sp(3)) / 2),
        # mean logits 1 and -0.5
        "relativistic_average": ((sp(-0.5) + sp(-2.5) + sp(-1) + sp(-2)) / 2, (sp(1) + sp(2) + sp(0.5) + sp(2.5)) / 2),
    },
)


class Logits(View):
    """A view whose logits are given."""

    def __init__(self, real: torch.Tensor, fake: torch.Tensor, images: int = 0) -> None:
        super().__init__(lambda x: x, real, fake, images=images)


def labels(part, logits: torch.Tensor) -> torch.Tensor:
    """The labels a cross entropy gave these logits, from its gradient (sigmoid(l) - label) / N."""
    logits = logits.detach().double().requires_grad_()
    (gradient,) = torch.autograd.grad(part(Logits(logits, logits)), logits)
    return logits.detach().sigmoid() - len(logits) * gradient


@pytest.mark.parametrize("loss", MEMBERS)
def test_loss_has_its_hand_value_for_both_players(loss):
    view = Logits(torch.tensor([0.0, 2.0]), torch.tensor([0.0, -1.0]))
    d_loss, g_loss = REFERENCE[loss().kind]
    torch.testing.assert_close(loss().d_loss(view), torch.tensor(d_loss))
    torch.testing.assert_close(loss().g_loss(view), torch.tensor(g_loss))


@pytest.mark.parametrize("loss", MEMBERS)
def test_loss_pushes_reals_up_and_fakes_down_for_d_and_fakes_up_for_g(loss):
    real, fake = (torch.full((4,), 0.5, requires_grad=True) for _ in range(2))
    loss().d_loss(Logits(real, fake)).backward()
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()
    fake.grad = None
    loss().g_loss(Logits(real, fake)).backward()
    assert (fake.grad < 0).all()


@pytest.mark.parametrize("loss", MEMBERS)
def test_loss_of_bfloat16_logits_is_near_that_of_float32(loss):
    real, fake = torch.randn(64), torch.randn(64)
    half = Logits(real.bfloat16(), fake.bfloat16())
    torch.testing.assert_close(loss().d_loss(half).float(), loss().d_loss(Logits(real, fake)), rtol=0.02, atol=0.02)
    torch.testing.assert_close(loss().g_loss(half).float(), loss().g_loss(Logits(real, fake)), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("loss", MEMBERS)
def test_all_but_the_relativistic_losses_come_apart_into_reals_and_fakes(loss):
    assert isinstance(loss(), Separable) == (loss not in (Relativistic, RelativisticAverage))


@pytest.mark.parametrize(
    "loss", [loss() for loss in MEMBERS if issubclass(loss, Separable)], ids=lambda loss: loss.kind
)
def test_the_parts_of_a_separable_loss_sum_up_and_see_their_own_side_only(loss):
    real, fake = torch.randn(9), torch.randn(9)
    view = Logits(real, fake)
    assert torch.equal(loss.real_loss(view) + loss.fake_loss(view), loss.d_loss(view))
    nothing = torch.full((9,), float("nan"))
    assert loss.real_loss(Logits(real, nothing)).isfinite()
    assert loss.fake_loss(Logits(nothing, fake)).isfinite()


@pytest.mark.parametrize("loss", [loss() for loss in MEMBERS if isinstance(loss(), Separable)])
def test_generator_turn_without_need_of_reals_never_asks_for_their_logits(loss):
    def discriminator(images):
        assert images is fake, "the reals were judged for nothing"
        return images

    fake = torch.zeros(3)
    loss.g_loss(View(discriminator, torch.ones(3), fake))


@pytest.mark.parametrize("loss", CROSS_ENTROPY)
@pytest.mark.parametrize(("real_label", "fake_label"), [(1.0, 0.0), (0.9, 0.0), (0.8, 0.3)])
def test_fixed_labels_are_binary_cross_entropy_with_soft_targets(loss, real_label, fake_label):
    bce = binary_cross_entropy_with_logits
    real, fake = torch.randn(50), torch.randn(50)
    smooth = loss(real_labels=(real_label, real_label), fake_labels=(fake_label, fake_label))
    view = Logits(real, fake)
    torch.testing.assert_close(smooth.real_loss(view), bce(real, torch.full((50,), real_label)))
    torch.testing.assert_close(smooth.fake_loss(view), bce(fake, torch.full((50,), fake_label)))


def test_the_non_saturating_generator_wants_the_label_1_whatever_the_labels_of_the_discriminator():
    fake = torch.randn(50)
    noisy = NonSaturating(real_labels=(0.7, 1.2), fake_labels=(0.0, 0.3), flip=0.5)
    expected = binary_cross_entropy_with_logits(fake, torch.ones(50))
    torch.testing.assert_close(noisy.g_loss(Logits(fake, fake)), expected)


@pytest.mark.parametrize("loss", CROSS_ENTROPY)
def test_without_noisy_labels_value_and_gradient_are_the_plain_formula_bit_by_bit_and_draw_nothing(loss):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    real, fake = torch.linspace(-30, 30, 41, requires_grad=True), torch.linspace(-9, 60, 41, requires_grad=True)
    ours = loss().d_loss(Logits(real, fake))
    plain = softplus(-real).mean() + softplus(fake).mean()
    assert torch.equal(ours, plain)
    for a, b in zip(torch.autograd.grad(ours, (real, fake)), torch.autograd.grad(plain, (real, fake)), strict=True):
        assert torch.equal(a, b)
    loss().g_loss(Logits(real, fake))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("loss", CROSS_ENTROPY)
def test_drawn_labels_are_uniform_in_their_range_and_differ_from_image_to_image(loss):
    noisy = loss(real_labels=(0.7, 1.2), fake_labels=(0.0, 0.3))
    for part, (low, high) in ((noisy.real_loss, (0.7, 1.2)), (noisy.fake_loss, (0.0, 0.3))):
        drawn = labels(part, torch.randn(4000))
        assert low - 1e-6 <= drawn.min() < low + 0.01
        assert high - 0.01 < drawn.max() <= high + 1e-6
        assert drawn.mean() == pytest.approx((low + high) / 2, abs=0.01)
        assert drawn.std() == pytest.approx((high - low) / math.sqrt(12), rel=0.05)


@pytest.mark.parametrize("loss", CROSS_ENTROPY)
def test_a_share_of_the_labels_is_swapped_for_labels_of_the_other_side(loss):
    noisy = loss(real_labels=(0.7, 1.2), fake_labels=(0.0, 0.3), flip=0.2)
    real, fake = labels(noisy.real_loss, torch.randn(8000)), labels(noisy.fake_loss, torch.randn(8000))
    for own, swapped in ((real, real < 0.5), (fake, fake > 0.5)):
        assert swapped.float().mean() == pytest.approx(0.2, abs=0.02)
        assert (own[own < 0.5] <= 0.3 + 1e-6).all()
        assert (own[own > 0.5] >= 0.7 - 1e-6).all()


@pytest.mark.parametrize("flip", [0.0, 0.05, 1.0])
def test_expected_loss_of_flipped_labels_is_the_mixture_of_both_labels(flip):
    real = torch.full((200_000,), 1.5)
    expected = (1 - flip) * sp(-1.5) + flip * sp(1.5)
    assert NonSaturating(flip=flip).real_loss(Logits(real, real)).item() == pytest.approx(expected, abs=0.01)


def test_the_share_of_flipped_labels_may_follow_a_schedule():
    loss = NonSaturating(flip=Linear(start=1, end=0, images=100))
    logits = torch.tensor([2.0])
    assert loss.real_loss(Logits(logits, logits, images=0)).item() == pytest.approx(sp(2))
    assert loss.real_loss(Logits(logits, logits, images=100)).item() == pytest.approx(sp(-2))


@pytest.mark.parametrize("wrong", [{"real_labels": (1.2, 0.7)}, {"flip": 1.5}, {"flip": -0.1}, {"real_labels": (1,)}])
def test_labels_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        NonSaturating(**wrong)


@pytest.mark.parametrize("loss", [loss for loss in MEMBERS if loss not in CROSS_ENTROPY])
def test_a_loss_without_labels_has_no_setting_for_them(loss):
    with pytest.raises(ValidationError):
        loss(real_labels=(0.9, 0.9))


def test_the_minimax_generator_wants_the_negative_of_what_the_discriminator_pays_for_fakes():
    view = Logits(torch.randn(30), torch.randn(30))
    torch.testing.assert_close(Minimax().g_loss(view), -Minimax().fake_loss(view))


def test_the_minimax_gradient_vanishes_for_sure_fakes_and_the_non_saturating_one_does_not():
    fake = torch.tensor([-12.0], requires_grad=True)
    slopes = [torch.autograd.grad(loss.g_loss(Logits(fake, fake)), fake)[0] for loss in (Minimax(), NonSaturating())]
    assert -1e-4 < slopes[0] < 0
    assert slopes[1] < -0.99


@pytest.mark.parametrize("goals", [{}, {"a": -1.0, "b": 1.0, "c": 0.0}, {"a": 0.2, "b": 0.9, "c": 0.7}])
def test_least_squares_are_half_the_squared_errors_from_its_three_labels(goals):
    real, fake = torch.randn(20), torch.randn(20)
    a, b, c = (goals.get(name, default) for name, default in (("a", 0.0), ("b", 1.0), ("c", 1.0)))
    loss, view = LeastSquares(**goals), Logits(real, fake)
    expected = mse_loss(real, torch.full((20,), b)) / 2 + mse_loss(fake, torch.full((20,), a)) / 2
    torch.testing.assert_close(loss.d_loss(view), expected)
    torch.testing.assert_close(loss.g_loss(view), mse_loss(fake, torch.full((20,), c)) / 2)


def test_relativistic_average_agrees_with_a_loop_over_the_images():
    real, fake = torch.randn(7, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    real_mean, fake_mean = sum(real.tolist()) / 7, sum(fake.tolist()) / 5
    sigmoid = [[1 / (1 + math.exp(-(r - fake_mean))) for r in real.tolist()]]
    sigmoid += [[1 / (1 + math.exp(-(f - real_mean))) for f in fake.tolist()]]
    d_loss = -sum(map(math.log, sigmoid[0])) / 7 - sum(math.log(1 - p) for p in sigmoid[1]) / 5
    g_loss = -sum(math.log(1 - p) for p in sigmoid[0]) / 7 - sum(map(math.log, sigmoid[1])) / 5
    view = Logits(real, fake)
    assert RelativisticAverage().d_loss(view).item() == pytest.approx(d_loss)
    assert RelativisticAverage().g_loss(view).item() == pytest.approx(g_loss)


def test_the_means_of_relativistic_average_carry_gradients():
    real, fake = (torch.randn(5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    loss = RelativisticAverage()
    assert torch.autograd.gradcheck(lambda r, f: loss.d_loss(Logits(r, f)), (real, fake))
    lone = torch.autograd.grad(loss.d_loss(Logits(real, fake)), real)[0].sum()
    # without the gradient of the mean of the reals only the first half would be left
    assert lone < torch.autograd.grad(softplus(fake.mean().detach() - real).mean(), real)[0].sum() - 0.1
