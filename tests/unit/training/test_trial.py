"""The estimate before a run: its speed whatever the machine does meanwhile, and the cadence that follows from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from steadygan.data import Dataset, PrepareSettings, prepare
from steadygan.networks import DCGAN
from steadygan.objectives import R1
from steadygan.training import trial
from steadygan.training.budget import expected_seconds, too_short
from steadygan.training.build import make_pair
from steadygan.training.config import Budget, Optimizers, RunConfig
from steadygan.training.optim import SOAP
from steadygan.training.runtime import Choices, Runtime
from steadygan.training.soap import SOAPOptimizer
from steadygan.training.trial import Forecast, estimate, measured_rate, with_cadence
from tiny import draw


@pytest.fixture(autouse=True)
def _whole_trials(unabridged):
    with unabridged():
        yield


class Clock:
    """Time that passes only when told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(trial.time, "perf_counter", lambda: self.now)

    def player(self, steps, busy=()):
        """Plays (kind, seconds, images) one after the other; those of the numbers in `busy` take ten times as long."""
        numbers = iter(range(10**6))

        def play():
            number = next(numbers)
            kind, seconds, images = steps[number % len(steps)]
            self.now += seconds * (10 if number in busy else 1)
            return kind, images

        return play


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.mark.parametrize("busy", [(), (2, 5, 10), range(8)])
def test_steps_that_are_alike_go_at_the_speed_of_the_fastest(clock, busy):
    assert measured_rate(clock.player([("", 0.5, 64)], busy), 9) == (128, 64)


@pytest.mark.parametrize("busy", [(), (2, 4, 9)])
def test_every_step_is_paired_with_the_images_it_showed_itself(clock, busy):
    """Turns that differ: one step in three shows three batches in three times the time."""
    steps = [("both", 3.0, 192), ("one", 1.0, 64), ("one", 1.0, 64)]
    rate, per_step = measured_rate(clock.player(steps, busy), 12)
    assert rate == pytest.approx(64)
    assert per_step == pytest.approx(320 / 3)


def test_a_rare_slow_kind_counts_as_often_as_it_came(clock):
    """A penalty that is due in one step of four makes it three times as long."""
    steps = [("due", 3.0, 10), ("", 1.0, 10), ("", 1.0, 10), ("", 1.0, 10)]
    assert measured_rate(clock.player(steps, busy=(4, 7)), 12)[0] == pytest.approx(40 / 6)


@pytest.mark.parametrize(("seconds", "played"), [(0.05, 12), (0.3, 8), (0.7, 4), (9.0, 4)])
def test_steps_that_take_long_are_measured_in_fewer_whole_periods(clock, seconds, played):
    steps = [("due", 3 * seconds, 10), *[("", seconds, 10)] * 3]
    play, plays = clock.player(steps), []
    rate, per_step = measured_rate(lambda: plays.append(clock.now) or play(), 12, warm_up=0, period=4)
    assert (len(plays), per_step) == (played, 10)
    assert rate == pytest.approx(40 / (6 * seconds))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("trial")
    return prepare(str(draw(folder / "in", 40)), folder / "out", PrepareSettings(size=16), workers=0)


def played(dataset, clock, monkeypatch, seconds, **settings) -> Forecast:
    """The estimate where each turn of a player takes as many seconds as told, and a penalty that is due some more."""
    config = RunConfig(
        **{"networks": DCGAN(width=4, max_width=4), "batch": 8, "budget": Budget(images=1000)} | settings
    )
    pair = make_pair(config, dataset.spec)

    def watched(*arguments):
        game = make_game(*arguments)
        d_step, g_step = game.d_step, game.g_step

        def slow_d(*parts, **named):
            due = sum(game.d_turns % penalty.every == 0 for penalty in game.penalties)
            clock.now += seconds["d"] + seconds.get("penalty", 0) * due
            d_step(*parts, **named)

        def slow_g(*parts):
            clock.now += seconds["g"]
            g_step(*parts)

        monkeypatch.setattr(game, "d_step", slow_d)
        monkeypatch.setattr(game, "g_step", slow_g)
        return game

    make_game = trial.make_game
    monkeypatch.setattr(trial, "make_game", watched)
    return estimate(config, pair, dataset, Runtime(Choices("cpu", "float32", "channels_last", 1, 1)))


class Changing:
    """Turns of one discriminator move, and of three in every third step."""

    def moves(self, step, _report, _look):
        return ("discriminator",) * (3 if step % 3 == 2 else 1) + ("generator",)


def test_turns_that_differ_are_estimated_at_their_mean_speed(dataset, clock, monkeypatch):
    found = played(dataset, clock, monkeypatch, {"d": 1.0, "g": 1.0}, turns=Changing())
    assert found.images_per_second == pytest.approx(8 * 5 / 8)
    assert found.seconds == pytest.approx(1000 / 5)


@pytest.mark.parametrize("every", [1, 4, 16])
def test_a_lazy_penalty_costs_its_share(dataset, clock, monkeypatch, every):
    seconds = {"d": 1.0, "g": 1.0, "penalty": 8.0}
    found = played(dataset, clock, monkeypatch, seconds, penalties=(R1(every=every),))
    assert found.images_per_second == pytest.approx(8 / (2 + 8 / every))


def test_processes_that_wait_for_each_other_are_measured_in_as_many_steps_each(dataset, monkeypatch):
    nets, limits = DCGAN(width=4, max_width=4), Budget(images=1000)
    config, asked = RunConfig(networks=nets, batch=8, budget=limits, penalties=(R1(every=8),)), []
    monkeypatch.setattr(trial, "measured_rate", lambda *given: asked.append(given[1:]) or (8.0, 8.0))
    monkeypatch.setattr(Runtime, "mean", lambda _, values: values)
    for world in (1, 2):
        runtime = Runtime(Choices("cpu", "float32", "channels_last", 1, 1))
        runtime.world = world
        estimate(config, make_pair(config, dataset.spec), dataset, runtime)
    assert asked == [(24, 2, 8), (24, 2, 0)]


def test_the_steps_that_soap_plays_before_it_has_a_basis_are_not_what_a_run_takes(dataset, clock, monkeypatch):
    soap = SOAP(every=7)
    step = SOAPOptimizer.step

    def slower_with_a_basis(optimizer, closure=None):
        step(optimizer)
        clock.now += float(any(left["bases"][0] is not None for left in optimizer.state.values()))

    monkeypatch.setattr(SOAPOptimizer, "step", slower_with_a_basis)
    players = Optimizers(generator=soap, discriminator=soap)
    assert played(dataset, clock, monkeypatch, {"d": 1.0, "g": 1.0}, optimizer=players).images_per_second == 8 / 4


def test_several_turns_of_the_discriminator_show_as_many_batches(dataset, clock, monkeypatch):
    turns, budget = {"kind": "fixed", "discriminator": 5, "generator": 1}, Budget(steps=10)
    found = played(dataset, clock, monkeypatch, {"d": 1.0, "g": 3.0}, turns=turns, budget=budget)
    assert found.images_per_second == pytest.approx(5)
    assert found.seconds == pytest.approx(80)


def test_the_run_itself_is_not_touched(dataset):
    config = RunConfig(networks=DCGAN(width=4, max_width=4), batch=8, budget=Budget(steps=1))
    pair = make_pair(config, dataset.spec)
    before = [value.clone() for network in pair for value in network.state_dict().values()]
    estimate(config, pair, dataset, Runtime(Choices("cpu", "float32", "channels_last", 1, 1)))
    after = [value for network in pair for value in network.state_dict().values()]
    assert all(torch.equal(*both) for both in zip(before, after, strict=True))


def cadence(seconds: float, rate: float, batch: int = 10, **settings) -> list[int]:
    config = with_cadence(
        RunConfig(batch=batch, **settings), Forecast(rate, images_per_step=batch, memory_mb=0, seconds=seconds)
    )
    return [config.log.every_images, config.samples.every_images, config.checkpoint.every_images]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (10, [1, 15, 120]),  # the least seconds between two
        (2_000, [4, 50, 200]),  # a 500th, a 40th and a 10th of the run
        (10**6, [10, 300, 900]),  # the most seconds
    ],
)
def test_cadence_is_a_share_of_the_run_between_two_bounds(seconds, expected):
    assert cadence(seconds, rate=100) == [100 * number for number in expected]
    assert cadence(seconds, rate=700) == [700 * number for number in expected]


def test_schedules_without_a_length_get_that_of_the_run_if_nothing_else_is_asked_for():
    config, expected = RunConfig(budget=Budget(minutes=2)), Forecast(50.0, images_per_step=10, memory_mb=0, seconds=120)
    assert with_cadence(config, expected).budget == Budget(minutes=2, schedule_images=6_000)
    asked = Budget(minutes=2, schedule_images=77)
    assert with_cadence(config.model_copy(update={"budget": asked}), expected).budget == asked


def test_cadence_is_whole_batches_and_at_least_one():
    assert cadence(10, rate=0.001, batch=64) == [64, 64, 64]
    found = cadence(10, rate=100, batch=64)
    assert [number % 64 for number in found] == [0, 0, 0]
    assert np.allclose(found, [100, 1500, 12000], atol=32)
    assert found == [64 * math.floor(number / 64 + 0.5) for number in (100, 1500, 12000)]


def test_a_cadence_in_steps_is_kept_and_not_filled_in():
    assert cadence(10, rate=100, samples={"every_steps": 10}) == [100, None, 12000]


def test_cadence_that_is_told_is_kept():
    told = {"log": {"every_images": 7}, "samples": {"every_images": 8}, "checkpoint": {"every_images": 9}}
    assert cadence(10, rate=100, **told) == [7, 8, 9]


@pytest.mark.parametrize(
    ("images", "batch", "steps"), [(200_000, 64, "3,125"), (200_000, 320, "625"), (65, 64, "2"), (64 * 7, 64, "7")]
)
def test_what_a_run_takes_is_said_in_steps_too(images, batch, steps):
    for rate in (3.0, 77.7, 240.1):
        said = Forecast(rate, batch, 1024.0, expected_seconds(Budget(images=images), rate, batch)).sentence()
        assert f": {steps} steps of {batch} images, 1.0 GiB" in said


def test_a_default_budget_of_fewer_steps_than_the_articles_train_is_never_without_a_word():
    assert "200,000 images" in too_short(3_125)
    assert "--steps 20000" in too_short(19_999)
    assert too_short(20_000) == ""
