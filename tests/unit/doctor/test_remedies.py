"""What rules advise: settings that can be typed as they stand, that change something, and that go with the finding."""

from __future__ import annotations

import copy
import re
import shlex
from itertools import pairwise
from typing import Any

import pytest

from steadygan.config.load import merge, nested, parse_assignment, resolve
from steadygan.doctor import audit, remedies
from steadygan.doctor.case import Case, loss_of
from steadygan.doctor.remedies import Remedy, settings_in
from steadygan.doctor.rules import RULES
from steadygan.networks import DCGAN
from steadygan.objectives import R2
from steadygan.recipes import RECIPES
from steadygan.schedule import Cosine, Linear
from steadygan.training.check import check_early
from steadygan.training.config import Optimizers, RunConfig
from steadygan.training.optim import Adam
from steadygan.training.turns import Fixed
from tiny_recipes import spec_of, tiny_recipe
from unit.doctor.cases import case, course, health
from unit.doctor.test_dynamics import LAYERS, STUCK

BY_ID = {rule.id: rule for rule in RULES}
OWN = {"kind": "own", "type": "mine.Part", "settings": ""}
CONFIGS: dict[str, dict[str, Any]] = {
    "no configuration": {},
    "the default": RunConfig().dump(),
    "schedules": RunConfig(
        optimizer=Optimizers(generator=Adam(lr=Cosine(start=2e-4, end=5e-5, images=1000), beta1=0.9)),
        penalties=[R2(gamma=Linear(start=1.0, end=0.1, images=1000))],
    ).dump(),
    "adaptive augmentation": RunConfig(show="ada", loss="hinge", generator_terms=["feature_matching"]).dump(),
    "rare augmentation": RunConfig(show={"kind": "ada", "probability": 0.3, "colour": False}).dump(),
    "moderated": RunConfig(turns="moderated", loss="minimax", runtime={"precision": "float32"}).dump(),
    "five turns": RunConfig(
        turns=Fixed(discriminator=5),
        loss="wasserstein",
        penalties=["wgan_gp"],
        networks=DCGAN(discriminator_norm="none"),
    ).dump(),
    "the user's own": RunConfig().dump() | {"penalties": [OWN], "loss": OWN},
    **{name: tiny_recipe(name, spec_of(name)).dump() for name in RECIPES},
}
FAVOURS = {"favours-generator", "favours-discriminator", "rate-too-high", "rate-too-low"}  # which some faults call for


def settings(remedy: str) -> list[str]:
    """What a remedy sets, as the command line would be given it."""
    words = shlex.split(remedy.rpartition(" (")[0]) if remedy.startswith("--") else []
    return [word for flag, word in pairwise(words) if flag == "--set"]


def options(rule: str, one: Case) -> list[list[str]]:
    return [settings(remedy) for remedy in BY_ID[rule].remedies(one)]


def warned(config: dict[str, Any]) -> set[str]:
    return {found.rule for found in audit.audited(audit.RunPlan(config)) if found.severity != "info"}


SLOW = {*RECIPES} - {"steady", "dcgan", "msg", "ring"}  # whose networks are those of others


@pytest.mark.parametrize("name", [pytest.param(one, marks=[pytest.mark.slow] * (one in SLOW)) for one in CONFIGS])
def test_every_remedy_can_be_typed_as_it_stands_and_changes_something_for_the_better(name):
    config = CONFIGS[name]
    base = {part: value for part, value in (config or RunConfig().dump()).items() if value not in (OWN, [OWN])}
    before, wrong = resolve(RunConfig, base).dump(), warned(base)
    changes: dict[tuple[str, ...], dict[str, Any]] = {}
    for rule in RULES:
        remedies = rule.remedies(health({"threads": [2]}, loss=loss_of(config), config=config))
        assert remedies, rule.id
        for remedy in remedies:
            assert re.search(r"[^ ] \(.+\)$", remedy)
            assert ";" not in remedy  # which stands between them
            assert not remedy.startswith(f"--recipe {config.get('recipe')} ")
            start = {"start": {"source": "runs/a"}} if "--from" in remedy else {}
            if chosen := tuple(settings(remedy)):
                if chosen not in changes:
                    changed = resolve(RunConfig, base, *map(parse_assignment, chosen), start)
                    check_early(changed)
                    changes[chosen] = changed.dump()
                off = rule.id == "augmentation-leaks" and before["show"]["kind"] == "as_is"
                assert off or changes[chosen] != before, remedy
    for chosen, changed in changes.items():
        assert not config or warned(changed) - wrong <= FAVOURS, chosen


@pytest.mark.parametrize("name", CONFIGS)
def test_a_program_reads_of_a_remedy_the_settings_that_a_person_is_told(name):
    config = CONFIGS[name]
    one = health({"threads": [2]}, loss=loss_of(config), config=config)
    remedies = [remedy for rule in RULES for remedy in rule.remedies(one)]

    for remedy in remedies:
        assert isinstance(remedy, Remedy) == remedy.startswith("--set ")
        if isinstance(remedy, Remedy):
            told = (nested(place.split("."), value) for place, value in remedy.settings.items())
            assert merge({}, *told) == merge({}, *map(parse_assignment, settings(remedy)))
    assert {type(remedy) for remedy in remedies} == {str, Remedy}
    assert copy.deepcopy(remedies[0]).settings == remedies[0].settings


@pytest.mark.parametrize("rule", audit.RULES, ids=lambda rule: rule.id)
def test_what_stands_between_remedies_of_the_audit_stands_in_none(rule):
    assert ";" not in "".join(rule.remedies(audit.RunPlan()))


def test_learning_rates_are_those_of_the_run():
    one = health(config={"optimizer": {"generator": {"lr": 0.004}, "discriminator": {"lr": 0.001}}})

    assert ["optimizer.discriminator.lr=0.00025"] in options("discriminator-too-strong", one)
    assert ["optimizer.generator.lr=0.002", "optimizer.discriminator.lr=0.0005"] in options("divergence", one)


def test_a_log_without_settings_has_its_own_learning_rate_halved():
    one = case({"lr_d": [0.003] * 5, "lr_g": [0.001] * 5})

    assert ["optimizer.generator.lr=0.0005", "optimizer.discriminator.lr=0.0015"] in options("divergence", one)


def test_a_penalty_that_is_there_is_not_advised_again():
    one = health(config=RunConfig(penalties=["r1"]).dump())

    assert not any("r1" in text for chosen in options("mode-collapse", one) for text in chosen)


def test_only_the_player_whose_steps_are_short_gets_longer_ones():
    one = health(signals=STUCK | {f"updates.generator.{layer}": [1e-5] * 40 for layer in LAYERS})

    assert options("learning-rate-too-low", one) == [["optimizer.generator.lr=0.002"], []]


@pytest.mark.parametrize(("share", "place"), [("penalty.r1", "penalties"), ("term.mode_seeking", "generator_terms")])
def test_what_outweighs_the_game_is_what_is_made_lighter(share, place):
    config = RunConfig(penalties=["r1"], generator_terms=["mode_seeking"]).dump()
    one = health({f"shares.{share}": course(900, 400)}, STUCK, config=config)

    assert BY_ID["regulariser-dominates"](one)
    assert [text.partition("=")[0] for chosen in options("regulariser-dominates", one) for text in chosen] == [place]


def test_pale_pictures_were_held_back_and_harsh_ones_moved_too_fast():
    pale, harsh = (case(signals={"contrast": [own] * 9, "contrast_real": [0.4] * 9}) for own in (0.1, 0.9))

    assert options("contrast-off", pale) == [["optimizer.discriminator.lr=0.0001"]]
    assert options("contrast-off", harsh) == [["optimizer.generator.lr=0.0001"]]


def test_augmentation_that_leaks_is_made_rarer_and_one_that_is_slow_faster():
    rare = case(config=CONFIGS["rare augmentation"])
    slow = case(config=RunConfig(show={"kind": "ada", "speed_images": 50_000}).dump())

    assert options("augmentation-leaks", rare) == [["show=as_is"]]
    assert options("d-overfits", slow)[0] == ["show.speed_images=10000"]


def test_a_remedy_knows_what_the_run_is_set_to():
    config = {"networks": {"kind": "dcgan", "upsampling": {"kind": "transposed"}}, "data": {"mirror": True}}
    assert options("checkerboard", case(config=config))[0] == ["networks.upsampling=nearest"]
    config["networks"]["upsampling"] = {"kind": "nearest"}
    assert not any("upsampling" in text for chosen in options("checkerboard", case(config=config)) for text in chosen)
    assert not any("mirror" in text for chosen in options("d-overfits", case(config=config)) for text in chosen)


def test_threads_that_are_no_number_are_no_advice():
    assert options("speed-drops", case({"threads": [2, float("nan")]})) == [[], []]


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer.generator.lr": 1e-4, "optimizer.discriminator.lr": 0.00012},
        {"penalties": [{"kind": "r1", "gamma": 1.5}], "turns": "moderated"},
        {"show": {"kind": "ada", "probability": None}},
        {"data.mirror": True},
    ],
)
def test_settings_can_be_read_from_the_text_of_a_finding(settings):
    advice = remedies.options(settings, "they aren't; but (so it is said) they should")
    assert settings_in(f"{advice}; --recipe steady (a reason); more images") == [settings, {}]
