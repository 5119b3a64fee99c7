"""bfloat16 that is wrong is noticed before the first step, and right one is trusted."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import steadygan as sg
from quiet import Quiet
from steadygan.networks import Pair
from steadygan.recipes import RECIPES, configure
from steadygan.training import precision, runtime
from steadygan.training.build import make_pair
from steadygan.training.precision import LEAST, disagreement, likeness
from steadygan.training.run import train
from steadygan.training.runtime import Choices, Runtime
from telling import telling
from tiny import TINY, fingerprint
from tiny_recipes import spec_of, tiny_recipe

CONV = torch.nn.functional.conv2d


def in_bfloat16() -> bool:
    return torch.is_autocast_enabled("cpu")


class WrongGradient(torch.autograd.Function):
    """The weights themselves; the gradient that comes back is that of another place."""

    @staticmethod
    def forward(_context, weight: Tensor) -> Tensor:
        return weight.clone(memory_format=torch.contiguous_format)  # torch has no bfloat16 for all others everywhere

    @staticmethod
    def backward(_context, gradient: Tensor) -> Tensor:
        return gradient.roll(1, 0)


def without_the_last_column(weight: Tensor) -> Tensor:
    kept = torch.ones_like(weight)
    kept[..., -1] = 0
    return weight * kept


WRONG = {
    "a sum is cut short": lambda x, w, *more: CONV(x, without_the_last_column(w), *more),
    "a sum is counted twice": lambda x, w, *more: CONV(x, 2 * w, *more),
    "channels are mixed up": lambda x, w, *more: CONV(x, w.roll(1, 0), *more),
    "values are no numbers": lambda x, w, *more: CONV(x, w, *more) * math.nan,
    "the weights' gradient alone is wrong": lambda x, w, *more: CONV(x, WrongGradient.apply(w), *more),
    "every sum is nothing": lambda x, w, *more: CONV(x, w, *more) * 0,
}


@pytest.fixture
def wrong(monkeypatch):
    """Break convolutions in bfloat16 in one of the ways above."""

    def break_it(how):
        monkeypatch.setattr(
            torch.nn.functional, "conv2d", lambda *given, how=how: WRONG[how](*given) if in_bfloat16() else CONV(*given)
        )

    return break_it


def doubt(name: str, size: int = 0) -> str:
    """What is wrong with a small recipe's bfloat16."""
    spec = spec_of(name)
    if size and spec.size > 1:
        spec = spec.model_copy(update={"size": size})
    config = tiny_recipe(name, spec)
    machine = Runtime(Choices("cpu", "bfloat16", "channels_last", 1, 1))
    pair = Pair(*(machine.place(network) for network in make_pair(config, spec)))
    torch.manual_seed(0)
    real = machine.to_layout(torch.randn(16, spec.channels, spec.size, spec.size).tanh())
    return disagreement(config, pair, spec, machine, (real,))


@pytest.mark.parametrize("name", telling(RECIPES, "steady", "wgan-gp", "sngan", "r3gan", "ring"))
def test_right_bfloat16_is_trusted_with_every_recipe(name):
    assert doubt(name) == ""


@pytest.mark.slow
@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("name", RECIPES)
def test_right_bfloat16_is_trusted_at_every_size(name, size):
    assert doubt(name, size) == ""


@pytest.mark.parametrize("how", telling(WRONG, "a sum is cut short", "the weights' gradient alone is wrong"))
def test_wrong_convolutions_are_noticed(how, wrong):
    wrong(how)
    assert "is not what it is in float32" in doubt("steady")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dcgan", "wgan-gp", "r3gan", "sngan", "msg"])
def test_a_sum_cut_short_is_noticed_in_other_networks_too(name, wrong):
    wrong("a sum is cut short")
    assert doubt(name)


def test_the_networks_and_later_runs_are_left_as_they_were(wrong):
    wrong("channels are mixed up")
    config = tiny_recipe("dcgan", spec_of("dcgan"))
    machine = Runtime(Choices("cpu", "bfloat16", "channels_last", 1, 1))
    pair = make_pair(config, spec_of("dcgan"))
    before = [value.clone() for network in pair for value in network.state_dict().values()]
    assert disagreement(config, pair, spec_of("dcgan"), machine, (torch.rand(8, 3, 16, 16),))
    after = [value for network in pair for value in network.state_dict().values()]
    assert all(torch.equal(*both) for both in zip(before, after, strict=True))
    assert all(parameter.grad is None for network in pair for parameter in network.parameters())


def test_likeness_is_1_for_equal_gradients_and_less_for_another_direction_or_length():
    exact = {"a.weight": torch.tensor([3.0, 4.0])}

    def like(*values):
        return likeness(exact, {"a.weight": torch.tensor(values)})["a.weight"]

    assert like(3.0, 4.0) == 1
    assert like(-3.0, -4.0) == like(math.nan, 4.0) == like(math.inf, 4.0) == -1
    assert like(4.0, -3.0) == like(0.0, 0.0) == 0
    assert like(6.0, 8.0) == pytest.approx(2 * 50 / (25 + 100))
    assert like(3.0, 5.0) == pytest.approx(2 * 29 / (25 + 34))


def test_a_gradient_that_is_rounding_error_in_its_layer_tells_nothing():
    exact = {
        "one.weight": torch.tensor([1.0]),
        "one.bias": torch.tensor([0.12]),
        "two.weight": torch.tensor([1e-9]),
        "three.parametrizations.weight.original": torch.tensor([1.0]),
        "three.bias": torch.tensor([0.13]),
        "four.weight": torch.tensor([0.0]),
        "five.weight": torch.tensor([math.nan]),
    }
    found = likeness(exact, {name: -value for name, value in exact.items()})
    assert set(found) == {"one.weight", "two.weight", "three.parametrizations.weight.original", "three.bias"}
    exact["three.bias"] /= 2
    assert "three.bias" not in likeness(exact, exact)


@pytest.mark.parametrize(
    ("bad", "said"), [((1, 1, 1), True), ((1, 0, 1), False), ((0, 1, 1), False), ((1, 2, 1), False)]
)
def test_only_what_is_wrong_every_time_is_wrong(monkeypatch, bad, said):
    """The gradient of parameter 1 or 2 looks wrong in a first, second and third batch."""
    answers = iter([{f"p{number}": 0.2 if number == wrong else 0.99 for number in (1, 2)} for wrong in bad])
    monkeypatch.setattr(precision, "likeness", lambda *_: next(answers))
    assert ("p1" in doubt("dcgan")) == said


def test_weights_that_start_at_zero_hide_nothing():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    nn.init.zeros_(network[1].weight)
    first = network[0].weight.clone()
    precision._awake(network)
    assert torch.equal(network[0].weight, first)
    network(torch.ones(2, 3)).sum().backward()
    assert network[0].weight.grad.abs().min() > 0


def test_the_bound_lets_nothing_through_that_lacks_a_fifth():
    full = torch.ones(5)
    cut = torch.tensor([1.0, 1, 1, 1, 0])
    assert likeness({"a.w": full}, {"a.w": cut})["a.w"] < LEAST


@pytest.fixture
def fast_bfloat16(monkeypatch):
    """A machine that says it has bfloat16 and does it in half the time."""
    monkeypatch.setattr(runtime, "has_bfloat16", lambda _: True)
    seconds = {(name, form): time for name, time in (("float32", 2.0), ("bfloat16", 1.0)) for form in runtime.LAYOUTS}
    monkeypatch.setattr(runtime, "speeds", lambda *_: seconds)


def trained(pictures, out, asked):
    machine = {**TINY["runtime"], "precision": asked}
    settings = {**TINY, "size": 16, "budget": {"steps": 2}, "runtime": machine}
    console = Quiet()
    run = train(configure(pictures, "dcgan", settings=settings), out, console)
    return run, [line for line in console.said if "wrong" in line]


@pytest.mark.slow
def test_wrong_bfloat16_makes_a_run_in_float32_and_one_line_says_why(pictures, tmp_path, wrong, fast_bfloat16):
    wrong("a sum is cut short")
    run, said = trained(pictures, tmp_path / "r", "auto")
    assert len(said) == 1
    assert said[0].startswith("float32 instead of bfloat16, which is wrong on this machine: the gradient of ")
    info = run.info()
    assert info.device.precision == info.config["runtime"]["precision"] == "float32"
    assert info.device.remark == said[0]
    assert info.device.bfloat16_gain == 2.0
    plain, _ = trained(pictures, tmp_path / "plain", "float32")
    assert fingerprint(run.files.checkpoint(16)) == fingerprint(plain.files.checkpoint(16))
    console = Quiet()
    sg.resume(run.path, sg.Budget(steps=4), console=console)
    assert run.info().device.precision == "float32"
    assert not [line for line in console.said if "wrong" in line]


@pytest.mark.slow
def test_bfloat16_that_was_asked_for_is_kept_and_warned_of(pictures, tmp_path, wrong):
    wrong("channels are mixed up")
    run, said = trained(pictures, tmp_path / "r", "bfloat16")
    assert run.info().device.precision == "bfloat16"
    assert len(said) == 1
    assert "--precision float32" in said[0]


@pytest.mark.slow
def test_right_bfloat16_is_used_without_a_word(pictures, tmp_path, fast_bfloat16):
    run, said = trained(pictures, tmp_path / "r", "auto")
    assert (run.info().device.precision, said) == ("bfloat16", [])
