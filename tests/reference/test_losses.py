"""Every loss against hand values, parametrised over the union: a new member without a reference fails."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from steadygan.objectives import AnyLoss, FeatureMatching, Hinge, NonSaturating, View
from steadygan.objectives.terms import AnyGeneratorTerm

LN2 = math.log(2)
MEMBERS = get_args(get_args(AnyLoss)[0])
# kind: (d_loss, g_loss) for real logits (0, 2) and fake logits (0, -1)
REFERENCE = {
    "non_saturating": (
        (LN2 + math.log(1 + math.exp(-2))) / 2 + (LN2 + math.log(1 + math.exp(-1))) / 2,
        (LN2 + math.log(1 + math.e)) / 2,
    ),
    # pairs (0, 0) and (2, -1): differences 0 and 3
    "relativistic": ((LN2 + math.log(1 + math.exp(-3))) / 2, (LN2 + math.log(1 + math.exp(3))) / 2),
    "hinge": ((1 + 0) / 2 + (1 + 0) / 2, (0 + 1) / 2),
}


class Logits(View):
    """A view whose logits are given."""

    def __init__(self, real: torch.Tensor, fake: torch.Tensor) -> None:
        super().__init__(lambda x: x, real, fake)


@pytest.mark.parametrize("loss", MEMBERS)
def test_loss_has_its_hand_value_for_both_players(loss):
    view = Logits(torch.tensor([0.0, 2.0]), torch.tensor([0.0, -1.0]))
    d_loss, g_loss = REFERENCE[loss().kind]
    torch.testing.assert_close(loss().d_loss(view), torch.tensor(d_loss))
    torch.testing.assert_close(loss().g_loss(view), torch.tensor(g_loss))


@pytest.mark.parametrize("loss", MEMBERS)
def test_loss_pushes_reals_up_and_fakes_down_for_d_and_fakes_up_for_g(loss):
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    loss().d_loss(Logits(real, fake)).backward()
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()
    fake.grad = None
    loss().g_loss(Logits(real, fake)).backward()
    assert (fake.grad < 0).all()


def test_non_saturating_equals_binary_cross_entropy():
    torch.manual_seed(0)
    real, fake = torch.randn(50), torch.randn(50)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    view = Logits(real, fake)
    expected = bce(real, torch.ones(50)) + bce(fake, torch.zeros(50))
    torch.testing.assert_close(NonSaturating().d_loss(view), expected)
    torch.testing.assert_close(NonSaturating().g_loss(view), bce(fake, torch.ones(50)))


@pytest.mark.parametrize("loss", [NonSaturating(), Hinge()], ids=lambda loss: loss.kind)
def test_generator_turn_without_need_of_reals_never_asks_for_their_logits(loss):
    def discriminator(images):
        assert images is fake, "the reals were judged for nothing"
        return images

    fake = torch.zeros(3)
    loss.g_loss(View(discriminator, torch.ones(3), fake))


def test_every_generator_term_has_a_reference():
    assert AnyGeneratorTerm is FeatureMatching


def test_feature_matching_is_the_squared_distance_of_mean_features():
    def discriminator(images, with_features):
        assert with_features
        return images.sum(1), 2 * images

    real, fake = torch.tensor([[0.0, 0.0], [2.0, 4.0]]), torch.tensor([[3.0, 1.0], [1.0, 1.0]])
    # mean features: reals (2, 4), fakes (4, 2); squared distance 4 + 4
    view = View(discriminator, real, fake)
    torch.testing.assert_close(FeatureMatching(weight=0.5)(view), torch.tensor(4.0))
