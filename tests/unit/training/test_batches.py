"""Whether reals and fakes go through the discriminator together, in its own turn and in the generator's."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from steadygan.networks import Pair
from steadygan.objectives import Relativistic
from steadygan.recipes import choose_recipe
from steadygan.spec import ImageSpec
from steadygan.training.build import make_game
from steadygan.training.config import Optimizers, RunConfig
from steadygan.training.game import Game
from steadygan.training.opponent import Unrolled
from steadygan.training.optim import Adam

SPEC = ImageSpec(size=1, channels=2)


class Dense(nn.Sequential):
    """Dense layers with leaky ReLU, behind batch norms if wished; answers as a generator or a discriminator does."""

    def __init__(self, *widths: int, norm: bool = False, judges: bool = False) -> None:
        layers: list[nn.Module] = []
        for inside, outside in pairwise(widths[:-1]):
            normed = [nn.BatchNorm1d(outside)] if norm else []
            layers += [nn.Linear(inside, outside), *normed, nn.LeakyReLU(0.2)]
        super().__init__(nn.Flatten(), *layers, nn.Linear(*widths[-2:]))
        self.answer = (-1,) if judges else (-1, widths[-1], 1, 1)
        self.batches: list[int] = []

    def forward(self, given: Tensor, with_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        self.batches.append(len(given))
        answer = super().forward(given).view(self.answer)
        return (answer, given) if with_features else answer


def built(batches: str, **settings: Any) -> Game:
    """A game of points around (2, 2), whose discriminator has batch norm."""
    torch.manual_seed(0)
    pair = Pair(Dense(4, 32, 2), Dense(2, 32, 32, 1, norm=True, judges=True))
    adam = Adam(lr=2e-3)
    optimizers = Optimizers(generator=adam, discriminator=adam)
    return make_game(RunConfig(batches=batches, optimizer=optimizers, **settings), pair, SPEC)


def step(game: Game) -> None:
    game.step(lambda: (2 + 0.3 * torch.randn(32, 2, 1, 1),), lambda: torch.randn(32, 4))


@pytest.mark.parametrize(
    ("batches", "discriminator", "generator"),
    [("separate", [32, 32], [32]), ("joint", [64], [32]), ("joint_both", [64], [64])],
)
def test_each_turn_judges_batches_of_the_size_asked_for(batches, discriminator, generator):
    game = built(batches)
    step(game)
    assert game.discriminator.batches == discriminator + generator


@pytest.mark.parametrize(("batches", "generator"), [("separate", [32, 32]), ("joint", [32, 32]), ("joint_both", [64])])
def test_a_generator_that_is_judged_beside_reals_sees_them_apart_too_where_its_fakes_go_alone(batches, generator):
    game = built(batches, loss=Relativistic())
    step(game)
    assert sorted(game.discriminator.batches[-len(generator) :]) == generator


def test_an_unrolled_opponent_answers_in_the_batches_of_the_discriminators_turn():
    game = built("joint", opponent=Unrolled(steps=3))
    step(game)
    assert game.discriminator.batches == [64] + [64] * 3 + [32]


def played(batches: str) -> tuple[float, float, float]:
    """Mean losses of D and G over the last of 300 steps, and how far the middle of the fakes is from the reals'."""
    game, losses = built(batches), []
    for _ in range(300):
        step(game)
        losses.append(torch.stack([game.report["loss_d"], game.report["loss_g"]]))
    d, g = torch.stack(losses[-50:]).mean(0).tolist()
    return d, g, float((game.fakes(torch.randn(500, 4)).mean((0, 2, 3)) - 2).abs().max().detach())


def test_fakes_alone_against_a_joint_batch_let_both_players_win_while_nothing_is_learnt():
    # a generator that lost to a discriminator this sure would pay 4 or more; this one pays what a coin would cost
    d, g, away = played("joint")
    assert d < 0.1
    assert g < 1
    assert away > 1


def test_one_batch_in_both_turns_is_the_same_game_for_both():
    d, g, away = played("joint_both")
    assert d > 1
    assert g < 1
    assert away < 0.3


def test_the_upsample_recipe_joins_the_batches_of_d_and_judges_fakes_alone_in_the_turn_of_g():
    assert choose_recipe("upsample").batches == "joint"
