"""`--json` means the same in every command that has it."""

from __future__ import annotations

import errno
import json
import os
from typing import get_type_hints

import pytest

from steadygan import rundir
from steadygan.cli.main import app, main
from steadygan.cli.options import with_json_spelled_out
from telling import telling
from tiny import TINY, draw, set_options

QUICK = (
    "--set networks.width=4 --set networks.max_width=8 --set runtime.precision=float32 "
    "--set runtime.layout=channels_last"
)
WORK = {
    "inspect": "set",
    "evaluate": "run set --metrics swd -n 16 --split all",
    "probe": "run set",
    "compare": "run run",
    "ablate": "set --vary r1 --recipe dcgan --images 64 --batch 8 --dry-run --device cpu " + QUICK,
    "doctor": "run",
    "recipes": "dcgan",
    "train": "set --dry-run --recipe dcgan --batch 8 --steps 4 --threads 1 --precision float32 "
    "--set runtime.layout=channels_last --set runtime.convolution=plain --set networks.width=4",
    "tune": "set --over batch=8|16 --recipe dcgan --images 64 -o new --dry-run",
    "turing": "run --pairs 3 --no-open",
}
"""Every command that has `--json`, with work that takes no time."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A run and its images, of two classes."""
    world = tmp_path_factory.mktemp("world")
    for seed, label in enumerate(("a", "b")):
        draw(world / "pictures" / label, 80, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world)
        assert exit_code("prepare pictures -o set --size 16") == 0
        assert exit_code("train set -o run --size 16 --steps 4", *set_options(TINY)) == 0
    return world


@pytest.fixture
def here(world, tmp_path, monkeypatch):
    """An empty folder from which the run and its images can be seen."""
    for name in ("set", "run"):
        (tmp_path / name).symlink_to(world / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("steadygan.studies.generator_probe.generator_probe", lambda run, data, **options: least(run))
    monkeypatch.setattr("steadygan.studies.probe.probe", lambda run, data, **options: least(run))
    return tmp_path


def least(run):
    from steadygan.studies.probe import ProbeReport

    facts = {"checkpoint": "x", "images": 1, "classes": 2, "judged": 3, "seeds": 1, "chance": 0.5, "same_data": True}
    return ProbeReport(run=str(run), told_labels=False, left_out=[], rows=[], **facts)


def exit_code(line: str, *words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main([*line.split(), *words])
    return int(left.value.code or 0)


def test_every_command_that_has_it_is_tried_here():
    functions = [entry.callback for entry in app.registered_commands]
    assert {function.__name__ for function in functions if "json" in get_type_hints(function)} == {*WORK}


@pytest.mark.parametrize("place", telling(["{} {} --json", "{} --json {}", "{} {} --json -"], "{} --json {}"))
@pytest.mark.parametrize("name", WORK)
def test_alone_it_prints_json_and_nothing_else_wherever_it_stands(here, capsys, name, place):
    assert exit_code(place.format(name, WORK[name])) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict | list)
    assert sorted(path.name for path in here.iterdir()) == ["run", "set"]


@pytest.mark.parametrize(
    "option", telling(["--json found.json", "--json=found", "--json new/found.JSON"], "--json=found")
)
@pytest.mark.parametrize("name", WORK)
def test_with_a_file_it_is_written_there_and_the_rest_is_for_people(here, capsys, name, option):
    assert exit_code(f"{name} {WORK[name]} {option}") == 0
    shown = capsys.readouterr().out
    assert len(shown) > 20
    assert not shown.startswith(("{", "["))
    file = here / option[len("--json") + 1 :]
    written = file.read_text()
    assert [path.name for path in file.parent.iterdir() if ".part" in path.name] == []
    assert exit_code(f"{name} {WORK[name]} --json") == 0
    assert json.loads(capsys.readouterr().out).__class__ is json.loads(written).__class__


OUTPUTS = [(name, "json") for name in WORK] + [("inspect", "html"), ("evaluate", "nearest")]


@pytest.mark.parametrize(("name", "option"), OUTPUTS)
@pytest.mark.parametrize(
    "path", telling(["a.png/b", "folder", "x" * 300, "closed/b", "closed/new/b"], "a.png/b", "closed/b")
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(here, capsys, monkeypatch, name, option, path):
    """The work would complain of something else: there is nothing to work on."""
    (here / "a.png").touch()
    (here / "folder").mkdir()
    (here / "closed").mkdir()
    access = os.access  # the tests may run as root, who may do everything
    monkeypatch.setattr(
        rundir.os, "access", lambda place, *how, **k: "closed" not in str(place) and access(place, *how)
    )
    assert exit_code(f"{name} nowhere nothing --{option}={path}".replace("inspect nowhere", "inspect")) == 4
    said = capsys.readouterr().err
    assert said.startswith(f"steadygan: cannot write {path}: ")
    assert said.count("\n") == 1
    assert [path for path in here.rglob("*") if path.is_file()] == [here / "a.png"]


def test_the_check_leaves_what_is_there_as_it_is(tmp_path):
    file, pipe, link = (tmp_path / name for name in ("file", "pipe", "link"))
    file.write_text("old")
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "far" / "away")
    for path in (file, pipe, link, tmp_path / "new" / "folder" / "file"):
        rundir.check_output(path)
    assert file.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "pipe"]


def test_a_disk_that_is_read_only_is_told_before_the_work(tmp_path, monkeypatch):
    def refuse(path, *rest, **how):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(rundir.StorageError, match="read-only"):
        rundir.check_output(tmp_path / "file")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("compare --json a b", "compare --json=- a b"),
        ("compare --json a.json b", "compare --json a.json b"),
        ("evaluate run photos.zip --json", "evaluate run photos.zip --json=-"),
        ("evaluate run --json photos.zip", "evaluate run --json=- photos.zip"),
        ("evaluate run --json - photos.zip", "evaluate run --json - photos.zip"),
        ("evaluate --json=out run", "evaluate --json=out run"),
        ("inspect --json --size 16 set", "inspect --json=- --size 16 set"),
        ("note run -- --json", "note run -- --json"),
    ],
)
def test_the_word_behind_it_is_a_file_only_by_its_name(words, wanted):
    assert with_json_spelled_out(words.split()) == wanted.split()
