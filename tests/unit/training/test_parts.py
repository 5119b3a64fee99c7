"""Average, seeds, state, checkpoints, budget: each alone."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from steadygan.doctor.budget import duration
from steadygan.networks import DCGAN
from steadygan.spec import ImageSpec
from steadygan.training.average import EMA, Average, measure_statistics
from steadygan.training.budget import expected_seconds, spent
from steadygan.training.config import Budget, DataSettings
from steadygan.training.optim import Adam, PlayerOptimizer, RMSProp
from steadygan.training.seeds import derive, seed_everything
from steadygan.training.session import Progress
from steadygan.training.state import pack, unpack


def test_weight_of_the_average_halves_old_weights_after_one_half_life():
    settings = EMA(half_life_images=1000, ramp_up=1e9)
    kept = 1.0
    for images in range(100, 1001, 100):
        kept *= 1 - settings.weight(images, 100)
    assert kept == pytest.approx(0.5)


def test_average_follows_closely_at_first_and_is_the_generator_itself_when_off():
    assert EMA(half_life_images=0).weight(64, 64) == 1
    assert EMA(half_life_images=10_000, ramp_up=0.05).weight(64, 64) > 0.99
    assert EMA(half_life_images=10_000).weight(10**6, 64) == pytest.approx(1 - 0.5 ** (64 / 10_000))


def test_average_equals_the_weighted_sum_by_hand():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = Average(network, EMA(half_life_images=64, ramp_up=1e9))
    for value in (1.0, 3.0):
        nn.init.constant_(network.weight, value)
        average.update(10**6, 64)
    assert average.network.weight.item() == pytest.approx(0.25 * 0 + 0.25 * 1 + 0.5 * 3)
    assert network.weight.item() == 3


def test_batch_norm_statistics_of_the_average_belong_to_its_own_weights():
    torch.manual_seed(0)
    generator = DCGAN(width=4).build(ImageSpec(size=16, channels=1)).generator
    average = Average(generator, EMA())
    latents = torch.randn(256, 100)
    average.measure(latents, batch=64)
    reference = Average(generator, EMA()).network.train()
    with torch.no_grad():
        in_training_mode = torch.cat([reference(part) for part in latents.split(64)])
        in_evaluation_mode = average.network(latents)
    # the statistics are a mean over four batches, so single images agree only nearly
    unmeasured = Average(generator, EMA()).network.eval()
    error = (in_training_mode - in_evaluation_mode).abs().mean()
    assert error < 0.15 * (in_training_mode - unmeasured(latents)).abs().mean()


def test_measuring_statistics_takes_the_mean_over_batches_and_restores_the_modes():
    network = nn.Sequential(nn.BatchNorm1d(1)).eval()
    measure_statistics(network, [(torch.tensor([[0.0], [2.0]]),), (torch.tensor([[4.0], [6.0]]),)])
    assert network[0].running_mean.item() == pytest.approx(3)
    assert network[0].running_var.item() == pytest.approx(2)
    assert network[0].momentum == 0.1
    assert not network[0].training


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.integers(0, 5)), unique=True, max_size=50))
def test_different_places_in_a_run_have_different_seeds(places):
    assert len({derive(0, *place) for place in places}) == len(places)
    assert all(0 <= derive(0, *place) < 2**63 for place in places)


def test_draws_depend_on_seed_and_place_alone():
    seed_everything(1, "step", 0, 5)
    first = torch.randn(3)
    torch.randn(100)
    seed_everything(1, "step", 0, 5)
    assert torch.equal(first, torch.randn(3))
    seed_everything(1, "step", 1, 5)
    assert not torch.equal(first, torch.randn(3))


def test_state_survives_json_and_named_tensors():
    tree = {
        "a": [1, 2.5, None, "x", True],
        "b": {0: {"t": torch.arange(3)}, 1: {"t": torch.ones(2)}},
        "c": torch.eye(2),
    }
    plain, tensors = pack(tree)
    back = unpack(json.loads(json.dumps(plain)), tensors)
    assert back["a"] == tree["a"]
    assert list(back["b"]) == [0, 1]
    assert torch.equal(back["b"][0]["t"], torch.arange(3))
    assert torch.equal(back["c"], torch.eye(2))
    with pytest.raises(TypeError, match=r"x\.y: a object"):
        pack({"x": {"y": object()}})


def test_restored_moments_take_the_layout_of_their_weights():
    network = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    optimizer = PlayerOptimizer(network, Adam(), torch.ones(()))
    optimizer(network(torch.randn(2, 3, 8, 8)).square().sum())
    before = optimizer.optimizer.state[network.weight]["exp_avg"].clone()
    plain, tensors = pack(optimizer.state_dict())
    optimizer.load_state_dict(unpack(plain, tensors))
    moments = optimizer.optimizer.state[network.weight]["exp_avg"]
    assert moments.stride() == network.weight.stride()
    assert torch.equal(moments, before)


def test_the_first_step_of_rmsprop_is_that_of_its_formula():
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 3.0)
    PlayerOptimizer(network, RMSProp(lr=0.1, alpha=0.9), torch.ones(()))(2 * network.weight.sum())
    mean_square = 0.1 * 2.0**2
    assert network.weight.item() == pytest.approx(3 - 0.1 * 2 / mean_square**0.5)


@pytest.mark.parametrize("settings", [Adam(), RMSProp()], ids=lambda one: one.kind)
def test_an_optimizer_that_comes_from_a_gpu_goes_on_here(settings):
    network = nn.Linear(1, 1)
    optimizer = PlayerOptimizer(network, settings, torch.ones(()))
    own = optimizer.optimizer.param_groups[0]["capturable"]
    optimizer(network.weight.sum())
    state = optimizer.state_dict()
    state["optimizer"]["param_groups"][0]["capturable"] = not own
    optimizer.load_state_dict(state)
    assert optimizer.optimizer.param_groups[0]["capturable"] == own
    before = network.weight.item()
    optimizer(network.weight.sum())
    assert network.weight.item() < before


def test_budget_is_spent_by_its_first_limit():
    budget = Budget(images=1000, minutes=1)
    assert spent(budget, Progress(images=500, seconds=15)) == 0.5
    assert spent(budget, Progress(images=100, seconds=60)) == 1
    assert expected_seconds(budget, images_per_second=100, images_per_step=10) == 10
    assert expected_seconds(Budget(steps=7), images_per_second=100, images_per_step=10) == pytest.approx(0.7)


@pytest.mark.parametrize(("seconds", "text"), [(45.2, "45 s"), (700, "12 min"), (12_000, "3 h 20 min")])
def test_durations_read_naturally(seconds, text):
    assert duration(seconds) == text


def test_buffers_that_belong_to_the_weights_follow_the_generator():
    torch.manual_seed(0)
    network = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3))
    average = Average(network, EMA(half_life_images=0))
    for _ in range(20):
        network.train()(torch.randn(4, 3))
    average.update(64, 64)
    latents = torch.randn(5, 3)
    torch.testing.assert_close(average.network(latents), network.eval()(latents))


class Counting(nn.Module):
    """A weight, and a buffer that belongs to it."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("seen", torch.zeros(1))


def test_buffers_are_the_generators_own_even_while_the_weights_lag_behind():
    network = Counting()
    average = Average(network, EMA(half_life_images=1000, ramp_up=1e9))
    network.seen += 5
    nn.init.ones_(network.weight)
    average.update(10**6, 100)
    assert average.network.seen.item() == 5
    assert 0 < average.network.weight.item() < 0.1
    assert not average.network.weight.requires_grad
    assert network.weight.requires_grad
    assert not average.network.training


def test_statistics_measured_again_forget_those_before():
    network = nn.Sequential(nn.BatchNorm1d(1)).eval()
    for middle in (100.0, 3.0):
        measure_statistics(network, [(torch.tensor([[middle - 1], [middle + 1]]),)])
    assert network[0].running_mean.item() == pytest.approx(3)


def test_older_runs_spell_grey_with_an_a():
    assert DataSettings.model_validate({"channels": "gray"}) == DataSettings(channels="grey")
