"""What the doctor says of a kind of loss, held against the formulas: a new loss without facts fails."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from steadygan.doctor.losses import LOSSES, UNKNOWN, facts_of
from steadygan.objectives import AnyLoss, LeastSquares, View
from unit.doctor.cases import GAMES, case

KINDS = {member.model_fields["kind"].default: member for member in get_args(get_args(AnyLoss)[0])}


def played(loss, real: float, fake: float) -> View:
    """A view whose discriminator gives these logits, one for reals and one for fakes."""
    view = View(lambda images: images.flatten(1).sum(1), *(torch.full((8, 1, 1, 1), at) for at in (real, fake)))
    view.fake.requires_grad_()
    return view


def test_every_loss_has_its_facts_and_a_healthy_game_to_test_rules_on():
    assert set(LOSSES) == set(KINDS)
    assert set(GAMES) == {*KINDS, ""}


@pytest.mark.parametrize("kind", KINDS)
def test_facts_are_those_of_the_formula(kind):
    loss, facts = KINDS[kind](), LOSSES[kind]
    blind, sure = played(loss, loss.boundary, loss.boundary), played(loss, 40.0, -40.0)
    (slope,) = torch.autograd.grad(loss.g_loss(sure), sure.fake)

    assert facts.absolute is loss.absolute
    assert facts.saturates is bool(slope.abs().max() < 1e-6)
    if facts.bounded:
        assert loss.d_loss(blind).item() == pytest.approx(facts.blind_d)
        assert loss.g_loss(blind).item() == pytest.approx(facts.blind_g, abs=1e-6)
    assert facts.bounded is bool(loss.d_loss(sure) > -1)
    assert facts.normal


def test_least_squares_go_by_their_own_labels():
    loss = LeastSquares(a=-1, b=1, c=0)
    facts = facts_of(case(loss="least_squares", config={"loss": loss.model_dump()}))
    view = played(loss, 0.0, 0.0)

    assert facts.blind_d == loss.d_loss(view).item()
    assert facts.blind_g == loss.g_loss(view).item()
    assert facts.unit == 2


def test_of_an_unknown_loss_nothing_is_taken_for_granted():
    assert facts_of(case(loss="")) is UNKNOWN
    assert math.isnan(UNKNOWN.blind_d)
    assert not UNKNOWN.bounded
