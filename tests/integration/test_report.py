"""A run's own report, and the command in it that repeats the run."""

from __future__ import annotations

import os
import shlex
import signal
import tomllib
from types import SimpleNamespace

import pytest

import steadygan as sg
from steadygan.cli.main import main
from steadygan.config import merge
from steadygan.recipes.start import placed, plan
from steadygan.report.story import page_of
from steadygan.runs import RunInfo
from steadygan.training import loop
from steadygan.training.console import Silent
from steadygan.training.listeners import tell
from tiny import TINY, draw

MINE = """
import steadygan as sg

class Own:
    '''A loss of one's own.'''
    boundary, absolute = 0.0, True
    def d_loss(self, real, fake): return (fake - real).mean()
    def g_loss(self, real, fake): return -fake.mean()
    def against(self, real, fake): return fake

def faces(facts):
    '''Faces, as I like them, after arXiv:1511.06434.'''
    return sg.RunConfig(loss=sg.Hinge(), batch=12 if facts.images > 50 else 4)
"""


FALLING = {"generator": {"lr": {"kind": "cosine", "start": 0.001, "end": 0.0001, "images": 500}}}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = tmp_path_factory.mktemp("world with spaces")
    draw(world / "pic'tures", 60)
    (world / "mine.py").write_text(MINE)
    (world / "mine.toml").write_text('recipe = "sngan"\nbatch = 24\n[networks]\nwidth = 8\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world)
        yield world


def told(config, dataset, basis) -> sg.Run:
    """The folder of a run that has just begun with this."""
    path = dataset.path.parent / "begun"
    path.mkdir(exist_ok=True)
    data = {"source": config.data.source, "digest": dataset.digest, "count": len(dataset), "spec": dataset.spec}
    facts = {"recipe": config.recipe, "seed": config.seed, "parameters": {}, "data": data, "basis": basis}
    run = sg.Run(path)
    run.write_info(RunInfo.model_validate({**facts, "config": config.dump()}))
    return run


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        (None, placed(minutes=5, batch=16, size=16)),
        ("dcgan", placed(images="3k", seed=11, size=16, care="treat", threads=1, precision="float32")),
        ("wgan-gp", merge(placed(size=16), {"penalties": ["r1", {"kind": "lecam", "weight": 0.1}], "loss": "hinge"})),
        ("steady", merge(placed(size=16), {"show": "as_is", "scores": {"metrics": []}, "optimizer": FALLING})),
        ("steady", {"size": 16, "data": {"labels": "none", "held_out": 0.25}, "networks": {"dropout": 0.1}}),
        ("mine.py:faces", placed(size=16, steps=30)),
        ("mine.toml", placed(size=16)),
        (sg.RunConfig(loss=sg.Hinge(), size=16, batch=8), {}),
    ],
)
def test_the_command_in_a_report_asks_for_the_same_run(world, capfd, recipe, settings):
    config, dataset, basis = plan("pic'tures", recipe, settings, Silent())
    page = page_of([told(config, dataset, basis)]).runs[0]
    what, line = page.commands[0]
    assert what == "repeat this run"
    program, *words = shlex.split(line)
    capfd.readouterr()
    with pytest.raises(SystemExit) as end:
        main([*words, "--dry-run"])
    printed = capfd.readouterr()
    assert (program, end.value.code or 0) == ("steadygan", 0), printed.err
    nameless = {"recipe": "steady"} if config.recipe == "custom" else {}
    assert tomllib.loads(printed.out) == without_none(config.dump() | nameless)


def without_none(tree):
    if isinstance(tree, dict):
        return {name: without_none(value) for name, value in tree.items() if value is not None}
    return [without_none(value) for value in tree] if isinstance(tree, list | tuple) else tree


def test_what_was_changed_in_a_recipe_is_told_beside_its_words_and_sources(world):
    page = page_of([told(*plan("pic'tures", "mine.py:faces", placed(size=16, batch=6), Silent()))]).runs[0]
    assert page.recipe.about == "Faces, as I like them, after arXiv:1511.06434."
    assert page.recipe.sources[0].address == "https://arxiv.org/abs/1511.06434"
    assert [(one.setting, one.here, one.recipe) for one in page.changed] == [
        ("batch", "6", "12"),
        ("size", "16", "null"),
    ]


def test_objects_of_ones_own_are_said_to_be_lacking(world):
    config, dataset, basis = plan("pic'tures", "dcgan", placed(size=16), Silent())
    own = {"kind": "own", "type": "notebook.Loss", "settings": ""}
    basis = basis.model_copy(update={"changed": {**basis.changed, "loss": (own, {"kind": "hinge"})}})
    run = told(config, dataset, basis)
    info = run.info()
    run.write_info(info.model_copy(update={"config": info.config | {"loss": own}}))
    commands = page_of([run]).runs[0].commands
    assert "without the objects of your own in loss, which only Python can give" in commands[0][0]
    assert "notebook" not in commands[0][1]
    assert "--recipe FILE.py:FUNCTION" in commands[1][1]


def trained(folder, **settings) -> sg.Run:
    return sg.train("pic'tures", "dcgan", folder, size=16, steps=4, settings=merge(TINY, settings), care="watch")


@pytest.mark.slow
def test_a_run_writes_its_report_when_it_is_stopped_and_when_it_is_finished(world, tmp_path, monkeypatch):
    step, run = loop.step, sg.Run(tmp_path / "run")

    def stopping(session, batches):
        step(session, batches)
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch, pytest.raises(sg.Interrupted):
        patch.setattr(loop, "step", stopping)
        trained(run.path)
    assert "Stopped on request after 8 images" in run.files.report.read_text()
    assert "care" in run.info().basis.changed
    assert sg.resume(run.path, sg.Budget(steps=6), care="keep") == run
    [page] = page_of([run]).runs
    assert page.ended.startswith("Finished after 48 images")
    assert page.ended.rpartition("; ")[2].startswith("its best pictures are ")
    assert page.commands[0][1].split("--steps ")[1].startswith("6 ")
    assert not [one for one in page.changed if one.setting.startswith("care")]
    assert [(one.here, one.recipe) for one in page.changed if one.setting == "budget.steps"] == [("6", "null")]
    assert "Finished after 48 images" in run.files.report.read_text()
    assert all((page.montage, page.inputs))
    assert len(page.frames) == len(run.files.fixed_samples())
    assert page.missing == ()
    assert run.info().data.prepared


def test_a_run_that_diverges_writes_its_report(world, tmp_path):
    rates = {"generator": {"lr": 1e38}, "discriminator": {"lr": 1e38}}
    with pytest.raises(sg.Diverged):
        trained(tmp_path / "run", optimizer=rates)
    assert "Diverged, with values that were not finite" in sg.Run(tmp_path / "run").files.report.read_text()


def test_a_run_that_an_error_ends_says_so_in_its_notes_and_its_report(world, tmp_path, monkeypatch):
    def fail(writer, session, now):
        raise sg.StorageError("cannot write x: the disk is full")

    monkeypatch.setattr("steadygan.training.listeners.CheckpointWriter.__call__", fail)
    with pytest.raises(sg.StorageError, match="cannot write x"):
        trained(tmp_path / "run")
    run = sg.Run(tmp_path / "run")
    assert run.notes()[-1].text == "ended by an error after 32 images: cannot write x: the disk is full"
    assert "Ended by an error after 32 images" in run.files.report.read_text()


@pytest.mark.parametrize("room", [True, False], ids=["room for a note", "no room"])
def test_a_report_that_cannot_be_written_is_a_note_and_not_the_end(world, monkeypatch, room):
    run = told(*plan("pic'tures", "dcgan", placed(size=16), Silent()))
    monkeypatch.setattr("steadygan.report.write.render", lambda page: {}["a bug"])
    if not room:
        run.files.notes.mkdir()
    tell(SimpleNamespace(run=run))
    if room:
        assert [note.text for note in run.notes()] == ["report.html could not be written: 'a bug'"]
    run.files.notes.unlink() if room else run.files.notes.rmdir()
