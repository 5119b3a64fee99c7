"""What `sg.train` and the command line take by plain names."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import steadygan as sg
from steadygan.cli import training
from steadygan.cli.main import main
from steadygan.config import parse_assignment
from steadygan.recipes import configure, start
from steadygan.recipes.start import PlainSettings, placed

GIVEN: PlainSettings = {
    "images": "1.5M",
    "steps": "2k",
    "minutes": 3,
    "batch": 8,
    "size": 32,
    "seed": 5,
    "device": "cpu",
    "precision": "float32",
    "threads": 1,
}


@pytest.fixture
def begun(monkeypatch):
    """Settings with which a run would have begun."""
    settings: list[dict[str, Any]] = []

    def begin(source, recipe, given, out):
        settings.append(given)
        raise sg.Interrupted("nothing was trained")

    monkeypatch.setattr(start, "begin", begin)
    return settings


def test_every_plain_name_is_a_setting_and_reaches_it():
    config = configure("builtin:ring", "ring", placed(**GIVEN))
    assert config.budget == sg.Budget(images=1_500_000, steps=2_000, minutes=3)
    assert (config.batch, config.size, config.seed) == (8, 32, 5)
    assert (config.runtime.device, config.runtime.precision, config.runtime.threads) == ("cpu", "float32", 1)
    assert placed(images=None, size=None) == {}


def test_python_and_the_command_line_begin_with_the_same_settings(begun):
    options = [text for name, value in GIVEN.items() for text in (f"--{name}", str(value))]
    with pytest.raises(SystemExit):
        main(["train", "photos", *options, "--set", "loss=hinge"])
    with pytest.raises(sg.Interrupted):
        sg.train("photos", settings={"loss": "hinge"}, **GIVEN)
    first, second = (configure("photos", "dcgan", settings) for settings in begun)
    assert first == second
    assert first.loss == sg.Hinge()


def test_the_command_line_has_an_option_for_every_plain_name():
    options = inspect.signature(training.train).parameters
    assert set(PlainSettings.__annotations__) == set(options) - {"source", "out", "recipe", "set_", "dry_run", "json"}


def test_a_plain_name_that_there_is_not_is_answered_with_the_nearest(begun):
    with pytest.raises(
        sg.ConfigError, match=r"takes no sizes; did you mean 'size'\? It takes .* all others in settings=\{\}"
    ):
        sg.train("photos", sizes=32)  # type: ignore[call-arg]
    assert begun == []


@pytest.mark.parametrize(
    "setting",
    [
        "budget.images=200k",
        "budget.steps=0.2M",
        "samples.every_images=2e5",
        "checkpoint.every_steps=200_000",
        "ema.half_life_images=200k",
        'show={"kind": "ada", "speed_images": "200k"}',
        'optimizer.generator.lr={"kind": "warm_up", "value": 1, "images": "200k"}',
    ],
)
def test_a_setting_that_counts_images_or_steps_takes_thousands(setting):
    long = configure("photos", "dcgan", parse_assignment(setting.replace("0.2M", "200k").replace("200k", "200000")))
    assert configure("photos", "dcgan", parse_assignment(setting)) == long
    assert "200000" in str(long.dump())


@pytest.mark.parametrize("stage", ["begin", "go_on"])
def test_a_cell_that_is_interrupted_before_the_first_step_ends_with_one_line(monkeypatch, stage):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(start, stage, interrupted)
    with pytest.raises(sg.Interrupted, match="what was saved before is kept"):
        sg.train("photos") if stage == "begin" else sg.resume("runs/a")
