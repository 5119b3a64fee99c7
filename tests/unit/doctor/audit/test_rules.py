"""Every rule of the audit: it sees its mistake, and is silent about a good plan."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch

from steadygan.config import parse_assignment, resolve
from steadygan.doctor.audit import RULES, Anatomy, Images, Layer, Remarked, RunPlan, audited
from steadygan.doctor.audit.authors import REASONS
from steadygan.doctor.audit.optimisation import usual_rate
from steadygan.doctor.audit.plan import most
from steadygan.doctor.rule import ORDER
from steadygan.recipes import Facts, choose_recipe
from steadygan.signals.anatomy import anatomy_of
from steadygan.spec import ImageSpec
from steadygan.training.changing import override
from steadygan.training.config import RunConfig

BY_ID = {rule.id: rule for rule in RULES}


@cache
def good() -> RunPlan:
    """The default recipe at 32 pixels for many images and as many steps as the articles train."""
    config = choose_recipe("steady", Facts(size=32))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator, discriminator = config.networks.build(ImageSpec(size=32, channels=3))
        looked, fakes = anatomy_of(generator, torch.randn(5, 100))
        judged, _ = anatomy_of(discriminator, fakes)
    settings = override(config, {"budget": {"steps": 20_000}}).dump()
    return RunPlan(settings, looked, judged, Images(training=10_000, held_out=1000, size=32), reals=(-1.0, 1.0))


def configured(**settings: Any) -> RunPlan:
    return replace(good(), config=override(resolve(RunConfig, good().config), settings).dump())


def generator(change: Callable[[Anatomy], dict[str, Any]]) -> RunPlan:
    network = good().generator
    return replace(good(), generator=network.model_copy(update=change(network)))


def discriminator(change: Callable[[Anatomy], dict[str, Any]], **settings: Any) -> RunPlan:
    network = good().discriminator
    return replace(configured(**settings), discriminator=network.model_copy(update=change(network)))


def images(**facts: Any) -> RunPlan:
    return replace(good(), data=good().data.model_copy(update=facts))


def last(network: Anatomy, *layers: Layer) -> dict[str, Any]:
    """Other layers in the place of the last."""
    return {"layers": (*network.layers[:-1], *layers)}


def each(network: Anatomy, change: Callable[[Layer], dict[str, Any]], *kinds: str) -> dict[str, Any]:
    """All layers of some kinds changed."""
    return {
        "layers": tuple(it.model_copy(update=change(it)) if it.kind in kinds else it for it in network.layers),
    }


def second(network: Anatomy, *layers: Layer) -> dict[str, Any]:
    """Layers put in behind the first."""
    return {"layers": (network.layers[0], *layers, *network.layers[1:])}


def act(what: str, slope: float = 0.0) -> Layer:
    return Layer(kind="activation", what=what, slope=slope)


BATCH_NORM = Layer(kind="norm", what="batch_norm")
MAPS = ("convolution", "transposed")
ALL = (*MAPS, "dense")
NO_PENALTY: dict[str, Any] = {"penalties": []}


def default(layer: Layer) -> dict[str, Any]:
    bound = (layer.fan_out if layer.kind == "transposed" else layer.fan_in) ** -0.5
    return {"std": bound / 3**0.5, "bias": 0.99 * bound}


def narrow(layer: Layer) -> dict[str, Any]:
    return {"inside": max(3, layer.inside // 8), "outside": max(3, layer.outside // 8)}


def with_remark(check: str) -> RunPlan:
    return images(remarks={check: Remarked(severity="warning", sentence="Some are so.", remedy="leave them out")})


REMARKS = {rule.id for rule in RULES if rule.causes.startswith("How the images")}
FALLING = {"kind": "cosine", "start": 1e-3, "end": 1e-4}

FAULTS: dict[str, Callable[[], RunPlan]] = {
    "pooling": lambda: discriminator(lambda it: second(it, Layer(kind="pooling", what="max_pool2d"))),
    "average-pooling": lambda: discriminator(
        lambda it: second(it, Layer(kind="pooling", what="avg_pool2d"), Layer(kind="sum", what="add"))
    ),
    "no-tanh": lambda: generator(lambda it: last(it, act("sigmoid")) | {"low": 0.1, "high": 0.9}),
    "another-range": lambda: generator(lambda it: {"low": 0.2, "high": 0.8}),
    "norm-in-generators-last-layer": lambda: generator(lambda it: last(it, BATCH_NORM, act("tanh"))),
    "norm-in-discriminators-first-layer": lambda: discriminator(lambda it: second(it, BATCH_NORM)),
    "no-leaky-relu": lambda: discriminator(
        lambda it: each(it, lambda _: {"what": "relu", "slope": 0.0}, "activation"), **NO_PENALTY
    ),
    "relu-in-bounded-discriminator": lambda: discriminator(
        lambda it: each(it, lambda _: {"what": "relu", "slope": 0.0}, "activation")
    ),
    "saturating-activations": lambda: discriminator(lambda it: each(it, lambda _: {"what": "tanh"}, "activation")),
    "few-filters": lambda: generator(lambda it: each(it, narrow, *MAPS)),
    "asymmetric-depth": lambda: discriminator(lambda it: {"layers": it.layers[:2]}),
    "lopsided-parameters": lambda: discriminator(lambda it: each(it, lambda k: {"weights": k.weights // 20}, *MAPS)),
    "channels-last": lambda: generator(lambda it: {"output": (32, 32, 3)}),
    "uneven-kernels": lambda: generator(
        lambda it: {
            "layers": tuple(
                layer.model_copy(update={"kernel": 5}) if layer == it.weighted[-1] else layer for layer in it.layers
            )
        }
    ),
    "constant-output": lambda: generator(lambda it: {"low": 0.0, "high": 0.0}),
    "no-convolution": lambda: generator(
        lambda it: each(it, lambda _: {"kind": "dense"}, *MAPS) | {"output": (3, 64, 64)}
    ),
    "small-latent": lambda: generator(lambda it: {"input": (2,)}),
    "sigmoid-with-logits": lambda: discriminator(lambda it: {"layers": (*it.layers, act("sigmoid", 1.0))}),
    "sigmoid-output": lambda: replace(
        discriminator(lambda it: {"layers": (*it.layers, act("sigmoid", 1.0))}), config={}
    ),
    "nonzero-biases": lambda: discriminator(lambda it: each(it, lambda _: {"bias": 0.1}, *ALL)),
    "default-initialisation": lambda: discriminator(lambda it: each(it, default, *ALL)),
    "odd-initialisation": lambda: discriminator(lambda it: each(it, lambda _: {"std": 1.0}, *ALL)),
    "rate-too-high": lambda: configured(optimizer={"generator": {"lr": 0.03}, "discriminator": {"lr": 0.03}}),
    "rate-too-low": lambda: configured(optimizer={"generator": {"lr": 1e-6}, "discriminator": {"lr": 1e-6}}),
    "high-momentum": lambda: configured(optimizer={"generator": {"beta1": 0.9}}),
    "favours-generator": lambda: configured(turns={"generator": 2}),
    "favours-discriminator": lambda: configured(optimizer={"generator": {"lr": 2e-5}, "discriminator": {"lr": 4e-4}}),
    "rates-part": lambda: configured(optimizer={"discriminator": {"lr": FALLING}}),
    "joint-batches": lambda: discriminator(lambda it: last(it, BATCH_NORM, it.layers[-1]), batches="joint"),
    "small-batch": lambda: configured(batch=2),
    "no-average": lambda: configured(ema={"half_life_images": 0}),
    "critic-unbounded": lambda: configured(loss={"kind": "wasserstein"}, **NO_PENALTY),
    "critic-batch-norm": lambda: discriminator(
        lambda it: last(it, BATCH_NORM, it.layers[-1]),
        loss={"kind": "wasserstein"},
        penalties=[{"kind": "wgan_gp", "weight": 10.0}],
    ),
    "penalty-with-batch-norm": lambda: discriminator(lambda it: last(it, BATCH_NORM, it.layers[-1])),
    "clipping-with-momentum": lambda: configured(
        penalties=[{"kind": "weight_clipping", "limit": 0.01}], optimizer={"discriminator": {"beta1": 0.5}}
    ),
    "penalty-with-kinks": lambda: discriminator(
        lambda it: each(it, lambda _: {"what": "relu", "slope": 0.0}, "activation")
    ),
    "one-adam-state": lambda: configured(turns={"kind": "apart", "own_states": False}),
    "unclear-labels": lambda: configured(
        loss={"kind": "non_saturating", "real_labels": [0.0, 0.3], "fake_labels": [0.7, 1.0], "flip": 0.0}
    ),
    "saturating-loss": lambda: configured(loss={"kind": "minimax"}),
    "uniform-latents": lambda: configured(networks={"latent": "uniform"}),
    "no-history": lambda: configured(**NO_PENALTY),
    "old-fakes": lambda: configured(replay={"kind": "history", "use": 0.9}),
    "history-range": lambda: replace(
        generator(lambda it: {"layers": it.layers[:-1]}), config=configured(replay={"kind": "history"}).config
    ),
    "no-regulariser": lambda: configured(**NO_PENALTY),
    "norm-alone": lambda: discriminator(lambda it: last(it, BATCH_NORM, it.layers[-1]), **NO_PENALTY),
    "regularisation-constant": lambda: configured(penalties=[{"kind": "l2", "weight": 0.5}]),
    "few-images-as-they-are": lambda: images(training=400),
    "augmentation-may-leak": lambda: configured(show={"kind": "ada", "probability": 1.0}),
    "needless-augmentation": lambda: replace(
        images(training=100_000), config=configured(show={"kind": "diff_augment", "probability": 1.0}).config
    ),
    "loud-noise": lambda: configured(show={"kind": "instance_noise", "std": 2.0}),
    "very-few-images": lambda: images(training=40),
    "unusable-files": lambda: images(unusable=3000),
    "batch-of-everything": lambda: images(training=40),
    "nothing-held-out": lambda: images(held_out=0),
    "reals-range": lambda: replace(good(), reals=(0.0, 1.0)),
    "few-steps": lambda: configured(budget={"steps": 100}),
    "short-budget": lambda: configured(budget={"steps": 5000}),
    "images-unseen": lambda: configured(budget={"steps": 100}),
    **{it: lambda it=it: with_remark(it.removeprefix("images-")) for it in BY_ID if it in REMARKS},
}


def test_every_rule_has_a_fault_that_triggers_it_and_a_name_of_its_own() -> None:
    assert set(FAULTS) == set(BY_ID)
    assert len(BY_ID) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_sees_its_mistake_and_says_what_to_do(rule) -> None:
    found = rule(FAULTS[rule.id]())
    assert found is not None
    assert found.rule == rule.id
    assert found.severity == rule.severity
    assert any(letter.isalpha() for letter in found.evidence)
    assert all([found.says, found.causes, found.remedy, found.source])
    assert "\n" not in found.model_dump_json()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_is_silent_about_a_good_plan_and_about_nothing_at_all(rule) -> None:
    assert rule(good()) is None
    assert rule(RunPlan()) is None


MORE_FAULTS = {
    "rate-too-high": [
        lambda: configured(optimizer={"discriminator": {"kind": "sgd", "lr": 50.0, "momentum": 0.0}}),
        lambda: configured(optimizer={"generator": {"lr": 0.03}}),
    ],
    "high-momentum": [lambda: configured(optimizer={"discriminator": {"beta1": 0.9}})],
    "favours-generator": [lambda: configured(optimizer={"generator": {"lr": 8e-3}})],
    "favours-discriminator": [lambda: configured(turns={"discriminator": 8})],
    "rates-part": [
        lambda: configured(optimizer={"generator": {"lr": FALLING | {"end": 1e-5}}}),
        lambda: configured(optimizer={"generator": {"lr": FALLING | {"end": 5e-4}}, "discriminator": {"lr": FALLING}}),
    ],
    "regularisation-constant": [lambda: configured(optimizer={"discriminator": {"weight_decay": 0.5}})],
    "few-steps": [lambda: configured(budget={"steps": None, "images": 10_000})],
}
OF_SETTINGS = [
    *((name, make) for name, make in FAULTS.items() if name not in REMARKS),
    *((name, make) for name, ones in MORE_FAULTS.items() for make in ones),
]


def obeyed(plan: RunPlan, remedy: str) -> RunPlan | None:
    """The plan with what a remedy sets; None if that is not what it does."""
    words = shlex.split(remedy.partition(" (")[0]) if remedy.startswith("--") else []
    places: dict[str, Callable[[str], dict[str, Any]]] = {
        "--set": parse_assignment,
        "--steps": lambda text: {"budget": {"images": None, "steps": int(text), "minutes": None}},
        "--minutes": lambda text: {"budget": {"images": None, "steps": None, "minutes": float(text)}},
        "--batch": lambda text: {"batch": int(text)},
    }
    chosen = [places[flag](text) for flag, text in pairwise(words) if flag in places]
    changed = override(resolve(RunConfig, plan.config or RunConfig().dump()), {}, *chosen).dump()
    return replace(plan, config=changed) if chosen else None


@pytest.mark.parametrize(("name", "make"), OF_SETTINGS)
def test_a_setting_that_is_advised_ends_the_mistake_where_it_is_one_of_settings(name, make) -> None:
    plan, rule = make(), BY_ID[name]
    of_settings = plan == replace(good(), config=plan.config)
    assert rule(plan) is not None
    for remedy in rule.remedies(plan):
        changed = obeyed(plan, remedy)
        assert changed is None or not of_settings or rule(changed) is None, remedy
        assert changed is None or not of_settings or changed != plan, remedy


@pytest.mark.parametrize(
    "rule", ["nonzero-biases", "default-initialisation", "odd-initialisation", "few-steps", "short-budget"]
)
def test_what_was_trained_is_not_judged_as_a_start(rule: str) -> None:
    plan = FAULTS[rule]()
    assert BY_ID[rule](plan)
    assert not BY_ID[rule](replace(plan, config={**plan.config, "start": {"source": "/runs/a"}}))


def test_what_is_not_told_of_a_pair_is_not_held_against_it() -> None:
    for loss in ("hinge", "wasserstein"):
        told = replace(good(), config={"loss": {"kind": loss}}, data=None)
        assert [it.rule for it in audited(told) if it.severity != "info"] == []


def test_an_audit_of_a_good_plan_finds_nothing() -> None:
    assert audited(good()) == []


def test_the_gravest_comes_first() -> None:
    plan = replace(configured(turns={"generator": 2}, budget={"steps": 5000}), reals=(0.0, 255.0))
    assert [it.rule for it in audited(plan)] == ["reals-range", "favours-generator", "short-budget"]


def test_what_an_author_had_a_reason_for_is_an_info_with_that_reason() -> None:
    plan = discriminator(lambda it: last(it, BATCH_NORM, it.layers[-1]), batches="joint", recipe="upsample")
    [found] = [it for it in audited(plan) if it.rule == "joint-batches"]
    assert found.severity == "info"
    assert "document" in found.unless


def test_every_reason_is_for_a_rule_that_is_there() -> None:
    assert {it.rule for it in REASONS} <= set(BY_ID)


def test_severities_are_those_of_findings() -> None:
    assert {rule.severity for rule in RULES} == set(ORDER)


@pytest.mark.parametrize(("batch", "rate"), [(64, 2e-4), (512, 1e-3)])
def test_the_usual_rate_goes_through_the_two_that_the_article_names(batch: int, rate: float) -> None:
    assert usual_rate(batch) == pytest.approx(rate, rel=0.01)


@pytest.mark.parametrize(
    ("value", "largest"), [(0.5, 0.5), ({"kind": "cosine", "start": 1.0, "end": 0.1, "images": 100}, 1.0), (None, 0.0)]
)
def test_the_most_of_a_schedule_is_of_its_values_not_of_its_images(value: Any, largest: float) -> None:
    assert most(value) == largest


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        ({"images": 64_000}, 2000),
        ({"images": 64_001}, 2001),
        ({"steps": 70}, 70),
        ({"minutes": 5.0}, None),
        ({}, 200_000 // 32),
    ],
)
def test_steps_follow_from_whatever_bounds_the_run(budget: dict[str, Any], steps: int | None) -> None:
    nothing = {"images": None, "steps": None, "minutes": None}
    assert configured(budget=nothing | budget).steps == steps


def test_points_are_not_judged_as_pictures() -> None:
    ring = choose_recipe("ring", Facts(size=1, channels=2))
    pair = ring.networks.build(ImageSpec(size=1, channels=2))
    looked, fakes = anatomy_of(pair.generator, torch.randn(5, 256))
    judged, _ = anatomy_of(pair.discriminator, fakes)
    found = audited(RunPlan(ring.dump(), looked, judged))
    assert [it.rule for it in found if it.severity != "info"] == []


def test_rates_that_are_off_in_either_way_are_mended_together() -> None:
    plan = configured(optimizer={"generator": {"lr": 1e-6}, "discriminator": {"lr": 0.03}})
    found = {one.rule: one.remedy for one in audited(plan)}
    for name in ("rate-too-high", "rate-too-low"):
        assert "optimizer.generator.lr" in found[name]
        assert "optimizer.discriminator.lr" in found[name]
