"""A run's own report, and the command in it that repeats the run."""

from __future__ import annotations

import os
import re
import shlex
import signal
import tomllib
from types import SimpleNamespace

import pytest

import steadygan as sg
from steadygan.cli.main import main
from steadygan.config import merge
from steadygan.recipes.start import placed, planned
from steadygan.report.story import page_of
from steadygan.runs import RunInfo
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


def told(config, basis, dataset) -> sg.Run:
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
    config, dataset, basis = planned("pic'tures", recipe, settings, Silent())
    page = page_of([told(config, basis, dataset)]).runs[0]
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
    config, dataset, basis = planned("pic'tures", "mine.py:faces", placed(size=16, batch=6), Silent())
    page = page_of([told(config, basis, dataset)]).runs[0]
    assert page.recipe.about == "Faces, as I like them, after arXiv:1511.06434."
    assert page.recipe.sources[0].address == "https://arxiv.org/abs/1511.06434"
    assert [(one.setting, one.here, one.recipe) for one in page.changed] == [
        ("batch", "6", "12"),
        ("size", "16", "null"),
    ]


def test_objects_of_ones_own_are_said_to_be_lacking(world):
    config, dataset, basis = planned("pic'tures", "dcgan", placed(size=16), Silent())
    own = {"kind": "own", "type": "notebook.Loss", "settings": ""}
    basis = basis.model_copy(update={"changed": {**basis.changed, "loss": (own, {"kind": "hinge"})}})
    run = told(config, basis, dataset)
    info = run.info()
    run.write_info(info.model_copy(update={"config": info.config | {"loss": own}}))
    commands = page_of([run]).runs[0].commands
    assert "without the objects of your own in loss, which only Python can give" in commands[0][0]
    assert "notebook" not in commands[0][1]
    assert "--recipe FILE.py:FUNCTION" in commands[1][1]


def trained(folder, **others) -> sg.Run:
    return sg.train("pic'tures", "dcgan", folder, size=16, steps=4, settings=TINY, **others)


def test_a_run_writes_its_report_at_its_end_and_says_so(world, tmp_path):
    run = trained(tmp_path / "run")
    page = page_of([run]).runs[0]
    assert page.ended.startswith("Finished after 32 images")
    assert page.ended.rpartition("; ")[2] == "its best pictures are the last."
    assert "Finished after 32 images" in run.files.report.read_text()
    assert all((page.montage, page.inputs))
    assert len(page.frames) == len(run.files.fixed_samples())
    assert page.missing == ()
    assert run.info().data.prepared
    sg.resume(run.path, sg.RunConfig(budget={"steps": 6}).budget)
    again = run.files.report.read_text()
    assert "Finished after 48 images" in again
    assert page_of([run]).runs[0].commands[0][1].split("--steps ")[1].startswith("6 ")


def test_a_run_that_is_stopped_writes_its_report(world, tmp_path, monkeypatch):
    from steadygan.training import loop

    step = loop.step

    def stopping(session, batches):
        step(session, batches)
        if session.progress.steps == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop, "step", stopping)
    with pytest.raises(sg.Interrupted):
        trained(tmp_path / "run")
    assert "Stopped on request after" in sg.Run(tmp_path / "run").files.report.read_text()


def test_a_run_that_diverges_writes_its_report(world, tmp_path):
    settings = merge(TINY, {"optimizer": {"generator": {"lr": 1e38}, "discriminator": {"lr": 1e38}}})
    with pytest.raises(sg.Diverged):
        sg.train("pic'tures", "dcgan", tmp_path / "run", size=16, steps=20, settings=settings, care="watch")
    assert "Diverged, with values that were not finite" in sg.Run(tmp_path / "run").files.report.read_text()


@pytest.mark.parametrize("problem", [sg.StorageError("cannot write x: the disk is full"), RuntimeError("a bug")])
def test_a_run_that_an_error_ends_says_so_in_its_notes_and_its_report(world, tmp_path, monkeypatch, problem):
    def fail(session, now):
        raise problem

    monkeypatch.setattr("steadygan.training.listeners.CheckpointWriter.__call__", lambda self, *given: fail(*given))
    with pytest.raises(type(problem), match=str(problem)):
        trained(tmp_path / "run")
    run = sg.Run(tmp_path / "run")
    assert run.notes()[-1].text == f"ended by an error after 32 images: {problem}"
    assert "Ended by an error after 32 images" in run.files.report.read_text()


def test_a_run_ends_as_it_did_where_there_is_no_room_for_last_words(world, tmp_path, monkeypatch):
    def full(*given):
        monkeypatch.setattr(sg.Run, "note", full)
        raise sg.StorageError("the disk is full")

    monkeypatch.setattr("steadygan.training.listeners.write_report", full)
    assert trained(tmp_path / "run").notes()[-1].text == "finished after 32 images"


@pytest.mark.parametrize("why", ["a bug", "it is a folder, not a file"])
def test_a_report_that_cannot_be_written_is_a_note_and_not_the_end(world, monkeypatch, why):
    config, dataset, basis = planned("pic'tures", "dcgan", placed(size=16), Silent())
    run = told(config, basis, dataset)
    if why == "a bug":
        monkeypatch.setattr("steadygan.report.write.render", lambda page: {}[why])
    else:
        run.files.report.mkdir()
    tell(SimpleNamespace(run=run))
    [note] = run.notes()
    assert re.fullmatch(f"report.html could not be written: .*{why}.*", note.text)
    run.files.notes.unlink()
