"""A run folder as typed objects: what it is made of, its checkpoints by name, its scores."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from steadygan import records
from steadygan.errors import ConfigError, DataError
from steadygan.records import DatedScore, Finding, Note
from steadygan.rundir import RunDir
from steadygan.runs import FORMAT, Run, RunInfo, SavedCheckpoint, checkpoint_at, run_at
from steadygan.runs.run import WRITTEN_AGAIN
from steadygan.spec import ImageSpec

INFO = {
    "config": {"batch": 8},
    "parameters": {"generator": 10, "discriminator": 20},
    "data": {"digest": "d" * 64, "count": 100, "held_out": 10, "spec": {"size": 16, "channels": 3}},
    "device": {"device": "cpu", "precision": "float32", "of tomorrow": 1},
    "of tomorrow": [2],
}


def score(images, value, protocol="p", metric="fd"):
    return DatedScore(step=images, images=images, metric=metric, value=value, protocol=protocol)


@pytest.fixture
def run(tmp_path):
    """A run with three checkpoints, of which the second is the best."""
    run = Run(tmp_path / "run")
    run.write_info(RunInfo.model_validate(INFO))
    for images, value in ((100, 3.0), (200, 1.0), (300, 2.0)):
        folder = run.files.checkpoint(images)
        folder.mkdir(parents=True)
        meta = {"format": FORMAT, "images": images, "score": score(images, value).model_dump()}
        (folder / "meta.json").write_text(json.dumps(meta))
        run.files.latest.write_text(folder.name + "\n")
        run.pick(score(images, value))
    return run


def test_what_a_run_is_made_of_comes_back_typed_with_what_newer_versions_add(run):
    info = run.info()
    assert (info.data.spec, info.data.training) == (ImageSpec(size=16, channels=3), 90)
    assert info.parameters == {"generator": 10, "discriminator": 20}
    run.write_info(info)
    assert run.info() == info
    written = json.loads(run.files.run_json.read_text())
    assert (written["of tomorrow"], written["device"]["of tomorrow"]) == ([2], 1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda info: info.pop("config"), "config"),
        (lambda info: info.pop("data"), "data"),
        (lambda info: info["data"].pop("digest"), "data.digest"),
        (lambda info: info["data"]["spec"].update(size="large"), "data.spec.size"),
        (lambda info: info.update(parameters=3), "parameters"),
    ],
)
def test_a_run_json_that_lacks_something_is_refused_by_its_name(run, change, named):
    info = json.loads(run.files.run_json.read_text())
    change(info)
    run.files.run_json.write_text(json.dumps(info))
    with pytest.raises(DataError, match=rf"run\.json is not that of a run: {named} missing, or of another kind"):
        run.info()


def test_checkpoints_are_found_by_what_they_are_and_by_name(run):
    assert [one.images for one in run.checkpoints()] == [100, 200, 300]
    assert run.checkpoint().images == run.checkpoint("best").images == 200
    assert run.checkpoint("latest").images == 300
    assert run.checkpoint("images-000000100").meta.score == score(100, 3.0)


def test_a_checkpoint_that_is_not_there_is_refused_with_those_that_are(run):
    names = "best, latest, images-000000100, images-000000200, images-000000300"
    with pytest.raises(ConfigError, match=f"no checkpoint 'newest'; there are: {names}"):
        run.checkpoint("newest")
    run.files.best.write_text("images-000000999\n")
    with pytest.raises(DataError, match="best names 'images-000000999', which is not there"):
        run.checkpoint("best")
    run.files.best.unlink()
    with pytest.raises(DataError, match="no best checkpoint"):
        run.checkpoint("best")


def test_a_folder_that_is_none_of_a_run_has_no_checkpoints(tmp_path):
    with pytest.raises(DataError, match="not the folder of a run"):
        Run(tmp_path).checkpoint("latest")


def test_a_run_and_a_checkpoint_are_found_from_the_path_of_either(run, tmp_path, monkeypatch):
    folder = run.files.checkpoint(100)
    assert run_at(run.path) == run_at(folder) == run
    assert run_at(tmp_path) is run_at(run.files.checkpoints) is None
    assert checkpoint_at(run.path, "latest").images == 300
    assert checkpoint_at(folder, "latest").images == 100, "a checkpoint is itself"
    monkeypatch.chdir(folder)
    assert checkpoint_at(folder.relative_to(folder)).run == run.path
    with pytest.raises(ConfigError, match="no run folder or exported file"):
        checkpoint_at(tmp_path / "nothing")


def test_the_best_is_the_last_that_is_close_to_the_lowest_score_by_the_newest_protocol(run):
    values = (5.0, math.nan, 4.0, 4.9, 5.1, 3.0, 4.0)
    later = [score(400 + 100 * number, value, "q") for number, value in enumerate(values)]
    picked = []
    for one in later:
        folder = run.files.checkpoint(one.images)
        folder.mkdir()
        meta = {"format": FORMAT, "images": one.images, "score": one.model_dump()}
        (folder / "meta.json").write_text(json.dumps(meta))
        run.pick(one)
        picked.append(run.checkpoint("best").images)
    assert picked == [400, 400, 600, 700, 700, 900, 900]


def test_scores_are_written_once(run):
    before = run.scores()
    run.add_scores([score(300, 2.0), score(300, math.nan, metric="kid"), score(300, 2.5)])
    run.add_scores([score(300, math.nan, metric="kid")])
    assert [one.metric for one in run.scores()[len(before) :]] == ["kid", "fd"]


def test_every_file_of_lines_but_the_notes_is_written_again_by_a_resumed_run():
    lines = {name for name, value in vars(RunDir).items() if isinstance(value, property) and name != "path"}
    files = RunDir(Path())
    assert {name for name in lines if getattr(files, name).suffix == ".jsonl"} == {*WRITTEN_AGAIN, "notes"}


def test_what_came_after_a_checkpoint_is_forgotten_and_notes_are_not(run):
    run.files.samples.mkdir()
    for images in (150, 250, 350):
        run.files.sample(images).touch()
        finding = Finding(step=1, images=images, rule="r", severity="info", evidence="e", remedy="m")
        records.append(run.files.findings, finding)
        records.append(run.files.notes, Note(step=1, images=images, text="seen"))
    (run.files.samples / "my own.png").touch()
    run.forget_later(250)
    assert [one.images for one in records.read(run.files.findings, Finding)] == [150, 250]
    assert [one.images for one in run.scores()] == [100, 200]
    assert [one.images for one in run.checkpoints()] == [100, 200]
    assert [one.images for one in run.notes()] == [150, 250, 350]
    assert [file.name for file in sorted(run.files.samples.iterdir())] == [
        "000000150.png",
        "000000250.png",
        "my own.png",
    ]


def test_a_note_is_dated_by_the_last_tick_and_refused_in_what_is_no_run(run, tmp_path):
    run.note("looks grey")
    assert [(note.text, note.author, note.images) for note in run.notes()] == [("looks grey", "user", 0)]
    with pytest.raises(DataError, match="not the folder of a run"):
        Run(tmp_path).note("lost")
    assert not (tmp_path / "notes.jsonl").exists()


def test_a_file_of_a_checkpoint_is_whole_or_refused(run):
    saved = SavedCheckpoint(run.files.checkpoint(300))
    with pytest.raises(DataError, match=r"average\.safetensors is missing or damaged; to resume, write an earlier one"):
        saved.part("average")
