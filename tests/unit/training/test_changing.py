"""What may change in the middle of a run does, under the checks of any setting; everything else is refused by name."""

from __future__ import annotations

import pytest
from torch import Tensor

from steadygan.config import flatten
from steadygan.errors import ConfigError
from steadygan.objectives import R1
from steadygan.objectives.view import View
from steadygan.recipes import RECIPES
from steadygan.recipes.choose import choose_recipe
from steadygan.spec import ImageSpec
from steadygan.training.changing import beside, changed, movable
from steadygan.training.config import RunConfig
from steadygan.training.optim import Adam
from steadygan.training.turns import Fixed
from tiny_recipes import spec_of, tiny_recipe

SPEC = ImageSpec(size=32, channels=3)


class OwnPenalty:
    every = 1

    def __call__(self, view: View) -> Tensor:
        return view.real_logits.mean()


class OwnAdam(Adam):
    """Derived from ours, with our declarations: what is inside is the user's own all the same."""


def change(config: RunConfig, **changes: object) -> RunConfig:
    """`changes` with "__" for the dots of a place."""
    return changed(config, {place.replace("__", "."): value for place, value in changes.items()}, SPEC, 1)


@pytest.mark.parametrize("name", RECIPES)
def test_no_change_changes_nothing(name):
    config = tiny_recipe(name, spec_of(name))

    assert changed(config, {}, spec_of(name), 1) == config


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("optimizer.generator.lr", 1e-5),
        ("optimizer.discriminator.lr", {"kind": "linear", "start": 1e-4, "end": 1e-5, "images": "10k"}),
        ("penalties", [{"kind": "r1", "gamma": 3}]),
        ("generator_terms", ["l2"]),
        ("show", "instance_noise"),
        ("show", {"kind": "diff_augment", "probability": 0.5}),
        ("turns.generator", 2),
        ("turns", "moderated"),
    ],
)
def test_what_may_change_is_changed_and_the_rest_stays(place, value):
    before = RunConfig()
    after = changed(before, {place: value}, SPEC, 1)

    assert after != before
    top = place.partition(".")[0]
    assert after.model_copy(update={top: getattr(before, top)}) == before
    assert after == changed(after, {place: value}, SPEC, 1)


def test_changes_of_one_treatment_are_made_together():
    after = change(
        RunConfig(show="ada", loss="hinge"), optimizer__generator__lr=0.1, optimizer__discriminator__lr=0.2,
        show__probability=0.3,
    )  # fmt: skip

    assert (after.optimizer.generator.lr, after.optimizer.discriminator.lr) == (0.1, 0.2)
    assert (after.show.kind, after.show.probability) == ("ada", 0.3)


FIXED = {  # settings that weights, memories or the order of images depend on
    "networks.width": 8,
    "networks": "sngan",
    "loss": "hinge",
    "batch": 4,
    "seed": 7,
    "size": 16,
    "replay": "history",
    "opponent": "unrolled",
    "ema.half_life_images": 5,
    "freeze.discriminator": 0,
    "optimizer.generator.beta1": 0.9,
    "optimizer.generator": {"kind": "sgd", "lr": 0.1},
    "start.source": "runs/a",
    "batches": "joint",
    "data.mirror": True,
    "data.held_out": 0.2,
    "recipe": "mine",
}
BETWEEN = {"budget.images": 5, "log.every_steps": 3, "runtime.precision": "float32", "data.source": "builtin:ring"}


@pytest.mark.parametrize("place", FIXED)
def test_what_weights_follow_from_is_refused_with_the_reason_and_the_way_out(place):
    with pytest.raises(ConfigError) as error:
        changed(RunConfig(), {place: FIXED[place]}, SPEC, 1)

    first = str(error.value).splitlines()[0]
    assert first.startswith(place)
    assert "cannot change in the middle of a run" in first
    assert "start a new run" in first


@pytest.mark.parametrize("place", BETWEEN)
def test_what_is_read_when_a_run_starts_is_refused_with_another_way_out(place):
    with pytest.raises(ConfigError, match=f"^{place}: .* stop the run, change it in run.json and resume$"):
        changed(RunConfig(), {place: BETWEEN[place]}, SPEC, 1)


def test_every_place_that_may_not_change_is_named_and_no_other():
    with pytest.raises(ConfigError) as error:
        change(RunConfig(), seed=3, optimizer__generator__lr=0.1, networks__width=8)

    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == ["seed", "networks.width"]


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("optimizer.genrator.lr", 0.1, "optimizer.genrator: no such setting; did you mean 'generator'?"),
        ("optimizer.generator.lr", -1, "optimizer.generator.lr: must be more than 0, got -1"),
        ("show.probability", 0.3, "show.probability: no such setting"),
        ("penalties[0].gamma", 3, "penalties[0]: no such setting; did you mean 'penalties'?"),
        ("dump", 3, "dump: no such setting"),
        ("turns", {"kind": "moderated"}, "turns: moderated turns ask how many images are judged rightly"),
    ],
)
def test_a_change_is_checked_as_any_setting_is(place, value, words):
    with pytest.raises(ConfigError) as error:
        changed(RunConfig(loss="relativistic"), {place: value}, SPEC, 1)

    assert str(error.value).startswith(words)


def test_a_change_must_go_with_the_images_and_the_processes():
    config = choose_recipe("ring").model_copy(update={"batch": 6})
    points = ImageSpec(size=1, channels=2)

    assert changed(config, {"turns.generator": 2}, points, 3).turns == Fixed(generator=2)
    with pytest.raises(ConfigError, match="points cannot be shifted"):
        changed(config, {"show": "diff_augment"}, points, 3)
    with pytest.raises(ConfigError, match="6 cannot be shared by 4 processes"):
        changed(config, {"turns.generator": 2}, points, 4)


def test_objects_of_the_users_own_stay_unless_they_are_what_changes():
    own, adam = OwnPenalty(), OwnAdam(lr=0.1)
    config = RunConfig(penalties=[R1(), own], optimizer={"generator": adam})
    after = change(config, optimizer__discriminator__lr=0.5, show="instance_noise")

    assert after.penalties[1] is own
    assert after.optimizer.generator is adam
    assert change(config, penalties=["r1"]).penalties == (R1(),)


def test_nothing_inside_an_object_of_the_users_own_may_change():
    config = RunConfig(optimizer={"generator": OwnAdam(lr=0.1)})

    assert not movable(config, "optimizer.generator.lr")
    assert movable(config, "optimizer.discriminator.lr")
    with pytest.raises(ConfigError, match="name the part, as in optimizer"):
        change(config, optimizer__generator__lr=0.5)


def test_a_setting_is_for_the_middle_of_a_run_or_for_a_stop_or_for_neither():
    config = RunConfig(penalties=["r1"])
    places = [*flatten(config.dump())]
    sides = {place: (movable(config, place), beside(config, place)) for place in places}

    assert (True, True) not in sides.values()
    assert {place for place in places if sides[place][0]} == {
        *("optimizer.generator.lr", "optimizer.discriminator.lr", "penalties[0].kind", "penalties[0].gamma"),
        *("penalties[0].every", "generator_terms", "show.kind", "turns.kind", "turns.generator"),
        "turns.discriminator",
    }
    groups = {place.partition(".")[0] for place in places if sides[place][1]}
    assert groups == {"budget", "runtime", "log", "samples", "checkpoint", "scores", "doctor", "care", "data"}
    assert [place for place in places if place.startswith("data.") and sides[place][1]] == ["data.source"]
