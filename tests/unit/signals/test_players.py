"""What the players do: opinions, dead units, batch norms in both modes, gradients and updates."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

import steadygan as sg
from steadygan.objectives.view import JointView, View
from steadygan.signals.layers import gradients, layer_of, updates
from steadygan.signals.players import Players
from steadygan.signals.units import Units
from steadygan.signals.untouched import untouched
from steadygan.training.optim import SGD, SOAP, Adam, PlayerOptimizer, RMSProp


class Mean(nn.Module):
    """A discriminator whose logit is the mean of the image."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((1, 2, 3))


def players(generator: nn.Module | None = None, **changes) -> Players:
    parts = {"show": nn.Identity(), "view": View, "loss": sg.NonSaturating(), "given": (), "batch": 4}
    generator = generator or nn.Sequential(nn.Unflatten(1, (2, 1, 1)))
    return Players(generator, Mean(), **{"latents": torch.ones(6, 2), **parts, **changes})


def flat(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None, None, None].expand(-1, 1, 2, 2)


def test_opinions_are_mean_logits_and_shares_judged_rightly():
    found = players(loss=sg.LeastSquares()).opinions(Mean(), (flat(1, 3, 0),), (flat(0, 1),), flat(-2, 1, -2))
    assert {name: pytest.approx(float(value)) for name, value in found.items()} == {
        "d_real": 4 / 3,
        "accuracy_real": 2 / 3,
        "d_held_out": 0.5,
        "accuracy_held_out": 0.5,
        "d_fake": -1,
        "accuracy_fake": 2 / 3,
    }


def test_where_logits_are_only_compared_right_is_beyond_the_middle_between_both_sides():
    found = players(loss=sg.Relativistic()).opinions(Mean(), (flat(11, 13, 6),), (flat(8, 10),), flat(8, 5, 5))
    assert (float(found["d_real"]), float(found["d_fake"])) == (10, 6)
    right = {name: pytest.approx(float(found[f"accuracy_{name}"])) for name in ("real", "held_out", "fake")}
    assert right == {"real": 2 / 3, "held_out": 1 / 2, "fake": 2 / 3}


def test_reals_and_fakes_are_seen_through_what_the_game_shows_and_jointly_where_it_does():
    doubled = players(show=nn.Upsample(scale_factor=2), view=JointView)
    sizes = []

    def judge(images: Tensor) -> Tensor:
        sizes.append(tuple(images.shape))
        return images.mean((1, 2, 3))

    doubled.judged(judge, (flat(1, 2),), flat(3, 4))
    assert sizes == [(4, 1, 4, 4)]


def test_inputs_are_least_mean_deviation_and_most():
    assert players().inputs((flat(-1, 0, 1),)).tolist() == pytest.approx([-1, 0, math.sqrt(8 / 11), 1])


def test_a_dead_unit_is_counted_and_one_that_answers_is_not():
    layers = nn.Sequential(nn.Linear(1, 4), nn.ReLU(inplace=True), nn.Linear(4, 1), nn.Tanh())
    with torch.no_grad():
        layers[0].weight.copy_(torch.tensor([[1.0], [1], [-1], [1]]))
        layers[0].bias.copy_(torch.tensor([0.0, -5, 0, 5]))
    units = Units()
    watched = units.watch(layers)
    watched(torch.tensor([[1.0], [2]]))
    assert float(units.dead()) == 0.5  # the second stays below 0, and the third for these alone
    watched(torch.tensor([[-1.0]]))
    assert float(units.dead()) == 0.25


def test_units_behind_a_function_count_and_a_network_without_activations_has_none():
    class Functional(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            return nn.functional.leaky_relu(torch.relu(maps), 0.2)

    units = Units()
    units.watch(Functional())(torch.cat([torch.rand(2, 1, 3, 3), torch.full((2, 1, 3, 3), -1.0)], 1))
    assert float(units.dead()) == 0.5
    assert len(units.ranges) == 2
    without = Units()
    without.watch(nn.Linear(2, 2))(torch.ones(3, 2))
    assert without.dead() is None


def normed(momentum: float) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Unflatten(1, (2, 1, 1)), nn.BatchNorm2d(2, momentum=momentum), nn.Dropout(0.5))


def test_statistics_that_lag_behind_the_weights_show_as_a_difference_of_modes():
    latents = torch.randn(6, 2)
    settled, stale = normed(1.0), normed(1.0)
    for generator in (settled, stale):
        with torch.no_grad():
            generator(latents)
    stale[1].running_mean += 3
    with torch.no_grad():
        found = [players(one, latents=latents, batch=8).modes() for one in (settled, stale)]
    assert float(found[0]) < 0.2  # the running variance is the unbiased one
    assert float(found[1]) > 2
    assert players().modes() is None


def test_gradients_are_root_mean_squares_by_layer():
    layer = nn.ModuleDict({"a": nn.Linear(2, 1), "b": nn.Linear(1, 1)})
    layer["a"].weight.grad, layer["a"].bias.grad = torch.tensor([[3.0, 4]]), torch.tensor([0.0])
    assert {name: float(value) for name, value in gradients(layer).items()} == {"a": pytest.approx(5 / math.sqrt(3))}


def test_a_spectral_norm_does_not_hide_the_layer_that_a_weight_belongs_to():
    assert layer_of("layers.0.parametrizations.weight.original") == "layers.0"


@pytest.mark.parametrize(
    "settings",
    [
        Adam(lr=1e-3, weight_decay=0.1),
        Adam(lr={"kind": "linear", "start": 1e-2, "end": 1e-3, "images": 100}, beta2=0.9),
        RMSProp(lr=1e-3),
        SOAP(lr=1e-3),
        SOAP(lr=1e-3, beta1=0.5, every=2, weight_decay=0.1),
        SGD(lr=1e-2),
        SGD(lr=1e-2, momentum=0.9),
    ],
    ids=repr,
)
def test_what_an_update_took_is_what_the_weights_have_lost(settings):
    network = nn.Linear(3, 2)
    optimizer = PlayerOptimizer(network, settings, torch.ones(()))
    for turn in range(3):
        before = copy.deepcopy(network)
        optimizer(network(torch.randn(5, 3)).square().sum(), images=10 * turn)
    network.requires_grad_(False)
    before.requires_grad_(False)
    taken = optimizer.taken()
    for weight, old in zip(network.parameters(), before.parameters(), strict=True):
        assert torch.allclose(taken[weight], old - weight, rtol=1e-3, atol=1e-7)
    moved = torch.cat(
        [(old - new).flatten() for old, new in zip(before.parameters(), network.parameters(), strict=True)]
    )
    length = torch.cat([new.flatten() for new in network.parameters()]).norm()
    assert float(updates(network, taken)[""]) == pytest.approx(float(moved.norm() / length), rel=1e-3)


def test_an_optimizer_of_the_users_own_is_left_out():
    class Own:
        lr = 0.1

        def build(self, parameters):
            return torch.optim.Adagrad(parameters, self.lr)

    network = nn.Linear(3, 2)
    optimizer = PlayerOptimizer(network, Own(), torch.ones(()))
    optimizer(network(torch.ones(1, 3)).sum())
    assert optimizer.taken() == {}


def test_a_buffer_that_a_layer_replaces_is_put_back():
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, maps: Tensor) -> Tensor:
            self.calls = self.calls + 1
            return maps

    layer = Counting()
    with untouched(layer):
        layer(torch.ones(1))
        assert layer.calls == 1
    assert layer.calls == 0


def test_what_fails_meanwhile_leaves_no_trace_either():
    network = normed(0.1)
    before, random = copy.deepcopy(network.state_dict()), torch.get_rng_state()

    def fail() -> None:
        with untouched(network):
            network(torch.randn(4, 2))
            network.eval()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    assert torch.equal(torch.get_rng_state(), random)
    assert network[2].training
