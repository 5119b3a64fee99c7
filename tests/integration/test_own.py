"""A run with networks of the user's own: trained from a file, and opened again by whatever opens runs."""

from __future__ import annotations

import json
import shlex
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file

import steadygan as sg
from steadygan.cli.main import main
from steadygan.config import python_function
from steadygan.export.pictures import sample_to
from steadygan.ops.images import to_uint8
from steadygan.recipes import told_again
from steadygan.studies.evaluate import open_reals
from steadygan.studies.generator_probe import generator_probe
from steadygan.studies.probe import load_discriminator, probe
from steadygan.training.console import Silent
from tiny import TINY, draw, fingerprint

PLAIN = {name: value for name, value in TINY.items() if name != "networks"} | {
    "checkpoint": {"every_steps": 1},
    "data": {"held_out": 0.2},
    "scores": {"metrics": []},
}
STEPS = 2

BLOCKS = """
from torch import nn

class Generator(nn.Module):
    def __init__(self, width, latent_dim):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(latent_dim, width), nn.ReLU(), nn.Linear(width, 3 * 16 * 16), nn.Tanh())
    def forward(self, latent):
        return self.layers(latent).unflatten(1, (3, 16, 16))

class Discriminator(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, width), nn.ReLU())
        self.last = nn.Linear(width, 1)
    def forward(self, images, with_features=False):
        features = self.layers(images)
        logits = self.last(features).flatten()
        return (logits, features) if with_features else logits
"""

MINE = """
from pathlib import Path
import steadygan as sg
from steadygan.networks import Pair

with (Path(__file__).parent / "runs").open("a") as runs:
    runs.write("x")

class Mine:
    latent_dim, latent = 6, "uniform"
    def __init__(self, width):
        self.width = width
    def build(self, spec):
        from blocks import Discriminator, Generator
        return Pair(Generator(self.width, self.latent_dim), Discriminator(self.width))
    def problems(self, spec):
        return []

def small(facts):
    return sg.RunConfig(networks=Mine(facts.images // 9), loss=sg.Hinge())

def large():
    return sg.RunConfig(networks=Mine(30), loss=sg.Hinge())

def none_of_mine():
    return sg.RunConfig()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with classes of images and a recipe beside which its networks lie; its name must be quoted."""
    place = tmp_path_factory.mktemp("own") / "my work"
    for seed, name in enumerate(("a", "b")):
        draw(place / "pictures" / name, 50, seed=seed)
    (place / "blocks.py").write_text(BLOCKS)
    (place / "mine.py").write_text(MINE)
    return place


@pytest.fixture(scope="module")
def run(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        recipe = f"{place / 'mine.py'}:small"
        run = sg.train(place / "pictures", recipe, place / "run", steps=STEPS, size=16, settings=PLAIN)
    (place / "runs of the training").write_text((place / "runs").read_text())
    return run


@pytest.fixture(autouse=True)
def _from_here(place, run, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def recipe(run):
    return run.info().recipe


def told(line: list[str], capsys) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(line)
    return int(end.value.code or 0), *capsys.readouterr()


def test_the_file_was_run_once_and_its_word_is_remembered(run, place):
    assert (place / "runs of the training").read_text() == "x"
    assert run.info().recipe == f"{place / 'mine.py'}:small"
    assert run.info().config["networks"]["type"] == "<mine>.Mine"


OPENING = {
    "sample": "sample run -n 2 -o {out}.png",
    "export": "export run -o {out}.safetensors",
    "pictures": "export run --images 2 -o {out}",
    "evaluate": "evaluate run -n 16 --metrics swd",
    "probe": "probe run",
    "resume": "resume run --steps 3",
}


@pytest.mark.parametrize("command", OPENING)
def test_without_its_recipe_a_command_says_in_one_line_how_to_give_it(command, recipe, tmp_path, capsys):
    code, out, said = told(OPENING[command].format(out=tmp_path / "out").split(), capsys)
    assert (code, out, said.count("\n")) == (2, "", 1)
    assert "run uses objects of your own (networks), which only your code can bring back: give --recipe" in said
    assert said.endswith(f"--recipe {shlex.quote(recipe)}, in Python recipe={recipe!r}\n")


@pytest.mark.parametrize("command", ["sample", "export", "pictures", "evaluate"])
def test_with_its_recipe_a_command_opens_the_run_and_runs_the_file_once(command, recipe, place, tmp_path, capsys):
    (place / "runs").write_text("")
    code, _, said = told([*OPENING[command].format(out=tmp_path / "out").split(), "--recipe", recipe], capsys)
    assert code == 0, said
    assert (place / "runs").read_text() == "x"


def test_the_pictures_are_those_of_the_saved_weights_in_the_users_networks(run, recipe, place, tmp_path):
    model = sg.load(run.path, recipe=recipe)
    generator = python_function("--recipe", recipe)(sg.Facts(images=80)).networks.build(None).generator
    generator.load_state_dict(load_file(run.checkpoint("best").folder / "average.safetensors"))
    latents = model.latents(500)
    assert latents.shape == (500, 6)
    assert 0.9 < latents.abs().max() <= 1, "uniform, as the networks ask for"
    assert torch.equal(model.sample(4), to_uint8(generator(latents[:4])))
    assert torch.equal(sg.load(run.path, recipe=told_again(recipe, run)).sample(4), model.sample(4))


def test_an_exported_generator_needs_the_recipe_too_and_tells_it_the_same_facts(run, recipe, tmp_path):
    model = sg.load(run.path, recipe=recipe)
    file = model.save(tmp_path / "model.safetensors")
    with pytest.raises(
        sg.ConfigError, match=r"model\.safetensors uses objects of your own \(networks\).*mine\.py:small"
    ):
        sg.load(file)
    again = sg.load(file, recipe=recipe)
    assert torch.equal(again.sample(3), model.sample(3))
    assert torch.equal(sg.load(again.save(tmp_path / "again.safetensors"), recipe=recipe).sample(3), model.sample(3))
    sample_to(file, tmp_path / "grid.png", recipe=recipe)


def test_probes_look_into_networks_of_the_users_own(run, recipe):
    dataset, _ = open_reals(run.path, None, Silent())
    own = told_again(recipe, run)
    found = load_discriminator(run.path, recipe=own).state_dict()
    saved = load_file(run.checkpoint("latest").folder / "discriminator.safetensors")
    assert all(torch.equal(found[name], saved[name]) for name in saved)
    for seen in (probe(run.path, dataset, (1,), 1, recipe=own), generator_probe(run.path, dataset, 1, recipe=own)):
        assert seen.judged == len(dataset.held_out)


@pytest.mark.parametrize(
    ("function", "said"),
    {
        "large": r"weights in .*run.* are not of the networks that",
        "none_of_mine": r"--recipe .*mine\.py:none_of_mine has no objects of your own for networks, but .*run had",
    }.items(),
)
def test_another_recipe_is_refused_by_name(run, place, function, said):
    with pytest.raises(sg.SteadyganError, match=said):
        sg.load(run.path, recipe=f"{place / 'mine.py'}:{function}")
    with pytest.raises(sg.SteadyganError, match=said):
        sg.resume(run.path, sg.Budget(steps=STEPS + 1), console=Silent(), recipe=f"{place / 'mine.py'}:{function}")


def test_a_recipe_for_what_was_not_trained_is_refused(recipe, place):
    with pytest.raises(sg.ConfigError, match="recipe: one is given, but what is scored is neither a run nor"):
        sg.evaluate(place / "pictures", recipe=recipe)


@pytest.mark.slow
def test_a_run_begun_in_python_goes_on_from_a_file_bit_by_bit(run, recipe, place, tmp_path):
    straight = sg.train(place / "pictures", recipe, tmp_path / "straight", steps=STEPS + 1, size=16, settings=PLAIN)
    shutil.copytree(run.path, tmp_path / "run")
    names = [tmp_path / "run/run.json", *(tmp_path / "run").glob("checkpoints/*/meta.json")]
    for file in names:  # as if the class had stood in a notebook
        file.write_text(file.read_text().replace("<mine>.Mine", "__main__.Mine"))
    names[0].write_text(json.dumps(json.loads(names[0].read_text()) | {"recipe": "custom"}))
    with pytest.raises(sg.ConfigError, match=r"give --recipe FILE\.py:FUNCTION, in Python recipe=CONFIG$"):
        sg.resume(tmp_path / "run", sg.Budget(steps=STEPS + 1), console=Silent())
    (place / "runs").write_text("")
    resumed = sg.resume(tmp_path / "run", sg.Budget(steps=STEPS + 1), console=Silent(), recipe=recipe)
    assert (place / "runs").read_text() == "x"
    assert fingerprint(resumed.checkpoint("latest").folder) == fingerprint(straight.checkpoint("latest").folder)


def test_a_printed_configuration_with_own_networks_is_read_back(recipe, place, tmp_path, capsys):
    line = ["train", "pictures", "--size", "16", "--dry-run", "--recipe"]
    (place / "runs").write_text("")
    code, text, _ = told([*line, recipe], capsys)
    assert (code, (place / "runs").read_text()) == (0, "x")
    (tmp_path / "again.toml").write_text(text)
    code, again, said = told([*line, str(tmp_path / "again.toml")], capsys)
    assert code == 0, said
    assert again.partition("\n")[2] == text.partition("\n")[2]
