"""Turns, replay and opponent: who moves, what the discriminator is shown, whom the generator plays against."""

from __future__ import annotations

import copy
from typing import get_args

import pytest
import torch
from torch import nn

from steadygan.objectives import R1, NonSaturating, Relativistic, View, Wasserstein
from steadygan.spec import ImageSpec
from steadygan.training.game import Game
from steadygan.training.opponent import AnyOpponent, Unrolled
from steadygan.training.optim import SGD, Adam, AnyOptimizer
from steadygan.training.replay import AnyReplay, History
from steadygan.training.turns import AnyTurns, Apart, Balanced, Fixed, Moderated

SPEC = ImageSpec(size=2, channels=1)
APART = ("discriminator_real", "discriminator_fake")


class Normed(nn.Module):
    """A discriminator with a memory of its own, which nobody else may touch."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.BatchNorm1d(6), nn.SiLU(), nn.Linear(6, 1))

    def forward(self, images):
        return self.layers(images).flatten()


def tiny(**rules) -> Game:
    torch.manual_seed(0)
    return Game(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Unflatten(1, (1, 2, 2))), Normed(), **rules)


def play(game: Game, steps: int = 1) -> int:
    return sum(game.step(lambda: (torch.randn(8, 1, 2, 2),), lambda: torch.randn(8, 3)) for _ in range(steps))


def report(real: float, fake: float) -> dict[str, torch.Tensor]:
    return {"accuracy_real": torch.tensor(real), "accuracy_fake": torch.tensor(fake)}


def members(union) -> list:
    return [member() for member in get_args(get_args(union)[0])]


@pytest.mark.parametrize("turns", members(AnyTurns), ids=lambda part: part.kind)
def test_whoever_moves_next_a_step_brings_reals_first_and_lets_the_generator_move(turns):
    for real, fake in ((0, 0), (0.5, 1), (0.8, 0.7), (1, 1)):
        moves = turns.moves(3, report(real, fake), lambda real=real, fake=fake: report(real, fake))
        assert moves[0] in ("discriminator", "discriminator_real")
        assert "generator" in moves
    game = tiny(turns=turns)
    assert play(game, 3) == game.images
    assert game.healthy == 1


@pytest.mark.parametrize(
    ("real", "fake", "path"),
    [
        (0.0, 0.0, APART),
        (0.5, 0.9, APART),  # half of the reals judged fake
        (0.9, 0.5, APART),  # half of the fakes judged real
        (0.51, 0.51, ("discriminator",)),
        (1.0, 1.0, ("discriminator",)),
    ],
)
def test_moderation_strengthens_a_fooled_discriminator_and_moves_the_generator_twice(real, fake, path):
    before = report(1 - real, 1 - fake)  # what was measured last does not count
    assert Moderated().moves(7, before, lambda: report(real, fake)) == (*path, "generator", "generator")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7, 1.0])
def test_a_share_of_exactly_that_many_images_fools_whatever_float32_makes_of_it(share):
    at = torch.tensor(round(10 * (1 - share)) / 10)
    for real, fake in ((at, torch.ones(())), (torch.ones(()), at)):
        seen = {"accuracy_real": real, "accuracy_fake": fake}
        assert Moderated(fooled=share).moves(0, {}, lambda seen=seen: seen)[:2] == APART
    seen = {"accuracy_real": at + 0.1, "accuracy_fake": torch.ones(())}
    assert Moderated(fooled=share).moves(0, {}, lambda: seen)[0] == "discriminator"


class Judging(nn.Module):
    """A discriminator that remembers what it was shown and by which weight, and says the images' first pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.seen: list[tuple[float, torch.Tensor]] = []

    def forward(self, images):
        self.seen.append((self.weight.item(), images.detach().clone()))
        return images[:, 0, 0, 0] * self.weight


def moderated(real: float, **rules) -> tuple[Game, list[tuple[str, torch.Tensor, torch.Tensor]]]:
    """A game against `Judging` in which all fakes are judged fake and all reals `real`; and every turn of D in it."""
    game = Game(nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), Negative()), Judging(), turns=Moderated(), **rules)
    played, d_step = [], game.d_step

    def noted(real, fake, *given, move):
        played.append((move, real, fake.detach()))
        d_step(real, fake, *given, move=move)

    game.d_step = noted
    game.step(lambda: (torch.full((8, 1, 2, 2), real),), lambda: torch.randn(8, 3))
    return game, played


class Negative(nn.Module):
    def forward(self, rows):
        return -rows.unflatten(1, (1, 2, 2)) - 0.1


@pytest.mark.parametrize(("real", "moves"), [(-0.5, APART), (0.5, ("discriminator",))])
def test_the_path_is_decided_by_the_current_batch_before_the_discriminator_moves(real, moves):
    game, played = moderated(real)
    assert tuple(move for move, _, _ in played) == moves
    assert game.report["path"] == (moves == APART)
    (first, reals), (second, fakes) = game.discriminator.seen[:2]
    assert first == second == 1.0
    assert reals.unique() == real
    assert torch.equal(fakes, played[0][2])  # and the fakes that were judged are those that are then learned from


def test_path_a_learns_from_one_batch_and_its_fakes_in_two_halves():
    game, ((_, real, fake), (_, real_again, fake_again)) = moderated(-0.5)
    assert torch.equal(real, real_again)
    assert torch.equal(fake, fake_again)
    assert game.images == 8


def test_moderation_looks_at_fresh_fakes_and_feeds_the_history_once_a_batch():
    history = History(use=1.0, capacity=8).build(SPEC)
    history.images.fill_(5.0)  # fakes of the past, which the discriminator takes for reals
    history.stored.fill_(8)
    game, played = moderated(0.5, replay=history)
    assert [move for move, _, _ in played] == ["discriminator"]  # by the history alone it would be path A
    assert history.stored == 9
    game.discriminator.weight.data.fill_(-1.0)
    game.step(lambda: (torch.full((8, 1, 2, 2), 0.5),), lambda: torch.randn(8, 3))
    assert [move for move, _, _ in played[1:]] == list(APART)
    assert history.stored == 10
    shown = [images for _, images in game.discriminator.seen if images.max() == 5.0]
    assert len(shown) == 2  # once in the whole turn, once in the half on fakes


def test_moderated_training_keeps_four_adam_states():
    game = tiny(turns=Moderated())
    for seen in ((0, 0), (1, 1)):  # each path once
        game.turns = Decided(seen)
        assert play(game) == 8  # the turn on fakes alone shows no reals
    states = [optimizer.optimizer.state for optimizer in game.optimizers.values()]
    assert [len(state) for state in states] == [6, 6, 6, 2]
    assert len({id(moment["exp_avg"]) for state in states for moment in state.values()}) == 20
    assert [int(optimizer.turns) for optimizer in game.optimizers.values()] == [1, 1, 1, 4]


class Decided:
    """Moderated turns whose verdict is given."""

    def __init__(self, seen: tuple[float, float]) -> None:
        self.seen = report(*seen)

    def moves(self, step, report, look):
        return Moderated().moves(step, report, lambda: self.seen)


@pytest.mark.parametrize("own", [False, True])
def test_two_updates_a_step_are_those_of_two_batches_one_after_the_other(own):
    game, twin = tiny(turns=Apart(own_states=own)), tiny()
    torch.manual_seed(1)
    play(game, 2)
    torch.manual_seed(1)
    adams = [Adam().build(twin.discriminator.parameters()) for _ in range(2)]
    halves = NonSaturating().real_loss, NonSaturating().fake_loss
    for _ in range(2):
        real = torch.randn(8, 1, 2, 2)
        fake = twin.fakes(torch.randn(8, 3))
        for number, half in enumerate(halves):
            adam = adams[number if own else 0]
            adam.zero_grad()
            half(View(twin.discriminator, real, fake.detach())).backward()
            adam.step()
        twin.g_step(real, fake)
    for mine, theirs in zip(game.discriminator.parameters(), twin.discriminator.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-7)
    assert list(game.optimizers) == ["discriminator", *(APART if own else ()), "generator"]
    assert game.images == 16


class Watching(nn.Identity):
    """Looks through unchanged, and counts the turns it was told of."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0

    def watch(self, view) -> None:
        self.turns += 1


@pytest.mark.parametrize("turns", [Fixed(), Apart(), Decided((0, 0)), Decided((1, 1))])
def test_what_adapts_to_the_reals_sees_each_batch_of_them_once(turns):
    show = Watching()
    play(tiny(turns=turns, show=show), 3)
    assert show.turns == 3


@pytest.mark.parametrize("turns", [Fixed(), Apart()])
def test_the_halves_of_the_loss_are_reported_and_sum_up_to_it(turns):
    game = tiny(turns=turns, discriminator_optimizer=SGD(lr=1e-9))
    play(game)
    torch.testing.assert_close(game.report["loss_d"], game.report["loss_d_real"] + game.report["loss_d_fake"])
    assert game.report["loss_d_real"] > 0 < game.report["loss_d_fake"]
    assert game.report["path"] == isinstance(turns, Apart)
    assert "loss_d_real" not in tiny(loss=Relativistic()).report


def test_a_loss_with_a_whole_of_its_own_is_taken_at_its_word():
    class Weighted(NonSaturating):
        def d_loss(self, view):
            return 3 * super().d_loss(view)

    plain, weighted = (tiny(loss=loss, discriminator_optimizer=SGD(lr=1e-9)) for loss in (NonSaturating(), Weighted()))
    for game in (plain, weighted):
        torch.manual_seed(2)
        play(game)
    torch.testing.assert_close(weighted.report["loss_d"], 3 * plain.report["loss_d"])


def test_a_move_on_one_side_goes_down_that_half_of_the_loss_alone():
    halves = {"discriminator_real": "real_loss", "discriminator_fake": "fake_loss", "discriminator": "d_loss"}
    for move, half in halves.items():
        game = tiny(discriminator_optimizer=SGD(lr=0.1), turns=Moderated())
        before = [p.detach().clone() for p in game.discriminator.parameters()]
        twin = copy.deepcopy(game.discriminator)
        real, fake = torch.randn(8, 1, 2, 2), torch.randn(8, 1, 2, 2)
        loss = getattr(NonSaturating(), half)(View(twin, real, fake))
        slopes = torch.autograd.grad(loss, list(twin.parameters()))
        game.d_step(real, fake, move=move)
        for new, old, slope in zip(game.discriminator.parameters(), before, slopes, strict=True):
            torch.testing.assert_close(new, old - 0.1 * slope)


@pytest.mark.parametrize(
    ("accuracy", "moves"),
    [(0.5, (3, 1)), (0.6, (1, 1)), (0.9, (1, 1)), (0.95, (1, 3))],
)
def test_balance_gives_the_weaker_player_more_turns(accuracy, moves):
    found = Balanced(extra=2).moves(0, report(accuracy, accuracy), dict)
    assert (found.count("discriminator"), found.count("generator")) == moves


def test_balance_with_its_bounds_the_wrong_way_round_is_refused():
    with pytest.raises(ValueError, match=r"low .* must be less than high"):
        Balanced(low=0.9, high=0.5)


@pytest.mark.parametrize("replay", members(AnyReplay), ids=lambda part: part.kind)
def test_whatever_is_replayed_has_the_form_of_the_fakes(replay):
    game = tiny(replay=replay.build(SPEC))
    play(game, 5)
    fake = torch.rand(8, 1, 2, 2)
    shown = game.replay(fake)
    assert shown.shape == fake.shape
    assert shown.abs().max() <= 1


def batches(buffer, count: int, rows: int = 2):
    """Batches of which every value is the number of the batch plus a hundredth of the row."""
    for number in range(count):
        values = number + torch.arange(rows) / 100
        yield number, buffer(values[:, None, None, None].expand(rows, 1, 2, 2).clone())


def test_the_history_holds_only_the_first_rows_of_batches_that_were_already_made():
    buffer = History(use=1, keep=1, capacity=50).build(SPEC)
    for number, shown in batches(buffer, 20):
        past = {round(float(value), 2) for value in shown[:, 0, 0, 0]}
        if number < 2:  # it does not hold a batch of two yet
            assert past == {number, number + 0.01}
        else:
            assert past <= set(map(float, range(number)))


def test_the_history_forgets_the_oldest_beyond_its_capacity():
    buffer = History(use=1, keep=1, capacity=3).build(SPEC)
    seen = {float(v) for number, shown in batches(buffer, 200) if number >= 150 for v in shown[:, 0, 0, 0] - number}
    assert seen == {-1.0, -2.0, -3.0}


def test_the_history_is_used_as_often_as_asked():
    torch.manual_seed(0)
    buffer = History(use=0.3).build(SPEC)
    used = [float(shown[0, 0, 0, 0]) != number for number, shown in batches(buffer, 3000)]
    assert sum(used) / 3000 == pytest.approx(0.3, abs=0.03)  # three standard deviations are 0.025


def test_a_game_with_a_history_and_moderation_goes_on_from_its_state_bit_by_bit():
    def run(game, start, steps):
        for step in range(start, start + steps):
            torch.manual_seed(step)
            play(game)

    rules = {"turns": Moderated(), "generator_optimizer": Adam(lr=1e-2)}
    whole, first, second = (tiny(replay=History(keep=4, capacity=12).build(SPEC), **rules) for _ in range(3))
    run(whole, 0, 9)
    run(first, 0, 4)
    for network in ("generator", "discriminator"):
        getattr(second, network).load_state_dict(getattr(first, network).state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    run(second, 4, 5)
    for a, b in zip(whole.generator.parameters(), second.generator.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("opponent", members(AnyOpponent), ids=lambda part: part.kind)
def test_no_opponent_leaves_a_trace_in_the_discriminator_but_its_own_statistics(opponent):
    game = tiny(opponent=opponent)
    twin = tiny()
    torch.manual_seed(1)
    real, latent = torch.randn(8, 1, 2, 2), torch.randn(8, 3)
    for one in (game, twin):
        one.g_step(real, one.fakes(latent))
    weights = zip(game.discriminator.named_parameters(), twin.discriminator.named_parameters(), strict=True)
    assert all(torch.equal(a, b) for (_, a), (_, b) in weights)


def test_an_unrolled_opponent_restores_weights_and_buffers_exactly():
    game = tiny(opponent=Unrolled(steps=3, lr=0.1))
    before = copy.deepcopy(game.discriminator.state_dict())
    game.g_step(torch.randn(8, 1, 2, 2), game.fakes(torch.randn(8, 3)))
    after = game.discriminator.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


class Slope(nn.Module):
    """D(x) = w x."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(0.7))

    def forward(self, images):
        return self.w * images.flatten()


@pytest.mark.parametrize("through", [True, False])
def test_the_gradient_against_an_unrolled_opponent_is_that_of_the_closed_form(through):
    # Wasserstein: an inner step takes w to w - lr (f - r), so after k of them G pays -(w - k lr (f - r)) f,
    # whose slope is -(w - k lr (f - r)) + k lr f; the last term is what goes through the updates
    w, k, lr, r, f = 0.7, 4, 0.1, 0.5, -0.3
    fake = torch.tensor([f], requires_grad=True)
    view = View(Slope(), torch.tensor([r]), fake)
    with Unrolled(steps=k, lr=lr, through=through).against(Wasserstein(), view) as ahead:
        Wasserstein().g_loss(ahead).backward()
    expected = -(w - k * lr * (f - r)) + (k * lr * f if through else 0)
    assert fake.grad.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("optimizer", members(AnyOptimizer), ids=lambda part: part.kind)
def test_every_optimizer_trains_both_players_under_a_schedule(optimizer):
    falling = {"kind": "linear", "start": 0.01, "end": 0.001, "images": 16}
    settings = type(optimizer).model_validate({**optimizer.model_dump(), "lr": falling})
    game = tiny(generator_optimizer=settings, discriminator_optimizer=settings, turns=Fixed())
    rates = []
    for _ in range(4):
        play(game)
        rates.append(game.optimizers["discriminator"].optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.01, 0.0055, 0.001, 0.001])
    assert game.healthy == 1


def test_a_lazy_penalty_is_reported_as_its_mean_over_the_turns_of_a_step():
    game = tiny(turns=Fixed(discriminator=4), penalties=[R1(gamma=1, every=4)])
    seen = []
    step = game.d_step

    def watched(*images, **options):
        step(*images, **options)
        seen.append(float(game.report["penalty"]))

    game.d_step = watched
    play(game)
    assert seen[0] > 0
    assert seen[1:] == [0, 0, 0]
    assert (
        float(game.report["penalty"]) == pytest.approx(seen[0] / 4) == pytest.approx(float(game.report["penalty.r1"]))
    )


def test_images_of_all_processes_count():
    game = tiny(processes=4)
    assert play(game, 2) == game.images == 64
