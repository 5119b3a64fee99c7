"""From the word after --recipe to a configuration, and what a recipe is told on the way."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

import steadygan as sg
from steadygan.config import to_toml
from steadygan.recipes import Facts, choose_recipe, configure, plan
from steadygan.recipes.start import facts_of
from steadygan.training.changing import override
from steadygan.training.config import Optimizers
from steadygan.training.console import Silent
from steadygan.training.run import train

OWN = """
import steadygan as sg

def asks(facts):
    return sg.RunConfig(batch=2 * facts.size, seed=facts.classes)

def by_name(width=8, facts=None):
    return sg.RunConfig(batch=facts.images)

def asks_nothing(batch=12):
    return sg.RunConfig(batch=batch)
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "pictures"
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_a_recipe_of_the_users_own_is_told_the_facts_if_it_asks(tmp_path, pictures):
    (tmp_path / "mine.py").write_text(OWN)

    def batch(function: str) -> int:
        return plan(pictures, f"{tmp_path / 'mine.py'}:{function}", {"size": 16}, Silent())[0].batch

    assert (batch("asks"), batch("by_name"), batch("asks_nothing")) == (32, 18, 12)
    config, dataset, _ = plan(pictures, f"{tmp_path / 'mine.py'}:asks", {"size": 16}, Silent())
    assert config.seed == dataset.spec.classes == 2


COUNTED = """
from pathlib import Path
import steadygan as sg

def count(name):
    with (Path(__file__).parent / "counts").open("a") as counts:
        counts.write(name + " ")

count("file")

def asks(facts):
    count(f"{facts.size}/{facts.images}")
    return sg.RunConfig(size=16)

def asks_nothing():
    count("function")
    return sg.RunConfig(size=16)
"""


@pytest.mark.parametrize(
    ("function", "counts"), [("asks", "file 64/10000 16/10000 16/18"), ("asks_nothing", "file function")]
)
def test_a_file_runs_once_and_its_function_again_only_when_it_is_told_something_new(
    tmp_path, pictures, function, counts
):
    (tmp_path / "mine.py").write_text(COUNTED)
    (tmp_path / "mine.toml").write_text(f'recipe = "{tmp_path / "mine.py"}:{function}"\nbatch = 4\n')
    for recipe in (f"{tmp_path / 'mine.py'}:{function}", str(tmp_path / "mine.toml")):
        (tmp_path / "counts").unlink(missing_ok=True)
        config, *_ = plan(pictures, recipe, {}, Silent())
        assert (tmp_path / "counts").read_text().split() == counts.split()
        assert config.recipe == recipe


@pytest.mark.parametrize(
    ("recipe", "budget", "images"),
    [
        ("r3gan", {"images": 5000}, 5000),
        ("r3gan", {"steps": 100}, 100 * 32),
        ("r3gan", {}, 200_000),
        ("r3gan", {"minutes": 5}, None),  # as long as the run is expected to be
    ],
)
def test_a_schedule_is_as_long_as_the_run(pictures, recipe, budget, images):
    config, *_ = plan(pictures, recipe, {"size": 16, "budget": budget}, Silent())
    assert config.penalties[0].gamma.images == images


def test_a_step_of_several_turns_shows_several_batches(pictures):
    settings = {"size": 16, "budget": {"steps": 10}, "turns": {"kind": "fixed", "discriminator": 5}}
    config, *_ = plan(pictures, "r3gan", settings, Silent())
    assert config.penalties[0].gamma.images == 10 * 5 * 32


def test_the_length_of_schedules_is_no_limit():
    asked = configure("pictures", "satellite", {"budget": {"schedule_images": 50}}).budget
    assert asked == configure("pictures", "satellite").budget.model_copy(update={"schedule_images": 50})
    assert asked.steps


def test_a_limit_in_a_file_replaces_the_whole_budget_of_its_recipe(tmp_path):
    (tmp_path / "mine.toml").write_text('recipe = "faces256"\n[budget]\nimages = 5000\n')
    budget = choose_recipe(str(tmp_path / "mine.toml")).budget
    assert (budget.images, budget.steps, budget.minutes) == (5000, None, None)


def test_a_function_itself_is_refused_with_what_can_be_given():
    with pytest.raises(sg.ConfigError, match=r"recipe: <function .* is no text; give a name, .* or a RunConfig"):
        choose_recipe(lambda facts: sg.RunConfig())


def test_what_can_be_refused_is_refused_before_the_images_are_touched(tmp_path):
    nowhere = tmp_path / "nothing here"
    for settings, words in (
        ({"turns": "moderated"}, "relativistic loss"),
        ({"batch": 2, "size": 512}, "16 to 256"),
        ({"runtime": {"device": "cuda"}}, "has no cuda"),
    ):
        with pytest.raises(sg.ConfigError, match=words):
            plan(nowhere, "steady", settings, Silent())
    with pytest.raises(sg.ConfigError, match="no file or folder"):
        plan(nowhere, "steady", {}, Silent())


class Plain:
    """A loss of the user's own, without a repr."""

    def d_loss(self, view: sg.View) -> Tensor:
        return sg.Hinge().d_loss(view)

    def g_loss(self, view: sg.View) -> Tensor:
        return sg.Hinge().g_loss(view)


class Slow:
    """An optimizer of the user's own."""

    lr = 1e-3

    def build(self, parameters):
        return sg.SGD(lr=self.lr).build(parameters)


class Remembered:
    """A penalty of the user's own that builds its memory."""

    every = 1

    def build(self, player):
        return sg.LeCam().build(player)


@pytest.mark.slow
def test_a_run_with_a_plain_object_of_the_users_own_goes_on_after_a_restart(pictures, tmp_path):
    tiny = {
        "size": 16,
        "batch": 8,
        "networks": {"width": 4},
        "runtime": {"device": "cpu", "precision": "float32", "layout": "channels_last", "threads": 1},
    }
    config = configure(
        pictures, sg.RunConfig(loss=Plain(), penalties=(Remembered(),)), {**tiny, "budget": {"steps": 2}}
    )
    train(config, tmp_path / "run", Silent())
    again = sg.RunConfig(loss=Plain(), penalties=(Remembered(),))
    run = sg.resume(tmp_path / "run", sg.Budget(steps=4), console=Silent(), recipe=again)
    assert run.log()[-1].step == 4
    facts = facts_of(run)
    assert facts == Facts(size=16, channels=3, classes=2, images=18, device="cpu", budget_images=4 * 8)


def test_objects_of_the_users_own_stay_where_they_are_when_others_change():
    own = Slow()
    config = override(
        sg.RunConfig(optimizer=Optimizers(discriminator=own)), {"optimizer": {"generator": {"kind": "sgd"}}}
    )
    assert config.optimizer.discriminator is own
    assert config.optimizer.generator.kind == "sgd"
    text = to_toml(json.loads(json.dumps(config.dump())))
    assert "0x" not in text


@pytest.mark.parametrize(
    "source", ["builtin:glyphs?stacked=true", "hub:someone/cats?split=train", "https://host/a.tif"]
)
def test_a_source_that_is_no_path_is_kept_as_it_was_written(source):
    assert configure(source).data.source == source


def test_a_source_that_is_a_path_becomes_absolute_settings_and_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert configure("a/table.csv?image=x").data.source == f"{tmp_path}/a/table.csv?image=x"
