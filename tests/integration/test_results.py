"""What is done with a finished run: pictures, walks, files, comparisons, notes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import steadygan as sg
from steadygan.cli.main import main
from steadygan.recipes import configure
from steadygan.training.console import Silent
from steadygan.training.run import train
from tiny import TINY


@pytest.fixture(scope="module")
def runs(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    made = []
    for seed in (0, 1):
        settings = {**TINY, "size": 16, "budget": {"steps": 8}, "seed": seed}
        made.append(train(configure(pictures, settings=settings), folder / f"r{seed}", Silent()))
    return made


def call(*arguments) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def test_sample_writes_one_grid_of_the_images_python_gets(runs, tmp_path):
    assert call("sample", runs[0].path, "-n", 9, "--seed", 4, "-o", tmp_path / "grid.png") == 0
    sheet = np.asarray(Image.open(tmp_path / "grid.png"))
    first = sg.load(runs[0].path).sample(9, seed=4)[0].permute(1, 2, 0).numpy()
    colours = {tuple(pixel) for pixel in sheet.reshape(-1, 3)}
    assert {tuple(pixel) for pixel in first.reshape(-1, 3)} <= colours


def test_sample_writes_a_folder_of_single_images(runs, tmp_path):
    assert call("sample", runs[0].path, "-n", 5, "-o", tmp_path / "many") == 0
    files = sorted((tmp_path / "many").iterdir())
    assert [file.name for file in files] == [f"{n:05d}.png" for n in range(5)]
    assert np.array_equal(np.asarray(Image.open(files[2])), sg.load(runs[0].path).sample(5)[2].permute(1, 2, 0).numpy())


def test_sample_writes_a_walk_that_starts_at_the_first_latent(runs, tmp_path):
    assert call("sample", runs[0].path, "-n", 3, "--frames", 4, "-o", tmp_path / "walk.gif") == 0
    with Image.open(tmp_path / "walk.gif") as gif:
        assert gif.n_frames == 12
    assert call("sample", runs[0].path, "-n", 3, "--frames", 4, "-o", tmp_path / "walk.mp4") == 0
    assert (tmp_path / "walk.mp4").stat().st_size > 500


def test_export_and_sample_from_the_file_give_the_same_grid(runs, tmp_path):
    assert call("export", runs[0].path, "-o", tmp_path / "g.safetensors") == 0
    for name, source in (("a", runs[0].path), ("b", tmp_path / "g.safetensors")):
        assert call("sample", source, "-n", 4, "-o", tmp_path / f"{name}.png") == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_compare_shows_only_the_settings_that_differ(runs, capsys):
    assert call("compare", runs[0].path, runs[1].path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["settings"]] == ["seed"]
    assert found["settings"][0]["values"] == [0, 1]
    results = {row["name"].partition(" (")[0]: row["values"] for row in found["results"]}
    assert results["images"] == [64, 64]
    assert all(value > 0 for value in results["fd-training"])
    assert call("compare", runs[0].path, runs[1].path) == 0
    assert "settings that differ" in capsys.readouterr().out


def test_a_note_is_added_with_its_place_in_the_run(runs):
    assert call("note", runs[0].path, "looks grey") == 0
    note = runs[0].notes()[-1]
    assert (note.text, note.author, note.images) == ("looks grey", "user", 64)


def test_inspect_prints_json_and_nothing_else(pictures, capsys):
    assert call("inspect", pictures, "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 120


def test_prepare_makes_a_data_set_that_trains(pictures, tmp_path, capsys):
    assert call("prepare", pictures, "-o", tmp_path / "set", "--size", 16) == 0
    assert "120 images" in capsys.readouterr().out
    settings = {**TINY, "budget": {"steps": 1}}
    run = train(configure(tmp_path / "set", settings=settings), tmp_path / "r", Silent())
    assert run.info()["config"]["size"] == 16


def test_ring_trains_and_is_drawn_as_points(tmp_path):
    settings = {**TINY, "batch": 64, "budget": {"steps": 3}, "networks": {"width": 8}}
    run = train(configure("builtin:ring", "ring", settings=settings), tmp_path / "ring", Silent())
    assert sg.load(run.path).sample(10).shape == (10, 2, 1, 1)
    with Image.open(run.files.fixed_samples()[-1]) as picture:
        assert picture.size == (512, 512)
