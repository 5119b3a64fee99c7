"""Techniques together: each alone and every pair plays two steps or is refused in a sentence; labels go all the way."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image

import steadygan as sg
from steadygan.augment import AnyShow
from steadygan.config import merge
from steadygan.errors import ConfigError
from steadygan.networks import AnyNetworks, Pair, classes_of
from steadygan.networks.choices import AnyActivation, AnyInit, AnyMinibatch
from steadygan.networks.norms import AnyNorm
from steadygan.networks.resampling import AnyDownsampling, AnyUpsampling
from steadygan.objectives import AnyGeneratorTerm, AnyLoss, AnyPenalty
from steadygan.recipes import RECIPES, plan
from steadygan.spec import ImageSpec
from steadygan.training.build import make_game, make_pair
from steadygan.training.changing import override
from steadygan.training.check import check
from steadygan.training.config import RunConfig
from steadygan.training.console import Silent
from steadygan.training.game import Game
from steadygan.training.opponent import AnyOpponent
from steadygan.training.optim import AnyOptimizer
from steadygan.training.replay import AnyReplay
from steadygan.training.run import train
from steadygan.training.turns import AnyTurns
from tiny_recipes import SMALL, spec_of, tiny_recipe

SPEC = ImageSpec(size=16, channels=3)
PLACES = {
    "loss": AnyLoss,
    "show": AnyShow,
    "replay": AnyReplay,
    "opponent": AnyOpponent,
    "turns": AnyTurns,
    "networks.upsampling": AnyUpsampling,
    "networks.downsampling": AnyDownsampling,
    "networks.generator_norm": AnyNorm,
    "networks.discriminator_norm": AnyNorm,
    "networks.generator_activation": AnyActivation,
    "networks.discriminator_activation": AnyActivation,
    "networks.discriminator_init": AnyInit,
    "networks.minibatch": AnyMinibatch,
    "optimizer.discriminator": AnyOptimizer,
}
SETTINGS = {
    "labels": {"loss": {"kind": "non_saturating", "real_labels": (0.7, 1.2), "fake_labels": (0, 0.3), "flip": 0.05}},
    "joint": {"batches": "joint"},
    "joint both": {"batches": "joint_both"},
    "dropout": {"networks": {"dropout": 0.3}},
    "spectral": {"networks": {"spectral_norm": "both"}},
    "closing": {"networks": {"closing_layers": 1}},
    "patches": {"networks": {"patches": 1}},
    "self_modulation": {"networks": {"self_modulation": 3}},
    "schedule": {"optimizer": {"generator": {"lr": {"kind": "cosine", "start": 1e-3, "end": 1e-4, "images": 16}}}},
    "lazy": {"penalties": [{"kind": "r1", "every": 2}]},
}


def kinds(union: Any) -> list[str]:
    return [member.model_fields["kind"].default for member in get_args(get_args(union)[0])]


def at_place(place: str, value: Any) -> dict[str, Any]:
    for name in reversed(place.split(".")):
        value = {name: value}
    return value


def every_technique() -> dict[str, dict[str, Any]]:
    """Settings that switch one technique on, by a name."""
    found = {f"{place}={kind}": at_place(place, kind) for place, union in PLACES.items() for kind in kinds(union)}
    found |= {f"penalties={kind}": {"penalties": [kind]} for kind in kinds(AnyPenalty)}
    found |= {f"terms={kind}": {"generator_terms": [kind]} for kind in kinds(AnyGeneratorTerm)}
    found |= {f"networks={kind}": {"networks": {"kind": kind, **SMALL.get(kind, {})}} for kind in kinds(AnyNetworks)}
    return found | SETTINGS


def together(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Both at once; lists, such as penalties, are joined where `merge` would replace the first."""
    lists = {name: [*first[name], *value] for name, value in second.items() if isinstance(first.get(name), list)}
    return {**merge(first, second), **lists}


TECHNIQUES = every_technique()


def play(settings: dict[str, Any], spec: ImageSpec = SPEC, steps: int = 2) -> Game:
    """Two steps on random images; ConfigError if the settings are refused."""
    config = override(RunConfig(), {"batch": 8, "networks": {"width": 4, "max_width": 8}}, settings)
    check(config, spec, 1)
    game = make_game(config, Pair(*make_pair(config, spec)), spec)
    labels = (torch.arange(8) % 2,)[: bool(classes_of(game.generator))]
    for _ in range(steps):
        images = torch.rand(8, spec.channels, spec.size, spec.size) * 2 - 1
        game.step(lambda images=images: (images, *labels), lambda: torch.randn(8, config.networks.latent_dim))
    return game


def plays_or_is_refused(settings: dict[str, Any]) -> bool:
    try:
        game = play(settings, spec_of("faces256") if "faces256" in str(settings) else SPEC)
    except ConfigError as problem:
        if ";" not in str(problem):  # a refusal says what to do
            raise
        return False
    assert game.healthy == 1
    assert all(torch.isfinite(value) for value in game.report.values())
    return True


@pytest.mark.parametrize("name", TECHNIQUES)
def test_each_technique_plays_alone(name):
    settings = TECHNIQUES[name]
    alone = {"networks=points": "refused", "turns=balanced": "plays"}.get(name, "plays")
    assert plays_or_is_refused(settings) == (alone == "plays")


@pytest.mark.slow
@pytest.mark.parametrize("first", list(TECHNIQUES))
def test_each_pair_of_techniques_plays_or_is_refused_in_a_sentence(first):
    names = list(TECHNIQUES)
    for second in names[names.index(first) + 1 :]:
        with suppress(ConfigError if _of_two_families(first, second) else ()):
            plays_or_is_refused(together(TECHNIQUES[first], TECHNIQUES[second]))


def _of_two_families(first: str, second: str) -> bool:
    """Whether one chooses other networks and the other a setting that only the dcgan networks have."""
    return any(name.startswith("networks=") for name in (first, second)) and "networks" in TECHNIQUES[second]


REFUSED = {
    "moderated with pairs": {"turns": "moderated", "loss": "relativistic"},
    "balanced with a critic": {"turns": "balanced", "loss": "wasserstein"},
    "adaptive ADA with pairs": {"show": "ada", "loss": "relativistic"},
    "history of pyramids": {"replay": "history", "networks": {"kind": "msg", **SMALL["msg"]}},
    "shifted pyramids": {"show": "diff_augment", "networks": {"kind": "msg", **SMALL["msg"]}},
    "consistent pyramids": {"penalties": ["consistency"], "networks": {"kind": "msg", **SMALL["msg"]}},
    "adaptive ADA about another boundary": {"show": "ada", "loss": "least_squares"},
    "a history too small for a batch": {"replay": {"kind": "history", "capacity": 4}},
    "joint comparisons": {"batches": "joint", "penalties": ["perturbed_r1"]},
    "joint halves": {"batches": "joint", "turns": "apart"},
    "halves joint in both turns": {"batches": "joint_both", "turns": "moderated"},
    "comparisons joint in both turns": {"batches": "joint_both", "penalties": ["consistency"]},
}


@pytest.mark.parametrize("settings", REFUSED.values(), ids=list(REFUSED))
def test_what_contradicts_itself_is_refused_with_a_way_out(settings):
    with pytest.raises(ConfigError, match=r"choose|fix"):
        play(settings)


def test_what_needs_a_picture_is_refused_for_points():
    with pytest.raises(ConfigError, match="points cannot be"):
        play({"networks": {"kind": "points"}, "show": "diff_augment"}, ImageSpec(size=1, channels=2))


def test_a_history_is_refused_only_where_labels_are_used():
    labelled = ImageSpec(size=16, channels=3, classes=2)
    networks = {"kind": "sngan", "width": 4}
    with pytest.raises(ConfigError, match="other images' labels"):
        play({"replay": "history", "networks": networks}, labelled)
    play({"replay": "history", "networks": {**networks, "conditional": False}}, labelled)


def test_what_each_penalty_and_term_adds_is_reported_by_name():
    settings = {"penalties": ["r1", {"kind": "l2", "weight": 0.1}, "r1"], "generator_terms": ["l2"]}
    game = play(settings, steps=1)
    shares = {name: float(value) for name, value in game.report.items() if "." in name}
    assert list(shares) == ["penalty.r1", "penalty.l2", "penalty.r1-2", "term.l2"]
    total = shares["penalty.r1"] + shares["penalty.l2"] + shares["penalty.r1-2"]
    assert total == pytest.approx(float(game.report["penalty"]), rel=1e-5)
    assert shares["term.l2"] == pytest.approx(float(game.report["generator_terms"]))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_and_takes_two_steps_with_batch_and_size_of_the_users_choice(name):
    spec = spec_of(name)
    config = tiny_recipe(name, spec, batch=6)
    check(config, spec, 1)
    game = make_game(config, Pair(*make_pair(config, spec)), spec)
    form = (6, spec.channels, spec.size, spec.size)
    for _ in range(2):
        game.step(lambda: (torch.rand(form) * 2 - 1,), lambda: torch.randn(6, config.networks.latent_dim))
    assert game.healthy == 1
    assert config.recipe == name


def coloured_classes(folder, count=24):
    """Red squares in one folder, blue ones in another."""
    rng = np.random.default_rng(0)
    for name, channel in (("blue", 2), ("red", 0)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((16, 16, 3), 30, np.uint8)
            pixels[..., channel] = rng.integers(180, 255)
            pixels[4:12, rng.integers(1, 4) : 12] += 20
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    settings = {
        "networks": {"kind": "sngan", "width": 4, "conditional": True},
        "batch": 16,
        "size": 16,
        "ema": {"half_life_images": 100},
        "runtime": {"device": "cpu", "precision": "float32", "layout": "channels_last", "threads": 1},
        "optimizer": {"generator": {"lr": 2e-3}, "discriminator": {"lr": 2e-3}},
    }
    config, dataset, _ = plan(coloured_classes(folder / "data"), "steady", {**settings, "budget": {"steps": 40}})
    return train(config, folder / "run", Silent(), dataset)


def redness(images: torch.Tensor) -> torch.Tensor:
    return images[:, 0].float().mean((1, 2)) - images[:, 2].float().mean((1, 2))


def test_a_run_on_class_folders_learns_the_classes_and_samples_one(conditional, tmp_path):
    model = sg.load(conditional.path, "latest")
    assert model.classes == 2
    assert model.class_names == ["blue", "red"]
    red, blue = (redness(model.sample(16, seed=1, label=name)) for name in ("red", "blue"))
    assert red.mean() > blue.mean() + 50
    assert torch.equal(model.sample(8, label=1), model.sample(8, label="red"))
    both = redness(model.sample(16))
    assert both[8:].mean() > both[:8].mean()  # of all classes in turn


def test_an_exported_conditional_generator_knows_its_classes(conditional, tmp_path):
    model = sg.load(conditional.path)
    file = model.save(tmp_path / "g.safetensors")
    again = sg.load(file)
    assert torch.equal(again.sample(4, label="red"), model.sample(4, label="red"))


@pytest.mark.parametrize(("label", "words"), [("green", "there are blue, red"), ("2", "there are blue, red")])
def test_a_class_that_is_not_there_is_refused_with_those_that_are(conditional, label, words):
    with pytest.raises(ConfigError, match=words):
        sg.load(conditional.path).sample(2, label=label)


def test_sample_class_is_an_option_of_the_command(conditional, tmp_path):
    from steadygan.cli.main import main

    with pytest.raises(SystemExit) as left:
        main(["sample", str(conditional.path), "-n", "4", "--class", "red", "-o", str(tmp_path / "red.png")])
    assert not left.value.code
    pixels = np.asarray(Image.open(tmp_path / "red.png").convert("RGB")).astype(int)
    assert pixels[..., 0].mean() > pixels[..., 2].mean()


def test_run_json_names_the_classes_and_a_resumed_run_goes_on_with_them(conditional):
    info = json.loads((conditional.path / "run.json").read_text())
    assert info["data"]["class_names"] == ["blue", "red"]
    budget = sg.Budget(steps=42)
    more = sg.resume(conditional.path, budget, console=Silent())
    assert more.log()[-1].step == 42
