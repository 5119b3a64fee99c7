from __future__ import annotations

import math
from typing import get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from steadygan.config import explain, to_toml
from steadygan.schedule import (
    AnySchedule,
    Cosine,
    Count,
    Cyclical,
    Linear,
    NonNegative,
    Positive,
    Share,
    WarmUp,
    at,
    number,
    with_length,
)

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


@pytest.mark.parametrize(
    ("written", "meant"),
    {
        "200000": 200_000,
        "200_000": 200_000,
        "200k": 200_000,
        "200K": 200_000,
        " 1.5M ": 1_500_000,
        "0.3k": 300,
        "1e6": 1_000_000,
        "1.15e2k": 115_000,
        2e5: 200_000,
        7: 7,
    }.items(),
)
def test_how_many_is_also_written_in_thousands_and_millions(written, meant):
    found = TypeAdapter(Count).validate_python(written)
    assert found == meant
    assert type(found) is int


@pytest.mark.parametrize("wrong", ["1.5", 1.5, "1.0005k", True, math.inf, math.nan])
def test_how_many_has_no_fraction(wrong):
    with pytest.raises(ValidationError, match=f"{wrong} is not a whole number; write it as"):
        TypeAdapter(Count).validate_python(wrong)


@pytest.mark.parametrize("wrong", ["", "k", "many", "200kk", "nan", "snan", "inf", "1e999999999", "1e999M", "0x10"])
def test_how_many_is_a_number(wrong):
    with pytest.raises(ValidationError, match=f"'{wrong}' is no number; write it as"):
        TypeAdapter(Count).validate_python(wrong)


@pytest.mark.parametrize("wrong", [0, "0", "0k", "-5k", -1])
def test_how_many_is_one_or_more(wrong):
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        TypeAdapter(Count).validate_python(wrong)


def test_a_number_in_text_may_have_a_fraction():
    assert (number("2.5"), number("2.5k"), number(0.1), number(None)) == (2.5, 2500, 0.1, None)


@pytest.mark.parametrize("schedule", [Linear, Cosine])
def test_a_schedule_without_a_length_takes_that_of_the_run_and_one_with_keeps_its_own(schedule):
    class Part(BaseModel):
        inner: Owner
        others: tuple[Owner, ...]

    free, own = schedule(start=1, end=0.5), schedule(start=1, end=0.5, images=10)
    assert free(0) == free(10**6) == 1
    part = Part(inner=Owner(rate=free, chance=0.25), others=(Owner(rate=own), Owner(rate=free)))
    filled = with_length(part, 100)
    assert filled.inner.rate == schedule(start=1, end=0.5, images=100)
    assert filled.others[0].rate == own
    assert filled.others[1].rate(100) == 0.5
    assert filled.inner.chance == 0.25
    assert with_length(filled, 7) == filled  # lengths that are there stay
    assert part.inner.rate == free
