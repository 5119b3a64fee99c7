"""Every penalty against a closed form and finite differences, parametrised over the union."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from steadygan.objectives import AnyPenalty, View

MEMBERS = get_args(get_args(AnyPenalty)[0])
SIDE = {"r1": "real", "r2": "fake"}  # where each gradient is taken


def _view(discriminator) -> View:
    torch.manual_seed(0)
    real, fake = (torch.randn(5, 2, 3, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    return View(discriminator, real, fake)


@pytest.mark.parametrize("penalty", MEMBERS)
def test_zero_centred_penalty_of_a_linear_critic_is_its_squared_weight(penalty):
    weight = torch.randn(18, dtype=torch.float64)
    view = _view(lambda images: images.flatten(1) @ weight)
    torch.testing.assert_close(penalty(gamma=3)(view).double(), 1.5 * weight.square().sum())


@pytest.mark.parametrize("penalty", MEMBERS)
def test_zero_centred_penalty_agrees_with_finite_differences_on_its_own_side(penalty):
    view = _view(lambda images: (images.flatten(1).sin() ** 2).sum(1))
    images = getattr(view, SIDE[penalty().kind]).detach()
    step = 1e-5
    total = torch.zeros(len(images), dtype=torch.float64)
    for place in range(18):
        shift = torch.zeros(18, dtype=torch.float64)
        shift[place] = step
        shift = shift.reshape(2, 3, 3)
        total += ((view.discriminator(images + shift) - view.discriminator(images - shift)) / (2 * step)) ** 2
    torch.testing.assert_close(penalty(gamma=2)(view).double(), total.mean(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("penalty", MEMBERS)
def test_penalty_can_be_differentiated_by_the_weights(penalty):
    weight = torch.randn(18, dtype=torch.float64, requires_grad=True)
    view = _view(lambda images: images.flatten(1) @ weight)
    penalty(gamma=2)(view).backward()
    torch.testing.assert_close(weight.grad, 2 * weight.detach())
