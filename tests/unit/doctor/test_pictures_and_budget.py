"""The rules of few images, pictures, inputs, budget and machine: each on records that it must see, and on health."""

from __future__ import annotations

import re

import numpy as np
import pytest

from steadygan.doctor.budget import BUDGET, past_best
from steadygan.doctor.case import Case
from steadygan.doctor.fewness import FEWNESS, overfitting
from steadygan.doctor.inputs import INPUTS
from steadygan.doctor.machine import MACHINE
from steadygan.doctor.pictures import PICTURES
from steadygan.doctor.rule import Rule, story
from tables import Table
from unit.doctor.cases import case

RULES: tuple[Rule, ...] = (*FEWNESS, *PICTURES, *INPUTS, *BUDGET, *MACHINE)
OF_THE_GAME = {
    *("discriminator-too-strong", "discriminator-too-weak", "vanishing-gradients"),
    *("mode-collapse", "partial-collapse"),
}
LOOKS = 40


def ramp(start: float, end: float, noise: float = 0.02, count: int = LOOKS, seed: int = 0) -> list[float]:
    """From one value to another, with noise in proportion."""
    rng = np.random.default_rng(seed)
    return [float(value) for value in np.linspace(start, end, count) * (1 + noise * rng.standard_normal(count))]


def falling(start: float, power: float, noise: float = 0.02, count: int = LOOKS, seed: int = 1) -> list[float]:
    """start · n^-power, as scores fall with the images seen."""
    rng = np.random.default_rng(seed)
    return [start * (n + 1) ** -power * (1 + noise * float(rng.standard_normal())) for n in range(count)]


def judged(real: float, held_out: float, fake: float) -> dict[str, list[float]]:
    """D's logits at the end of a run that began with reals and held-out images alike, 1 above fakes."""
    return {"d_real": ramp(1, real), "d_held_out": ramp(1, held_out, seed=2), "d_fake": ramp(0, fake, seed=3)}


GREY = {"contrast": ramp(0.05, 0.1), "contrast_real": ramp(0.5, 0.5), "diversity": ramp(1, 1)}
LIKE_REALS = {
    **{name: ramp(0.5, 0.5) for name in ("contrast", "contrast_real")},
    **{name: ramp(9, 9) for name in ("diversity", "diversity_real")},
}


NEAR = {"distance": ramp(0.5, 0.2), "contrast_real": ramp(0.4, 0.4)}
FAR = {"distance": ramp(0.6, 0.6), "contrast_real": ramp(0.4, 0.4)}


def inputs(*four: float) -> dict[str, list[float]]:
    return {f"inputs.{place}": [value] for place, value in enumerate(four)}


def scores(values: list[float]) -> Case:
    return case(scores={"fd-training": values})


def ticks(**columns: list[float]) -> Case:
    return case(ticks=columns)


AUGMENTED = {"show": {"kind": "diff_augment", "probability": 1.0}}
HEALTHY_INPUTS = inputs(-1, -0.1, 0.5, 1)

FIRES: Table[list[Case]] = Table(
    "FIRES in tests/unit/doctor/test_pictures_and_budget.py",
    {
        "d-overfits": [
            case(signals=judged(4, 0.5, -1)),
            case(signals=judged(4, -3, -4), training=300, held_out=30, loss="relativistic"),
            case(signals=judged(900, -300, -800), training=300, loss="wasserstein"),
        ],
        "d-sure-of-reals": [
            case(ticks={"accuracy_real": ramp(0.6, 0.97)}, training=300, held_out=0, loss="non_saturating"),
            case(ticks={"accuracy_real": ramp(0.6, 0.97)}, training=300, held_out=10, loss="hinge"),
        ],
        "memorises": [
            case(signals={"copies": ramp(0, 0.3), **LIKE_REALS}, training=300),
            case(scores={"memorised": [0.2]}),
            case(scores={"memorised": [0.55]}, held_out=16),
        ],
        "mostly-copies": [
            case(signals={"copies": ramp(0, 0.9), **LIKE_REALS}, training=50),
            case(scores={"memorised": [0.1, 0.7]}),
        ],
        "augmentation-leaks": [
            case(signals={"augment": [1.0] * LOOKS, "leak": ramp(0.1, 0.6)}, config=AUGMENTED),
            case(signals={"augment": [1.0] * LOOKS, "leak": ramp(0.9, 0.9)}, config={"show": {"kind": "ada"}}),
        ],
        "checkerboard": [
            case(signals={"checkerboard": ramp(20, 18), "checkerboard_real": ramp(1.1, 1.1)}),
            case(signals={"checkerboard": ramp(1, 60), "checkerboard_real": ramp(2, 2), **NEAR}),
        ],
        "colours-off": [
            case(
                signals={
                    **{f"colour_real.{channel}": [0.1] * LOOKS for channel in range(3)},
                    **{f"colour.{channel}": ramp(0.1, 0.1 + 0.25 * channel) for channel in range(3)},
                    "contrast_real": [0.4] * LOOKS,
                }
            )
        ],
        "contrast-off": [
            case(signals={"contrast": ramp(0.4, 0.9), "contrast_real": ramp(0.4, 0.4)}),
            case(signals={"contrast": ramp(0.3, 0.15), "contrast_real": ramp(0.4, 0.4)}),
        ],
        "saturated": [case(signals={"saturated": ramp(0, 0.4), "saturated_real": ramp(0.05, 0.05)})],
        "dead-generator": [
            case(signals={"dead.generator": ramp(0.05, 0.8)}),
            case(signals={"dead.generator": ramp(0.7, 0.7)}),
        ],
        "dead-discriminator": [case(signals={"dead.discriminator": ramp(0.05, 0.8), "dead.generator": [0.0] * LOOKS})],
        "batch-norm-modes": [case(signals={"modes": ramp(0.1, 0.9)}), case(signals={"modes": ramp(0.75, 0.75)})],
        "input-range": [
            case(signals=inputs(0, 110, 60, 255)),
            case(signals=inputs(0, 0.4, 0.25, 1)),
            case(signals=inputs(-3, -1.2, 1, 1)),
            case(signals=inputs(-2.1, 0, 1, 2.6)),
            case(signals=inputs(0, 110, 60, 255), config=AUGMENTED),
            case(signals=inputs(-3, -1.2, 1, 1), config={"show": {"kind": "own", "type": "mine.Twice"}}),
        ],
        "normalised-twice": [
            case(signals=inputs(0, 0.0017, 0.001, 0.0039)),
            case(signals=inputs(-1.0079, -1.0002, 0.003, -0.9922)),
            case(signals=inputs(-0.01, 0, 0.004, 0.01)),
        ],
        "narrow-inputs": [case(signals=inputs(-0.5, -0.1, 0.25, 0.5))],
        "past-best": [
            scores([20, 10, 6, 5, 6, 7, 8, 9, 9, 10]),
            case(signals={"distance": [*falling(20, 0.8, count=20), *ramp(2, 5, count=20)]}),
            case(scores={"fd-training": [20, 10, 6, 5, 5.5, 6, 6.1, 6.2, 6.3, 6.3]}),
            scores([20, 10, 4, 5, 6, 7]),
            case(scores={"swd": [20, 10, 6, 5, 5.5, 6, 6.1, 6.2, 6.3, 6.3]}),
        ],
        "still-improving": [
            scores(falling(50, 0.7, count=10)),
            case(signals={"distance": falling(50, 0.5, noise=0.05)}),
        ],
        "input-stalls": [
            ticks(input_wait_fraction=[0.9, *ramp(0.5, 0.5)], images_per_second=ramp(50, 50)),
        ],
        "memory-grows": [ticks(memory_mb=ramp(500, 3_000, noise=0.005)), ticks(memory_mb=ramp(8_000, 14_000))],
        "speed-drops": [
            ticks(
                images_per_second=[*ramp(200, 200, count=30), *ramp(90, 90, count=10)], threads=[2.0] * 30 + [1.0] * 10
            )
        ],
    },
)

HEALTHY: Table[list[Case]] = Table(
    "HEALTHY in tests/unit/doctor/test_pictures_and_budget.py",
    {
        "d-overfits": [
            case(signals=judged(4, 0.5, -1), training=80_000),  # each image was seen once
            case(signals={**judged(4, 0.5, -1), "d_fake": [-1.0, 5.0] * (LOOKS // 2)}),  # it tells no fakes
            case(signals=judged(4, 3.7, -1)),
            case(signals=judged(4, 0, -1) | {"d_held_out": ramp(0.4, 0.7)}),  # from the beginning: odd held-out images
            case(signals=judged(4, 0.5, -1), held_out=8),
            case(signals=judged(4, 0, -1) | {"d_held_out": [*ramp(1, 1.5, count=20), *[0.0, 0.0, 0.0, 3.3] * 5]}),
            case(signals=judged(0.1, 0.05, 0.0)),  # a close game
            case(signals={name: values[:3] for name, values in judged(4, -1, -1).items()}),
        ],
        "d-sure-of-reals": [
            case(ticks={"accuracy_real": ramp(0.6, 0.97)}, training=50_000, held_out=0, loss="non_saturating"),
            case(ticks={"accuracy_real": ramp(0.6, 0.97)}, training=10_000, held_out=0, loss="non_saturating"),
            case(ticks={"accuracy_real": ramp(0.6, 0.97)}, training=300, held_out=0, loss="wasserstein"),
            case(ticks={"accuracy_real": ramp(0.6, 0.7)}, training=300, held_out=0, loss="non_saturating"),
            case(ticks={"accuracy_real": ramp(0.97, 0.97)}, training=300, held_out=0, loss="non_saturating"),
            case({"accuracy_real": ramp(0.6, 0.97)}, judged(4, 3.7, -1), training=300, loss="non_saturating"),
        ],
        "memorises": [
            case(signals={"copies": ramp(0.01, 0.04, noise=0.5), **LIKE_REALS}),
            case(signals={"copies": ramp(1, 1), **GREY}),  # grey pictures lie near every image
            case(signals={"copies": ramp(1, 1), **LIKE_REALS, "diversity": ramp(1, 1)}),  # so do copies of one
            case(signals={"copies": [0.3] * 4, **{n: v[:4] for n, v in LIKE_REALS.items()}}, budget_images=10**7),
            case(scores={"memorised": [0.03]}),
            case(scores={"memorised": [0.2]}, held_out=16),  # of which chance alone gives 6 %
        ],
        "mostly-copies": [case(signals={"copies": ramp(0, 0.4), **LIKE_REALS}), case(scores={"memorised": [0.2]})],
        "augmentation-leaks": [
            case(signals={"augment": [0.5] * LOOKS, "leak": ramp(0.3, 0.1)}, config=AUGMENTED),
            case(signals={"augment": [0.5] * LOOKS, "leak": ramp(0.38, 0.44)}, config=AUGMENTED),
            case(signals={"augment": [0.0] * LOOKS, "leak": ramp(0.1, 0.9)}, config={"show": {"kind": "ada"}}),
            case(signals={"augment": [1.0] * LOOKS, "leak": ramp(0, 1)}, config={"show": {"kind": "instance_noise"}}),
        ],
        "checkerboard": [
            case(signals={"checkerboard": ramp(20, 1.3), "checkerboard_real": ramp(1.1, 1.1)}),
            case(signals={"checkerboard": ramp(40, 14), "checkerboard_real": ramp(1.1, 1.1)}),  # it fades
            case(signals={"checkerboard": ramp(40, 40), "checkerboard_real": ramp(1.1, 1.1), **FAR}),
            case(signals={"checkerboard": ramp(7, 7), "checkerboard_real": ramp(6, 6)}),  # woven cloth
            case(signals={"checkerboard": [20.0] * 4, "checkerboard_real": [1.1] * 4}, budget_images=10**7),
        ],
        "colours-off": [
            case(
                signals={
                    **{f"colour_real.{channel}": [0.1] * LOOKS for channel in range(3)},
                    **{f"colour.{channel}": ramp(0.7, 0.2) for channel in range(3)},
                    "contrast_real": [0.4] * LOOKS,
                }
            ),
            case(signals={"colour.0": ramp(0.5, 0.5)}),
        ],
        "contrast-off": [
            case(signals={"contrast": ramp(0.01, 0.35), "contrast_real": ramp(0.4, 0.4)}),
            case(signals={"contrast": ramp(0.01, 0.2), "contrast_real": ramp(0.4, 0.4)}),  # it comes
            case(signals={"contrast": ramp(0.05, 0.05), **FAR}),  # it has learned nothing
        ],
        "saturated": [
            case(signals={"saturated": ramp(0, 0.85), "saturated_real": ramp(0.8, 0.8)}),  # drawings
            case(signals={"saturated": ramp(0, 0.6), "saturated_real": ramp(0.4, 0.4)}),
            case(signals={"saturated": ramp(0, 0.1), "saturated_real": ramp(0.02, 0.02)}),
        ],
        "dead-generator": [
            case(signals={"dead.generator": ramp(0.05, 0.3)}),
            case(signals={"dead.generator": ramp(0.47, 0.53)}),  # so from the beginning
            case(signals={"dead.discriminator": ramp(0.05, 0.8)}),
        ],
        "dead-discriminator": [case(signals={"dead.discriminator": ramp(0, 0.2)})],
        "batch-norm-modes": [case(signals={"modes": ramp(0.9, 0.2)}), case(signals={"modes": ramp(0.6, 0.6)})],
        "input-range": [
            case(signals=HEALTHY_INPUTS),
            case(signals=inputs(-1.01, 0, 0.5, 1.01)),  # as interpolation leaves it
            case(signals=inputs(-3.1, 0, 0.6, 3.7), config=AUGMENTED),
            case(signals=inputs(-1.4, 0, 0.6, 1.4), config={"show": {"kind": "own", "type": "mine.Noise"}}),
            case(signals=inputs(0.3, 0.8, 0.2, 1)),  # snow
            case(signals=inputs(-4, 0, 2, 4), config={"networks": {"kind": "points"}}),
            case(signals=inputs(-1, -0.9, 0.2, 1)),  # dark, as digits
            case(signals=inputs(-0.99, 0.9, 0.2, 1)),  # bright, as text
        ],
        "normalised-twice": [case(signals=HEALTHY_INPUTS), case(signals=inputs(-0.3, 0, 0.1, 0.2))],
        "narrow-inputs": [case(signals=HEALTHY_INPUTS), case(signals=inputs(-1, -0.5, 0.2, 0.3))],
        "past-best": [
            scores(falling(20, 0.5, count=10)),
            scores([20, 10, 6, 5, 5.1, 5.2, 5.3, 5.4, 5.5, 5.5]),
            scores([20, 10, 6, 5, 5.2, 5.1, 5.3, 5.0, 5.2, 5.1]),
            scores([20, 10, 6, 5, 5.7, 6.1, 6.0, 6.1, 6.1, 6.1]),  # of checkpoints so close the newest is taken
            scores([20, 10, 4, 5, 6, 7, 8, 8, 8, 4.9]),
            scores([12, 8, 6, 5.3, 5, 5.3, 5.6, 5.8, 5.9, 5.95, 6.3]),  # the newest is farther, the level is not
            scores([20, 10, 5, 4, 6, 4.2, 5.7, 4.1, 6.1, 4.9]),  # a noisy level
            case(signals={"distance": [*falling(20, 0.8, count=36), 3, 3, 3, 3]}),  # a dip of a tenth of the run
            *(case(signals={"distance": [*falling(20, 0.8, 0.15, 20, n), *ramp(2, 2, 0.15, 60, n)]}) for n in range(9)),
            scores([4, 5, 6]),
            case(scores={"fd-training": [20, 10, 4, 5, 6, 7]}, images=0),
            case(signals={"distance": [*ramp(4, 1, count=20), *ramp(1, 1.4, count=20)]}),  # it wanders
            case(scores={"kid": [0.03, 0.02, 0.001, 0.03, 0.04, 0.05, 0.05, 0.05]}),  # not what picks
        ],
        "still-improving": [
            scores([20, 10, 6, 5.1, 5, 5.2, 5.05, 5.1, 5, 5.1]),
            case(scores={"fd-training": falling(50, 0.7, count=10)}, budget_images=10**6),
            scores(falling(50, 0.02, noise=0, count=10)),
            scores([20, 10]),
        ],
        "input-stalls": [
            ticks(input_wait_fraction=ramp(0.1, 0.1), images_per_second=ramp(50, 50)),
            ticks(input_wait_fraction=[0.9, *ramp(0.02, 0.02)], images_per_second=ramp(50, 50)),
            ticks(input_wait_fraction=[*ramp(0.01, 0.01), 0.9, 0.01, 0.9], images_per_second=ramp(50, 50)),
        ],
        "memory-grows": [
            ticks(memory_mb=[*ramp(500, 3_000, count=10), *ramp(3_000, 3_050, noise=0.01, count=30)]),
            ticks(memory_mb=ramp(484, 586, noise=0.002)),
            ticks(memory_mb=ramp(2000, 2300, noise=0)),
            ticks(memory_mb=[*ramp(900, 910, count=25), *ramp(1_800, 1_810, count=15)]),  # resumed after other work
            ticks(memory_mb=[*ramp(900, 910, count=35), *ramp(1_800, 1_810, count=15)]),
            ticks(memory_mb=ramp(100, 180, noise=0)),
            ticks(
                memory_mb=[3_000 - 2_500 * float(np.exp(-3 * share)) for share in np.linspace(0, 1, LOOKS)]
            ),  # a cache
            ticks(memory_mb=ramp(500, 3_000, count=8)),
        ],
        "speed-drops": [
            ticks(images_per_second=ramp(200, 180, noise=0.1)),
            ticks(images_per_second=[*ramp(200, 200, count=30), 20, 200, 20, 200, 20, 200, 200, 200, 200, 200]),
        ],
    },
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_sees_its_fault_and_says_all_that_helps(rule: Rule):
    for number, sick in enumerate(FIRES[rule.id]):
        found = rule(sick)
        assert found, f"record {number} of {rule.id}"
        assert re.search(r"\d", found.evidence)
        assert all([found.says, found.causes, found.remedy, found.source, found.unless])
        assert "nan" not in found.evidence


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_no_rule_sees_its_fault_in_health_or_without_records(rule: Rule):
    assert HEALTHY[rule.id]
    for number, healthy in enumerate([*HEALTHY[rule.id], case(), Case({})]):
        assert rule(healthy) is None, f"record {number} of {rule.id}: {rule.judge(healthy)}"


def test_no_two_rules_have_one_name_and_no_row_is_left_over():
    names = [rule.id for rule in RULES]
    assert sorted(names) == sorted(set(names)) == sorted(FIRES) == sorted(HEALTHY)
    assert {name for rule in RULES for name in rule.leads_to} <= {*names, *OF_THE_GAME}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rules_see_nothing_in_the_first_moments_of_a_run_that_goes_wrong_later(rule: Rule):
    if rule.id in {one.id for one in INPUTS}:
        return  # seen before anything is learned
    for sick in FIRES[rule.id]:
        if any(len(series) > 1 for series in sick.series.values()):
            assert all(found.images > sick.images / 20 for found in story(sick, [rule]))


def test_overfitting_is_that_of_karras_whatever_the_scale_of_logits():
    found = overfitting(case(signals={"d_real": [3.0, 30.0], "d_held_out": [1.0, 10.0], "d_fake": [-1.0, -10.0]}))
    assert found.values.tolist() == [0.5, 0.5]
    assert len(overfitting(case(signals={"d_real": [1.0], "d_held_out": [1.0], "d_fake": [2.0]}))) == 0


def test_the_best_point_and_how_far_it_lies_back_are_told():
    called, images, best, now, *_ = past_best(scores([20, 10, 6, 5, 6, 7, 8, 9, 9, 10]))
    assert (images, best, now) == (40_000, 5, 9)
    assert "fd-training" in called


def test_evidence_says_what_was_measured():
    (grid,) = (rule for rule in PICTURES if rule.id == "checkerboard")
    said = grid(case(signals={"checkerboard": [22.0] * LOOKS, "checkerboard_real": [1.1] * LOOKS})).evidence
    assert "22 times the power of those nearby, reals 1.1: 20.0 times that" in said
    stalls, *_ = MACHINE
    assert "nan" not in stalls(ticks(input_wait_fraction=ramp(0.5, 0.5))).evidence


def test_a_finding_comes_soon_after_the_fault_begins():
    """A run whose discriminator learns its images by heart from the middle on."""
    signals = judged(4, 0.5, -1) | {"d_held_out": [1.0] * 20 + [0.2] * 20, "d_real": [1.0] * 20 + [4.0] * 20}
    found = story(case(signals=signals | {"d_fake": [0.0] * 40}), FEWNESS)
    assert [one.rule for one in found] == ["d-overfits"]
    assert 50_000 < found[0].images <= 62_500
