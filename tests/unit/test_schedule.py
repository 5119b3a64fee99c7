from __future__ import annotations

import math
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from steadygan.config import explain, to_toml
from steadygan.schedule import AnySchedule, Cosine, Cyclical, Linear, NonNegative, Positive, Share, WarmUp, at

EXAMPLES = {
    "linear": Linear(start=2, end=1, images=100),
    "cosine": Cosine(start=2, end=1, images=100),
    "warm_up": WarmUp(value=2, images=100),
    "cyclical": Cyclical(low=1, high=2, period_images=100),
}
# kind: values after 0, 25, 50, 100 and 130 images
REFERENCE = {
    "linear": (2, 1.75, 1.5, 1, 1),
    "cosine": (2, 1.5 + math.sqrt(0.5) / 2, 1.5, 1, 1),
    "warm_up": (0, 0.5, 1, 2, 2),
    "cyclical": (1, 1.5, 2, 1, 1.6),
}


class Owner(BaseModel):
    rate: Positive = 1.0
    weight: NonNegative = 0.0
    chance: Share = 0.5


@pytest.mark.parametrize("schedule", get_args(AnySchedule))
def test_a_schedule_has_its_hand_values(schedule):
    kind = schedule.model_fields["kind"].default
    values = [EXAMPLES[kind](images) for images in (0, 25, 50, 100, 130)]
    assert values == pytest.approx(REFERENCE[kind])


@pytest.mark.parametrize("schedule", EXAMPLES.values(), ids=EXAMPLES)
def test_the_extremes_are_reached_and_never_left(schedule):
    values = [schedule(images) for images in range(201)]
    assert (min(values), max(values)) == pytest.approx(schedule.extremes())


def test_a_number_is_a_constant():
    assert at(3.5, 0) == at(3.5, 10**9) == 3.5
    assert at(EXAMPLES["linear"], 50) == 1.5


def test_a_setting_takes_a_number_or_a_schedule_and_gives_both_back():
    owner = Owner.model_validate({"rate": 2, "weight": {"kind": "cosine", "start": 1, "end": 0, "images": 10}})
    assert owner.rate == 2
    assert owner.weight == Cosine(start=1, end=0, images=10)
    assert Owner.model_validate(owner.model_dump(mode="json")) == owner
    assert 'kind = "cosine"' in to_toml(owner.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rate": 0}, "rate: must be more than 0, got 0"),
        ({"rate": {"kind": "linear", "start": 1, "end": 0, "images": 5}}, "rate: must be more than 0, got 0 to 1"),
        ({"weight": -1}, "weight: must be 0 or more, got -1"),
        ({"weight": Linear(start=1, end=-1, images=5)}, "weight: must be 0 or more, got -1 to 1"),
        ({"chance": 1.5}, "chance: must be between 0 and 1, got 1.5"),
        ({"chance": "often"}, "chance: input should be a valid number"),
        ({"rate": {"kind": "cosin", "start": 1, "end": 1, "images": 5}}, "did you mean 'cosine'?"),
        ({"rate": {"kind": "cosine", "start": 1, "end": 1, "image": 5}}, "did you mean 'images'?"),
        ({"rate": float("nan")}, "rate"),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_of_the_setting(settings, words):
    with pytest.raises(ValidationError) as problem:
        Owner.model_validate(settings)
    assert words in explain(Owner, problem.value)


def test_a_warm_up_may_begin_at_nothing():
    assert Owner(rate=WarmUp(value=1, images=10)).rate(0) == 0
