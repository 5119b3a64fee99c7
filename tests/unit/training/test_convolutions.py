"""How a run chooses the way in which each convolution is computed, notes it and keeps to it."""

from __future__ import annotations

import json

import pytest
import torch

import steadygan as sg
from quiet import Quiet
from steadygan.networks import Pair
from steadygan.ops.convolution import WAYS, compute_
from steadygan.recipes import configure
from steadygan.runs import DeviceInfo, LayerWay
from steadygan.studies.bench_step import bench_step
from steadygan.training import convolutions, speed
from steadygan.training.build import make_game, make_pair, make_parts
from steadygan.training.console import Silent
from steadygan.training.convolutions import settle_convolutions
from steadygan.training.run import train
from steadygan.training.runtime import Choices, Runtime
from steadygan.training.seeds import seed_everything
from tiny import TINY, fingerprint
from tiny_recipes import spec_of, tiny_recipe

NEXT_TO_THE_IMAGE = ("generator.layers.6", "discriminator.layers.0")


@pytest.fixture
def clock(monkeypatch, tmp_path):
    """Seconds of a pass in each way, to be set: blocks take half as long as torch. `passes` says what was timed."""
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(convolutions, "_LEAST_WORK", 0)

    class Clock:
        def __init__(self):
            self.seconds = {"plain": 2.0, "blocks": 1.0, "product": 3.0, "float32": 3.0}
            self.passes = []

        def __call__(self, met, device, way):
            self.passes.append((met, way))
            return self.seconds[way]

    found = Clock()
    monkeypatch.setattr(convolutions, "_pass_seconds", found)
    return found


def machine(precision="float32", layout="channels_last", **known) -> Runtime:
    return Runtime(Choices("cpu", precision, layout, 1, 1, **known))


def settled(name="dcgan", runtime=None, pinned="auto", batch=8):
    """A small pair, settled, and the runtime that knows how."""
    config = tiny_recipe(name, spec_of(name), batch=batch, runtime={"convolution": pinned})
    runtime = runtime or machine()
    pair = Pair(*(runtime.place(network) for network in make_pair(config, spec_of(name))))
    settle_convolutions(pair, config, runtime)
    return pair, runtime


def otherwise(pair: Pair) -> list[str]:
    """Names of the layers with a forward of their own."""
    parts = pair._asdict().items()
    layers = ((f"{player}.{name}", layer) for player, net in parts for name, layer in net.named_modules())
    return [name for name, layer in layers if "forward" in vars(layer)]


def test_a_layer_is_computed_in_the_way_that_was_clearly_faster(clock):
    pair, runtime = settled()
    chosen = runtime.choices.convolutions
    assert {(one.way, one.gain) for one in chosen} == {("blocks", 2.0)}
    assert [one.layer for one in chosen] == otherwise(pair)
    assert set(NEXT_TO_THE_IMAGE) <= set(otherwise(pair))
    count = len(chosen)
    assert runtime.choices.sentence() == (
        f"cpu, 1 thread, float32, channels last, {count} layers computed another way (up to 2.0× as fast)"
    )


@pytest.mark.parametrize("blocks", [2.0, 1.9])
def test_torchs_own_way_stays_where_another_is_hardly_faster(clock, blocks):
    clock.seconds["blocks"] = blocks
    pair, runtime = settled()
    assert runtime.choices.convolutions == ()
    assert otherwise(pair) == []
    assert clock.passes
    assert "another way" not in runtime.choices.sentence()


def test_torchs_own_way_stays_where_times_did_not_settle(clock, monkeypatch, tmp_path):
    monkeypatch.setattr(speed, "measured", lambda ways, once: ({way: once(way) for way in ways}, False))
    assert settled()[1].choices.convolutions == ()
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_what_was_timed_is_remembered_for_the_same_layer_given_the_same(clock):
    before = settled()[1].choices.convolutions
    count = len(clock.passes)
    clock.seconds["plain"] = 0.1
    assert settled()[1].choices.convolutions == before
    assert len(clock.passes) == count
    for runtime in (machine("bfloat16"), machine(layout="channels_first")):
        assert settled(runtime=runtime)[1].choices.convolutions == ()
        assert len(clock.passes) > count
        count = len(clock.passes)
    settled(batch=16)
    assert len(clock.passes) > count


def test_a_layer_is_timed_with_what_it_is_given_in_a_step(clock):
    settled(runtime=machine("bfloat16"))
    met = {one for one, _ in clock.passes}
    [image] = [one for one in met if one.maps[1] == 3]
    assert (image.maps, image.dtype, image.bfloat16, image.layout) == ((8, 3, 16, 16), "float32", True, "channels_last")
    assert image.work == 8 * 16 * 8 * 8 * 3 * 4 * 4
    assert {one.dtype for one in met if one.maps[2] > 1 and one != image} == {"bfloat16"}, "all but latents, too"


def test_the_networks_and_the_random_state_are_as_before(clock):
    config, runtime = tiny_recipe("dcgan", spec_of("dcgan")), machine()
    pair = make_pair(config, spec_of("dcgan"))
    weights = {name: value.clone() for net in pair for name, value in net.state_dict(prefix=str(net)).items()}
    state = torch.get_rng_state()
    settle_convolutions(pair, config, runtime)
    assert torch.equal(torch.get_rng_state(), state)
    for net in pair:
        for name, value in net.state_dict(prefix=str(net)).items():
            assert torch.equal(value, weights[name]), name
        assert not any(layer._forward_hooks for layer in net.modules())


@pytest.mark.parametrize("name", ["ring", "dcgan"])
def test_nothing_is_timed_where_it_would_not_pay(clock, monkeypatch, name):
    """Points have no convolution, and the work of small networks is done sooner."""
    if name == "dcgan":
        monkeypatch.undo()
        monkeypatch.setattr(convolutions, "_pass_seconds", clock)
    assert settled(name)[1].choices.convolutions == ()
    assert not clock.passes


def test_small_layers_of_a_network_are_not_timed(clock):
    settled()
    work = {met.work for met, _ in clock.passes}
    assert len(work) > 1
    assert min(work) > 0.01 * max(work)
    assert not any(met.weight[:2] == (1, 32) for met, _ in clock.passes), "the last of the discriminator"


def test_nothing_is_timed_on_another_device_or_where_it_is_pinned(clock, monkeypatch):
    assert settled(pinned="plain")[1].choices.convolutions == ()
    runtime = machine()
    runtime.device = torch.device("meta")
    config = tiny_recipe("dcgan", spec_of("dcgan"))
    settle_convolutions(make_pair(config, spec_of("dcgan")), config, runtime)
    assert runtime.choices.convolutions == ()
    assert not clock.passes


def test_processes_compute_as_the_first_one_chose(clock, monkeypatch):
    theirs, runtime = (LayerWay("discriminator.layers.0", "product", 1.5),), machine()
    monkeypatch.setattr(runtime, "agreed", lambda mine: theirs)
    pair, _ = settled(runtime=runtime)
    assert runtime.choices.convolutions == theirs
    assert otherwise(pair) == ["discriminator.layers.0"]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("way", ["plain", "blocks", "product"])
def test_a_pass_takes_time_in_each_way(way, precision, monkeypatch, clock):
    settled(runtime=machine(precision))
    monkeypatch.undo()
    met = next(met for met, asked in clock.passes if asked == "blocks")
    assert convolutions._pass_seconds(met, "cpu", way) > 0


def losses(name: str, way: str) -> torch.Tensor:
    """The losses of some steps and a penalty, all layers computed in one way where they can be."""
    spec = spec_of(name)
    config = tiny_recipe(name, spec)
    pair = Pair(*(network.double() for network in make_pair(config, spec)))
    for layer, form in convolutions._layers(pair).values():
        if WAYS[way].fits(form, 1, False):
            compute_(layer, way)
    assert bool(otherwise(pair)) == (way != "plain")
    game, rows = make_game(config, pair, spec), []
    for step in range(2):
        seed_everything(0, "step", step)
        real, latent = torch.rand(8, 3, spec.size, spec.size) * 2 - 1, torch.randn(8, config.networks.latent_dim)
        game.step(lambda real=real: (real.double(),), lambda latent=latent: latent.double())
        rows.append([game.report[key].item() for key in ("loss_d", "loss_g", "penalty", "grad_norm_d", "grad_norm_g")])
    return torch.tensor(rows)


@pytest.mark.parametrize("name", ["dcgan", "wgan-gp", "steady", "unrolled"])
def test_a_pair_trains_to_the_same_losses_in_every_way(name):
    usual = losses(name, "plain")
    for way in ("blocks", "product"):
        torch.testing.assert_close(losses(name, way), usual, rtol=1e-6, atol=1e-6)


@pytest.fixture
def config(pictures):
    settings = {**TINY, "size": 16, "budget": {"steps": 2}, "checkpoint": {"every_steps": 1, "keep": 9}}
    return lambda **changed: configure(pictures, "dcgan", settings={**settings, **changed})


@pytest.mark.slow
def test_a_run_notes_how_it_computes_and_goes_on_so_to_the_bit(clock, config, tmp_path):
    console = Quiet()
    whole = train(config(), tmp_path / "whole", console)
    assert [line for line in console.said if "computed another way" in line]
    noted = whole.info().device.convolutions
    assert set(NEXT_TO_THE_IMAGE) <= {one.layer for one in noted}
    assert {(one.way, one.gain) for one in noted} == {("blocks", 2.0)}
    broken = train(config(budget={"steps": 1}), tmp_path / "broken", Silent())
    clock.seconds |= {"blocks": 9.0, "product": 0.1}
    (tmp_path / "cache").rename(tmp_path / "forgotten")
    count = len(clock.passes)
    console = Quiet()
    sg.resume(broken.path, sg.Budget(steps=2), console=console)
    assert len(clock.passes) == count
    assert broken.info().device.convolutions == noted
    assert [line for line in console.said if "computed another way (up to 2.0× as fast)" in line]
    assert fingerprint(broken.files.checkpoint(16)) == fingerprint(whole.files.checkpoint(16))


def test_a_run_of_before_there_was_a_choice_is_computed_plainly():
    assert DeviceInfo.model_validate({"device": "cpu"}).convolutions == ()


@pytest.mark.parametrize("one", [LayerWay("discriminator.layers.0", "magic", 2.0), LayerWay("nobody", "blocks", 2.0)])
def test_a_way_that_cannot_be_kept_to_is_refused_until_it_is_given_up(one):
    with pytest.raises(sg.ConfigError, match=rf"{one.layer} in the way '{one.way}'.* set runtime.convolution to plain"):
        settled(runtime=machine(convolutions=(one,)))
    _, runtime = settled(runtime=machine(convolutions=(one,)), pinned="plain")
    assert runtime.choices.convolutions == ()


def test_another_precision_chooses_anew_for_the_average_too(clock, config):
    clock.seconds = {"plain": 2.0, "blocks": 1.0, "product": 3.0}
    parts = make_parts(config(runtime={**TINY["runtime"], "precision": "bfloat16"}), Silent())
    assert set(NEXT_TO_THE_IMAGE) <= set(otherwise(parts.pair))
    assert otherwise(Pair(parts.average.network, parts.pair.discriminator)) == otherwise(parts.pair)
    clock.seconds["blocks"] = 3.0
    parts = parts.in_float32("why")
    assert parts.runtime.choices.convolutions == ()
    assert otherwise(parts.pair) == otherwise(Pair(parts.average.network, parts.pair.discriminator)) == []
    assert parts.average.source[0] is next(parts.pair.generator.parameters())


@pytest.mark.slow
def test_the_benchmark_of_a_step_computes_as_a_run_does_and_says_so(clock):
    report = json.loads(bench_step(16, 2, 4, 1, compile=False, device="cpu").model_dump_json())
    layers = report["machine"]["convolutions"]
    assert set(NEXT_TO_THE_IMAGE) <= {one["layer"] for one in layers}
    assert report["plain_ratio"] > 0
    assert {(one["way"], one["gain"]) for one in layers} == {("blocks", 2.0)}
