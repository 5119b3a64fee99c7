"""The rules of the game's dynamics: each sees its failure, and all are silent where there is none."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from steadygan.doctor.balance import BALANCE
from steadygan.doctor.case import Case
from steadygan.doctor.collapse import COLLAPSE
from steadygan.doctor.divergence import DIVERGENCE
from steadygan.doctor.gradients import GRADIENTS
from steadygan.doctor.rule import Rule, story
from steadygan.doctor.rules import RULES as ALL_RULES
from steadygan.doctor.standing import STANDING
from unit.doctor.cases import GAMES, case, course, health

RULES: tuple[Rule, ...] = (*COLLAPSE, *BALANCE, *GRADIENTS, *STANDING, *DIVERGENCE)
BY_ID = {rule.id: rule for rule in RULES}

SETTLED = {"distance": [*course(40, 12, 20), *course(12, 12, 20)]}
LAYERS = ("first", "second", "last")
STUCK = {"distance": course(40, 36)}
WORSENING = {"distance": [*course(40, 6, 20), *course(6, 15, 20)]}
SURE = {"accuracy_real": [1.0] * 40, "accuracy_fake": [0.99] * 40, "loss_d": course(0.2, 0.001)}
SURE_SIGNALS = {"accuracy_real": [1.0] * 40, "accuracy_fake": [1.0] * 40}
GUESSING = {"accuracy_real": [0.52] * 40, "accuracy_fake": [0.47] * 40, "d_real": [0.01] * 40, "d_fake": [0.0] * 40}
ONE_PICTURE = {
    "diversity": [*course(0.05, 0.3, 20), *[0.02] * 20],
    "rank": [*course(2, 14, 20), *[1.1] * 20],
    "twins": [*course(1, 0.03, 20), *[1.0] * 20],
    "ms_ssim": [*course(0.9, 0.2, 20), *[0.99] * 20],
}
FEW_PICTURES = {
    "diversity": [*course(0.05, 0.3, 20), *course(0.3, 0.15, 20)],
    "rank": [*course(2, 14, 20), *course(14, 6, 20)],
    "twins": [*course(1, 0.03, 20), *course(0.1, 0.6, 20)],
    **WORSENING,
}


def layers(kind: str, player: str, first: float, last: float) -> dict[str, list[float]]:
    return {f"{kind}.{player}.first": [first] * 40, f"{kind}.{player}.last": [last] * 40}


def alone(loss: str, loss_d: list[float], loss_g: list[float]) -> Case:
    """Another program's log."""
    return case({"loss_d": loss_d, "loss_g": loss_g}, loss=loss, training=0, held_out=0)


RESTLESS = {"movement": [0.95] * 40, "distance": [20.0 + 6 * (-1) ** (line // 2) for line in range(40)]}
LEFT_ITS_LEVEL = [*course(0.5, 0.03, 50), *course(0.027, 0.026, 100), *course(0.002, 0.002, 50)]

FALLEN_TO_0 = [*course(0.6, 0.5, 120, noise=0.4), *[0.0] * 80]
LIFTED = [*course(2, 2, 120), *course(20, 25, 80)]


def noisy(values: list[float]) -> list[float]:
    """Losses of single batches: each off by a factor, of which every third is 1.5 or more."""
    factors: NDArray[np.float64] = np.random.default_rng(0).lognormal(0, 0.4, len(values))
    return (values * factors).tolist()


def stopping(player: str, to: float) -> dict[str, list[float]]:
    """Steps of a player that become shorter by and by."""
    return {f"updates.{player}.{layer}": course(4e-3, 4e-3 * to) for layer in ("first", "second", "last")}


FIRES: dict[str, dict[str, Case]] = {
    "generator-stands-still": {
        "its rate fell": health(signals=stopping("generator", 0.01)),
        "at once": health(
            signals={f"updates.generator.{layer}": [4e-3] * 20 + [0.0] * 20 for layer in ("first", "second", "last")}
        ),
        "both do": health(signals=stopping("generator", 0.001) | stopping("discriminator", 0.02)),
    },
    "discriminator-stands-still": {
        "its rate fell": health(signals=stopping("discriminator", 0.01)),
        "both do": health(signals=stopping("generator", 0.02) | stopping("discriminator", 0.001)),
    },
    "mode-collapse": {
        "one picture after many": health(signals=ONE_PICTURE),
        "one picture from the start": health(
            signals={"diversity": [0.02] * 40, "twins": [1.0] * 40, "rank": [1.2] * 40, "distance": [30.0] * 40}
        ),
        "three pictures, far from each other": health(
            signals={"twins": [*course(1, 0.03, 20), *[1.0] * 20], "rank": [*course(2, 14, 20), *[2.0] * 20]}
        ),
        "diversity is all that is known": case(
            signals={"diversity": ONE_PICTURE["diversity"], "diversity_real": [0.33] * 40}
        ),
    },
    "partial-collapse": {
        "fewer than before, early in its budget": health(signals=FEW_PICTURES, budget_images=1_000_000),
        "fewer than before": health(signals=FEW_PICTURES),
        "never enough": health(
            signals={"diversity": course(0.05, 0.15), "twins": course(1, 0.6), "rank": course(2, 6), **STUCK}
        ),
    },
    "losses-left-their-level": {
        "least squares": alone("least_squares", LEFT_ITS_LEVEL, course(0.3, 0.4, 200)),
        "with its augmentation": case(
            {"loss_d": LEFT_ITS_LEVEL}, {"augment": course(0.1, 0.5, 200)}, loss="least_squares"
        ),
        "noisy lines": alone("non_saturating", noisy([0.6] * 320 + [1e-5] * 480), noisy([2.0] * 320 + [15.0] * 480)),
        "nothing left, as printed": alone("non_saturating", FALLEN_TO_0, LIFTED),
        "an unknown loss": alone("", FALLEN_TO_0, LIFTED),
        "a line for each epoch": alone("hinge", [*course(1, 1, 12), *[0.0] * 8], course(1, 9, 20)),
    },
    "discriminator-too-strong": {
        "nothing learned": health(SURE, STUCK),
        "held-out reals told too": health(
            SURE, STUCK | {f"accuracy_{side}": [1.0] * 40 for side in ("real", "held_out", "fake")}
        ),
        "unlearned": health(SURE, WORSENING),
        "relativistic": health({"d_real": course(2, 7), "d_fake": course(1, -3)}, STUCK, loss="relativistic"),
        "frozen": health(SURE, SETTLED | {"movement": [0.001] * 40}),
        "pale pictures that stay so": health(SURE, SETTLED | {"contrast": [0.1] * 40}),
    },
    "discriminator-too-weak": {
        "nothing learned": health(GUESSING, STUCK),
        "grey pictures": health(GUESSING, SETTLED | {"contrast": [0.1] * 40}),
        "fooled": health(GUESSING | {"accuracy_fake": [0.0] * 40, "d_fake": [3.0] * 40}, STUCK),
        "relativistic": health(GUESSING | {"loss_d": [0.693] * 40}, STUCK, loss="relativistic"),
        "least squares": health(GUESSING | {"d_real": [0.51] * 40, "d_fake": [0.5] * 40}, STUCK, loss="least_squares"),
    },
    "vanishing-gradients": {
        "first layer": health(signals=STUCK | layers("gradients", "generator", 1e-9, 1e-3)),
        "own past": health({"grad_norm_g": [*course(5, 1e-4, 20), *[0.02] * 20]}, STUCK),
        "a flat loss": health({"loss_g": course(-0.2, -0.003)}, STUCK, loss="minimax"),
        "first layer, pictures unknown": case(signals=layers("gradients", "discriminator", 1e-9, 1e-3), images=50_000),
    },
    "exploding-gradients": {
        "own past, pictures unknown": case({"grad_norm_g": [*course(9, 8, 45), *[855.0] * 15]}, loss="hinge"),
        "own past": health({"grad_norm_d": [*course(5, 1.2, 36), 400.0, 800.0, 900.0, 1500.0]}, WORSENING),
        "first layer": health({"grad_norm_d": [500.0] * 40}, STUCK | layers("gradients", "discriminator", 10.0, 0.01)),
    },
    "learning-rate-too-high": {
        "wild": health(signals={f"updates.generator.{layer}": [0.4] * 40 for layer in LAYERS}),
        "bold and no use": health(signals=STUCK | {f"updates.discriminator.{layer}": [0.06] * 40 for layer in LAYERS}),
    },
    "learning-rate-too-low": {
        "nothing moves": health(signals=STUCK | {f"updates.generator.{layer}": [1e-5] * 40 for layer in LAYERS}),
        "after a start at 0": health(
            signals=STUCK | {f"updates.generator.{layer}": [0.0] * 4 + [1e-5] * 36 for layer in LAYERS}
        ),
    },
    "not-finite": {
        "loss": health({"loss_g": [*course(1, 3, 39), math.nan]}),
        "infinite": alone("hinge", [*course(1, 3, 39), math.inf], course(1, 3)),
        "norms": health({"grad_norm_d": [*course(5, 1.2, 37), math.inf, math.inf, math.nan]}),
    },
    "divergence": {
        "an unknown loss that is never below 0": alone("", [*course(0.5, 0.5, 60), *[40.0] * 40], course(1, 1, 100)),
        "logits and pictures": health({"d_real": [*course(3, 3, 30), *np.geomspace(5, 500, 10)]}, WORSENING),
        "a critic without a bound": health(
            {"loss_d": [*course(-3, -3, 30), *(-np.geomspace(10, 1e5, 10))]}, WORSENING, loss="wasserstein"
        ),
        "losses alone": alone("non_saturating", [*course(1, 0.6, 80), *course(5, 40, 20)], course(1, 3, 100)),
        "a critic's losses alone": alone(
            "wasserstein", [*course(-3, -3, 60), *(-np.geomspace(10, 1e7, 40))], course(1, 3, 100)
        ),
    },
    "oscillation": {"to and fro": health(signals=RESTLESS)},
    "regulariser-dominates": {
        "penalty": health({"shares.penalty.r1": course(60, 40)}, STUCK),
        "term": health({"shares.term.feature_matching": course(900, 400)}, STUCK),
        "of another program": health({"penalty": course(60, 40)}, STUCK, loss="wasserstein"),
        "a critic's term": health({"shares.term.feature_matching": course(900, 400)}, STUCK, loss="wasserstein"),
    },
}

NEARLY: dict[str, dict[str, Case]] = {  # what is short of a fault in one respect
    "generator-stands-still": {
        "by its schedule": health({"lr_g": course(2e-4, 1e-6)}, stopping("generator", 0.01)),
        "a fifth is left": health(signals=stopping("generator", 0.2)),
        "the other stands stiller": health(signals=stopping("generator", 0.02) | stopping("discriminator", 0.001)),
    },
    "discriminator-stands-still": {
        "by its schedule": health({"lr_d": course(2e-4, 1e-6)}, stopping("discriminator", 0.01)),
        "a fifth is left": health(signals=stopping("discriminator", 0.2)),
        "the other stands stiller": health(signals=stopping("generator", 0.001) | stopping("discriminator", 0.02)),
    },
    "mode-collapse": {
        "low contrast alone": health(signals={"diversity": course(0.05, 0.07)}),
        "pale ones that differ": health(
            signals={"diversity": [0.06] * 40, "twins": [1.0] * 40, "contrast": [0.05] * 40, **STUCK}
        ),
        "half of it": health(signals={"diversity": course(0.05, 0.16), "twins": course(1, 0.4)}),
        "at first": health(signals={"diversity": [0.02] * 40, "twins": [1.0] * 40, "distance": [30.0] * 40}).until(
            9_000
        ),
    },
    "partial-collapse": {
        "one sign alone": health(signals={"diversity": course(0.05, 0.15), **STUCK}),
        "a little": health(signals={"diversity": course(0.05, 0.23), "twins": course(1, 0.3), **STUCK}),
        "still getting better": health(signals={"diversity": course(0.05, 0.15), "twins": course(1, 0.6)}),
    },
    "losses-left-their-level": {
        "a short log": alone("least_squares", [*course(0.03, 0.03, 12), *course(0.002, 0.002, 7)], course(1, 1)),
        "a fall that takes its time": alone("non_saturating", np.geomspace(0.7, 1e-5, 200), course(2, 15, 200)),
        "a small loss that becomes nothing": alone("hinge", [*[0.02] * 100, *[0.0] * 100], course(1, 9, 200)),
        "a level early on": alone("hinge", [*course(1, 1, 20), *[0.0] * 180], course(1, 9, 200)),
        "an unknown loss whose opponent stays": alone("", [*course(1, 1, 100), *[0.01] * 100], course(1, 1, 200)),
        "an unknown loss that may be below 0": alone("", [-0.5, *FALLEN_TO_0[1:]], LIFTED),
        "a critic": alone("wasserstein", FALLEN_TO_0, LIFTED),
        "a smaller fall": alone(
            "least_squares", [*course(0.03, 0.03, 100), *course(0.006, 0.006, 100)], course(1, 1, 200)
        ),
        "a fall that passes": alone("least_squares", [*LEFT_ITS_LEVEL, *course(0.03, 0.03, 20)], course(1, 1, 220)),
    },
    "discriminator-too-strong": {
        "it knows its images by heart": health(SURE, STUCK | {"accuracy_held_out": [0.6] * 40, **SURE_SIGNALS}),
        "nearly sure": health(SURE | {"accuracy_fake": [0.9] * 40}, STUCK),
        "a small gap": health({"d_real": course(2, 1), "d_fake": course(1, 0)}, STUCK, loss="relativistic"),
        "good pictures that move": health(SURE, SETTLED),
        "at first": health(SURE, STUCK, images=7_500, budget_images=7_500),
        "a critic": health({"d_real": course(2, 90), "d_fake": course(1, -30)}, STUCK, loss="wasserstein"),
    },
    "discriminator-too-weak": {
        "good pictures": health(GUESSING, SETTLED),
        "it knows something": health(GUESSING | {"accuracy_real": [0.65] * 40, "accuracy_fake": [0.6] * 40}, STUCK),
        "its logits differ": health(GUESSING | {"d_real": [0.6] * 40}, STUCK),
        "its loss is less": health(GUESSING | {"loss_d": [0.67] * 40}, STUCK, loss="relativistic"),
        "at first": health(GUESSING, STUCK, images=7_500, budget_images=7_500),
    },
    "vanishing-gradients": {
        "a hundredth": health(signals=STUCK | layers("gradients", "generator", 5e-6, 1e-3)),
        "small beside a large one": health(signals=STUCK | layers("gradients", "generator", 5e-4, 1.0)),
        "fallen as in health": health({"grad_norm_g": course(5, 0.2)}, STUCK),
        "at the end of a good run": health({"grad_norm_g": course(5, 0.03)}, SETTLED),
        "a loss nearly flat": health({"loss_g": course(-0.2, -0.05)}, STUCK, loss="minimax"),
        "a small loss that is not flat": health({"loss_g": course(0.2, 0.003)}, STUCK),
        "while pictures get better": health(signals=layers("gradients", "generator", 1e-9, 1e-3)),
    },
    "exploding-gradients": {
        "twenty times": health({"grad_norm_d": [500.0] * 40}, STUCK | layers("gradients", "discriminator", 0.2, 0.01)),
        "small ones": health({"grad_norm_d": [20.0] * 40}, STUCK | layers("gradients", "discriminator", 10.0, 0.01)),
        "grown as in health": health({"grad_norm_d": [*course(1, 1, 36), 20.0, 25.0, 30.0, 30.0]}, STUCK),
    },
    "learning-rate-too-high": {
        "bold but useful": health(signals={f"updates.generator.{layer}": [0.1] * 40 for layer in LAYERS}),
        "usual and no use": health(signals=STUCK | {f"updates.generator.{layer}": [0.01] * 40 for layer in LAYERS}),
    },
    "learning-rate-too-low": {
        "gradients that became small": health(
            signals=STUCK | {f"updates.generator.{layer}": course(1e-2, 1e-5) for layer in LAYERS}
        ),
        "twice the weights": health(signals=STUCK | {f"updates.generator.{layer}": [1e-3] * 40 for layer in LAYERS}),
        "while pictures get better": health(signals={f"updates.generator.{layer}": [1e-5] * 40 for layer in LAYERS}),
    },
    "not-finite": {"two infinite gradients": health({"grad_norm_g": [*course(9, 2, 38), math.inf, math.inf]})},
    "divergence": {
        "an unknown loss that may be below 0": alone("", [*course(-0.5, -0.5, 60), *[40.0] * 40], course(1, 1, 100)),
        "logits twice as large": health({"d_real": [*course(3, 3, 28), *np.linspace(3, 9, 12)]}, WORSENING),
        "pictures get better": health({"d_real": [*course(3, 3, 30), *np.geomspace(5, 500, 10)]}),
        "nearly blind": alone("non_saturating", [*course(0.1, 0.1, 80), *course(1.3, 1.3, 20)], course(1, 3, 100)),
        "other terms": alone("non_saturating", [*course(4, 4, 80), *course(5, 5, 20)], course(1, 3, 100)),
        "a critic's hundreds": alone("wasserstein", [*course(-3, -3, 60), *(-np.geomspace(10, 3e3, 40))], course(1, 3)),
        "a critic of large numbers": alone("wasserstein", course(-2e4, -9e4, 100), course(1, 3)),
    },
    "oscillation": {
        "pictures that stay": health(signals=RESTLESS | {"movement": [0.4] * 40}),
        "a distance that stays": health(signals=RESTLESS | {"distance": course(20, 20)}),
        "a distance that drifts": health(signals=RESTLESS | {"distance": np.linspace(15, 30, 40)}),
    },
    "regulariser-dominates": {
        "less than the loss": health({"shares.penalty.r1": course(1, 1)}, STUCK),
        "while pictures get better": health({"shares.penalty.r1": course(60, 40)}),
    },
}

HEALTHY: dict[str, Case] = {
    **{f"{loss or 'unknown loss'}": health(loss=loss) for loss in GAMES},
    **{
        f"{loss or 'unknown loss'}, losses alone": alone(
            loss, course(GAMES[loss]["loss_d"][0], GAMES[loss]["loss_d"][-1], 60), course(1, 3, 60)
        )
        for loss in GAMES
    },
    "nothing at all": case(),
    "three ticks": case({name: values[:3] for name, values in GAMES["hinge"].items()}, images=600),
    "an untrained generator": health().until(15_000),
    "a sure discriminator whose generator learns": health(SURE),
    "a sure discriminator at the end of a good run": health(SURE, {"distance": course(40, 5, noise=0.03)}),
    "a sure discriminator whose pictures nobody knows": case(SURE, loss="non_saturating"),
    "a discriminator that sees nothing left": health(GUESSING, {"distance": course(40, 5)}),
    "a small loss from early on": alone(
        "non_saturating", [*course(1.2, 0.006, 20), *np.geomspace(0.006, 0.001, 180)], course(2, 8, 200)
    ),
    "a hinge loss of 0": health({"loss_d": [0.0] * 40, "grad_norm_d": [*course(5, 1, 10), *[0.0] * 30]}, loss="hinge"),
    "a hinge loss of 0, losses alone": alone("hinge", [*course(2, 0.5, 10), *[0.0] * 90], course(1, 5, 100)),
    "a critic's growing loss": health(
        {"loss_g": np.geomspace(18, 206, 40), "loss_d": course(-2.2, -0.7)}, loss="wasserstein"
    ),
    "a critic's growing loss alone": alone("wasserstein", course(-200, -7, 200), np.geomspace(1, 800, 200)),
    "noise of a DCGAN": health(
        {
            "loss_d": course(0.8, 0.5, noise=0.6),
            "loss_g": course(2, 3, noise=0.5),
            "grad_norm_d": course(9, 5, noise=0.7),
        }
    ),
    "single jumps": health(
        {
            "loss_d": [90.0 if line == 33 else 0.4 for line in range(40)],
            "grad_norm_d": [9e3 if line == 33 else 2.0 for line in range(40)],
        },
        {
            "diversity": [0.01 if line == 33 else 0.3 for line in range(40)],
            "twins": [1.0 if line == 33 else 0.02 for line in range(40)],
        },
    ),
    "a discriminator that loses its way for a moment": alone(
        "relativistic", [*course(0.7, 0.6, 34), 2.2, 1.9, 5.7, 5.6, 7.6, *course(0.7, 0.5, 20)], course(1, 2, 59)
    ),
    "gradients that grow for a moment": case(
        {"grad_norm_g": [*course(9, 8, 45), *[855.0] * 5, *course(9, 8, 50)]}, loss="relativistic"
    ),
    "a loss that rises slowly": alone("non_saturating", course(0.3, 1.2, 200), course(5, 1, 200)),
    "auxiliary terms in another program's loss": alone("hinge", course(5.6, 5.8, 200), course(4, 5, 200)),
    "a small step in fine tuning": health(
        signals=STUCK | {f"updates.generator.{layer}": [1e-5] * 40 for layer in LAYERS},
        config={"start": {"source": "runs/faces"}},
    ),
    "a large penalty at the start": health({"shares.penalty.r1": course(90, 0.05)}),
    "pictures that move on": health(signals={"movement": [0.9] * 40}),
    "one gradient too large for half precision": health({"grad_norm_g": [*course(9, 2, 39), math.inf]}),
}


def test_every_rule_has_a_fault_that_triggers_it_and_a_record_short_of_it():
    assert set(FIRES) == set(NEARLY) == set(BY_ID)


@pytest.mark.parametrize(("name", "fault"), [(name, fault) for name, faults in FIRES.items() for fault in faults])
def test_a_rule_sees_its_fault_and_says_so_with_numbers(name, fault):
    finding = BY_ID[name](FIRES[name][fault])

    assert finding is not None
    assert len(re.findall(r"\d", finding.evidence)) >= 2


def test_pictures_that_get_better_are_not_said_to_stay_as_they_are():
    wild = {f"updates.generator.{layer}": [0.4] * 40 for layer in LAYERS}
    short = {f"updates.generator.{layer}": [1e-5] * 40 for layer in LAYERS}

    assert "do not get better" not in BY_ID["learning-rate-too-high"](health(signals=wild)).evidence
    assert "do not get better" in BY_ID["learning-rate-too-high"](health(signals=wild | STUCK)).evidence
    slowly = health(signals=short | {"distance": np.linspace(40, 35, 40)})
    assert "do not get better" not in BY_ID["learning-rate-too-low"](slowly).evidence


def test_movement_is_a_share_of_the_reals_diversity():
    assert (
        "of the reals' diversity"
        in BY_ID["discriminator-too-strong"](FIRES["discriminator-too-strong"]["frozen"]).evidence
    )


@pytest.mark.parametrize("record", HEALTHY)
def test_all_rules_are_silent_all_through_a_healthy_record(record):
    assert story(HEALTHY[record], RULES) == []


@pytest.mark.parametrize(("name", "record"), [(name, record) for name, records in NEARLY.items() for record in records])
def test_a_rule_is_silent_short_of_its_fault(name, record):
    assert BY_ID[name](NEARLY[name][record]) is None


@pytest.mark.parametrize("rule", RULES, ids=BY_ID)
def test_a_rule_says_what_it_is_from_where_and_what_it_brings(rule):
    assert rule.says
    assert rule.causes
    assert rule.source
    assert rule.unless
    assert rule.id not in rule.leads_to
    assert set(rule.leads_to) <= {one.id for one in ALL_RULES}
    assert not rule.says.endswith(".")
