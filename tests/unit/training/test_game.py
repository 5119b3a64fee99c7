"""The game alone: users' own networks, no configuration, no files."""

from __future__ import annotations

import copy
import math
from typing import get_args

import pytest
import torch
from torch import nn

from steadygan.augment import AnyShow, DiffAugment
from steadygan.errors import ConfigError
from steadygan.objectives import R1, R2, AnyGeneratorTerm, AnyPenalty, Hinge, NonSaturating, Relativistic, View
from steadygan.objectives.losses import AnyLoss
from steadygan.spec import ImageSpec
from steadygan.training.game import Game, bare
from steadygan.training.opponent import Itself
from steadygan.training.optim import SGD, SOAP, Adam, RMSProp
from steadygan.training.replay import Fresh
from steadygan.training.state import pack
from steadygan.training.turns import Fixed

SPEC = ImageSpec(size=2, channels=3)


class TinyD(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.SiLU())
        self.head = nn.Linear(8, 1)

    def forward(self, images, with_features=False):
        features = self.features(images)
        logits = self.head(features).flatten()
        return (logits, features) if with_features else logits


def tiny(**rules) -> Game:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Unflatten(1, (3, 2, 2)))
    return Game(generator, TinyD(), **rules)


def values(network: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in network.parameters()]


def same(before: list[torch.Tensor], network: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(before, values(network), strict=True))


def members(union):
    return [member() for member in get_args(get_args(union)[0])]


RULES = [
    *({"loss": loss, "penalties": [R1(gamma=1, every=2), R2(gamma=1)]} for loss in members(AnyLoss)),
    *({"penalties": [penalty], "loss": loss} for penalty in members(AnyPenalty) for loss in (Hinge(), Relativistic())),
    *({"generator_terms": [term]} for term in members(AnyGeneratorTerm)),
    *({"show": show.build(SPEC)} for show in members(AnyShow)),
]


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "-".join(map(str, rules.values()))[:60])
def test_each_turn_moves_its_own_player_only_and_stays_finite(rules):
    game = tiny(**rules)
    for _ in range(3):
        real, fake = torch.randn(6, 3, 2, 2), game.fakes(torch.randn(6, 4))
        g, d = values(game.generator), values(game.discriminator)
        game.d_step(real, fake)
        assert same(g, game.generator)
        assert not same(d, game.discriminator)
        d = values(game.discriminator)
        game.g_step(real, fake)
        assert same(d, game.discriminator)
        assert not same(g, game.generator)
    assert all(torch.isfinite(value) for value in game.report.values())
    assert game.healthy == 1


def test_a_round_equals_the_algorithm_written_out_by_hand():
    game = tiny(generator_optimizer=Adam(lr=1e-2), discriminator_optimizer=Adam(lr=1e-2))
    generator, discriminator = copy.deepcopy(game.generator), copy.deepcopy(game.discriminator)
    real, latent = torch.randn(6, 3, 2, 2), torch.randn(6, 4)
    game.step(lambda: (real,), lambda: latent)

    bce = nn.functional.binary_cross_entropy_with_logits
    adam_d = torch.optim.Adam(discriminator.parameters(), 1e-2, (0.5, 0.999))
    adam_g = torch.optim.Adam(generator.parameters(), 1e-2, (0.5, 0.999))
    fake = generator(latent)
    (bce(discriminator(real), torch.ones(6)) + bce(discriminator(fake.detach()), torch.zeros(6))).backward()
    adam_d.step()
    bce(discriminator(fake), torch.ones(6)).backward()
    adam_g.step()
    for ours, by_hand in ((game.generator, generator), (game.discriminator, discriminator)):
        for a, b in zip(ours.parameters(), by_hand.parameters(), strict=True):
            torch.testing.assert_close(a, b)


def test_reported_losses_are_those_before_the_update():
    game = tiny()
    nn.init.zeros_(game.discriminator.head.weight)
    nn.init.zeros_(game.discriminator.head.bias)
    game.d_step(torch.randn(6, 3, 2, 2), game.fakes(torch.randn(6, 4)))
    assert game.report["loss_d"].item() == pytest.approx(2 * math.log(2))
    assert game.report["d_real"] == 0


def test_lazy_penalty_is_taken_every_nth_turn_and_counts_n_times():
    seen = []
    plain, lazy = tiny(penalties=[R1(gamma=2)]), tiny(penalties=[R1(gamma=2, every=3)])
    for game in (plain, lazy):
        torch.manual_seed(1)
        game.d_step(torch.randn(6, 3, 2, 2), game.fakes(torch.randn(6, 4)))
        seen.append(game.report["penalty"])
    torch.testing.assert_close(seen[1], 3 * seen[0])
    for expected in (True, True, False):
        lazy.d_step(torch.randn(6, 3, 2, 2), lazy.fakes(torch.randn(6, 4)))
        assert (lazy.report["penalty"] == 0) == expected


@pytest.mark.parametrize(("d", "g"), [(1, 1), (5, 1), (1, 2), (3, 2)])
def test_a_step_has_the_turns_asked_for_each_with_its_own_batches(d, g):
    game = tiny(turns=Fixed(discriminator=d, generator=g))
    reals, latents = [], []

    def next_real():
        reals.append(torch.randn(6, 3, 2, 2))
        return (reals[-1],)

    def next_latent():
        latents.append(torch.randn(6, 4))
        return latents[-1]

    assert game.step(next_real, next_latent) == 6 * d
    assert len(reals) == d
    # the generator's first turn plays on with the last fakes of the discriminator's turns
    assert len(latents) == d + g - 1
    assert (game.optimizers["discriminator"].turns, game.optimizers["generator"].turns) == (d, g)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("optimizer", [Adam(), SOAP(beta1=0.5), SGD(momentum=0.5), RMSProp()], ids=lambda one: one.kind)
def test_a_value_that_is_not_finite_moves_no_weight_then_or_later(player, value, optimizer):
    class Poisoned(NonSaturating):
        def d_loss(self, view):
            loss = super().d_loss(view)
            return loss * value if player == "discriminator" and poison else loss

        def g_loss(self, view):
            loss = super().g_loss(view)
            return loss * value if player == "generator" and poison else loss

    poison = False
    game = tiny(loss=Poisoned(), generator_optimizer=optimizer, discriminator_optimizer=optimizer)

    def play():
        game.step(lambda: (torch.randn(6, 3, 2, 2),), lambda: torch.randn(6, 4))

    play()
    before = values(getattr(game, player)), copy.deepcopy(game.state_dict())
    poison = True
    play()
    poison = False
    play()
    assert game.healthy == 0
    assert same(before[0], getattr(game, player))
    old, new = (pack(state["descents"][player]["optimizer"]["state"])[1] for state in (before[1], game.state_dict()))
    assert optimizer.kind in ("rmsprop", "soap") or all(torch.equal(old[name], new[name]) for name in old)
    assert game.optimizers["generator"].turns == 1
    assert game.optimizers[player].broke == 1


def test_an_optimizer_without_a_fused_kernel_is_guarded_too():
    class Plain:
        lr = 0.1

        def build(self, parameters):
            return torch.optim.SGD(parameters, lr=self.lr)

    game = tiny(loss=Hinge(), generator_optimizer=Plain(), discriminator_optimizer=Plain())
    before = values(game.discriminator)
    game.d_step(torch.full((6, 3, 2, 2), float("nan")), game.fakes(torch.randn(6, 4)))
    assert same(before, game.discriminator)
    assert game.healthy == 0


def test_a_game_restored_from_its_state_plays_on_bit_by_bit():
    def play(game, start, steps):
        for step in range(start, start + steps):
            torch.manual_seed(step)
            game.step(lambda: (torch.randn(6, 3, 2, 2),), lambda: torch.randn(6, 4))

    rules = {"penalties": [R1(gamma=1, every=4)]}
    whole, first, second = tiny(**rules), tiny(**rules), tiny(**rules)
    play(whole, 0, 7)
    play(first, 0, 3)
    second.generator.load_state_dict(first.generator.state_dict())
    second.discriminator.load_state_dict(first.discriminator.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    play(second, 3, 4)
    assert same(values(whole.generator), second.generator)
    assert same(values(whole.discriminator), second.discriminator)


def test_off_values_are_identities():
    assert isinstance(Fresh().build(SPEC), nn.Identity)
    view = View(nn.Linear(1, 1), torch.zeros(1), torch.zeros(1))
    with Itself().against(NonSaturating(), view) as ahead:
        assert ahead is view
    assert Fixed().moves(0, {}, dict) == ("discriminator", "generator")


def test_bare_leaves_a_users_attribute_called_module_alone():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = nn.Linear(2, 1)

    own = Own()
    assert bare(own) is own


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile imports its own deprecated parts
def test_bare_strips_the_compiler():
    network = nn.Linear(2, 2)
    assert bare(torch.compile(network)) is network
    assert bare(network) is network


def test_rules_that_lack_a_method_are_all_named_before_the_first_turn():
    class Critic:
        def d_loss(self, view): ...
        def gloss(self, view): ...

    rules = {"loss": Critic(), "penalties": [R1(), Critic()], "show": DiffAugment(), "turns": Fixed, "opponent": None}
    with pytest.raises(ConfigError) as error:
        tiny(**rules)
    assert str(error.value).splitlines() == [
        "loss: Critic lacks `g_loss`; did you mean its `gloss`?",
        "penalties[1]: Critic lacks `build`",
        "show: DiffAugment lacks `__call__`",
        "opponent: NoneType lacks `against`",
        "turns: Fixed is a class; give an object of it, as in Fixed()",
    ]
    with pytest.raises(ConfigError, match=r"penalties: give a list, as in penalties=\[R1\(\.\.\.\)\]"):
        tiny(penalties=R1())


@pytest.mark.parametrize("loss", members(AnyLoss), ids=lambda loss: loss.kind)
def test_what_is_judged_rightly_goes_by_the_boundary_or_by_the_middle_where_logits_are_only_compared(loss):
    game = tiny(loss=loss)
    torch.nn.init.constant_(game.discriminator.head.bias, 3.0)  # all logits drifted
    real, fake = torch.rand(32, 3, 2, 2), game.fakes(torch.randn(32, 4))
    with torch.no_grad():
        of_reals, of_fakes = game.discriminator(real), game.discriminator(fake)
    middle = (of_reals.mean() + of_fakes.mean()) / 2
    boundary = loss.boundary if loss.absolute else middle
    assert not loss.absolute or (of_fakes > boundary).all()
    game.d_step(real, fake)
    assert game.report["accuracy_real"] == (of_reals > boundary).float().mean()
    assert game.report["accuracy_fake"] == (of_fakes < boundary).float().mean()
    assert loss.absolute or 0 < game.report["accuracy_fake"] < 1
