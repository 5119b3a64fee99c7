"""What rules of the game's dynamics advise: settings that can be typed as they stand, from the run's own."""

from __future__ import annotations

import shlex
from itertools import pairwise
from typing import Any

import pytest

from steadygan.config.load import parse_assignment, resolve
from steadygan.doctor.case import Case, loss_of
from steadygan.doctor.rule import Rule
from steadygan.objectives import R2
from steadygan.recipes import RECIPES
from steadygan.schedule import Cosine, Linear
from steadygan.training.check import check_early
from steadygan.training.config import Optimizers, RunConfig
from steadygan.training.optim import Adam
from steadygan.training.turns import Fixed
from unit.doctor.cases import case, health
from unit.doctor.test_dynamics import BY_ID, RULES

OWN = {"kind": "own", "type": "mine.Part", "settings": ""}


def options(rule: Rule, one: Case) -> list[list[str]]:
    """The settings of each remedy, as the command line would be given them."""
    words = [shlex.split(remedy.rpartition(" (")[0]) for remedy in rule.remedies(one)]
    return [[word for flag, word in pairwise(line) if flag == "--set"] for line in words]


CONFIGS: dict[str, dict[str, Any]] = {
    "no configuration": {},
    "the default": RunConfig().dump(),
    "schedules": RunConfig(
        optimizer=Optimizers(generator=Adam(lr=Cosine(start=2e-4, end=5e-5, images=1000), beta1=0.9)),
        penalties=[R2(gamma=Linear(start=1.0, end=0.1, images=1000))],
    ).dump(),
    "adaptive augmentation": RunConfig(show="ada", loss="hinge", generator_terms=["feature_matching"]).dump(),
    "moderated": RunConfig(turns="moderated", loss="minimax").dump(),
    "five turns": RunConfig(turns=Fixed(discriminator=5), loss="wasserstein", penalties=["wgan_gp"]).dump(),
    "the user's own": RunConfig().dump() | {"penalties": [OWN], "loss": OWN},
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("rule", RULES, ids=BY_ID)
def test_every_remedy_can_be_typed_as_it_stands(rule, name):
    config = CONFIGS[name]
    found = options(rule, health(loss=loss_of(config), config=config))
    base = {part: value for part, value in (config or RunConfig().dump()).items() if value not in (OWN, [OWN])}

    assert rule.remedies(health(config=config))[-1].startswith("--recipe steady ")
    for settings in found:
        changed = resolve(RunConfig, base, *(parse_assignment(text) for text in settings))
        check_early(changed)
        assert not settings or changed.dump() != resolve(RunConfig, base).dump()


@pytest.mark.parametrize("rule", RULES, ids=BY_ID)
def test_every_rule_advises_a_setting_besides_another_recipe(rule):
    assert any(any(options(rule, health(loss=loss_of(config), config=config))) for config in CONFIGS.values())


def test_the_recipe_that_is_advised_exists():
    assert "steady" in RECIPES


def test_learning_rates_are_those_of_the_run():
    one = health(config={"optimizer": {"generator": {"lr": 0.004}, "discriminator": {"lr": 0.001}}})

    assert ["optimizer.discriminator.lr=0.00025"] in options(BY_ID["discriminator-too-strong"], one)
    assert ["optimizer.generator.lr=0.002", "optimizer.discriminator.lr=0.0005"] in options(BY_ID["divergence"], one)


def test_a_log_without_settings_has_its_own_learning_rate_halved():
    one = case({"lr_d": [0.003] * 5, "lr_g": [0.001] * 5})

    assert ["optimizer.generator.lr=0.0005", "optimizer.discriminator.lr=0.0015"] in options(BY_ID["divergence"], one)


def test_a_penalty_that_is_there_is_not_advised_again():
    one = health(config=RunConfig(penalties=["r1"]).dump())

    assert not any("r1" in text for settings in options(BY_ID["mode-collapse"], one) for text in settings)
