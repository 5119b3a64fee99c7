"""What is done with a finished run: pictures, walks, files, comparisons, notes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import steadygan as sg
from steadygan.cli.main import main
from steadygan.networks import DCGAN, SNGAN, DCGANGenerator
from steadygan.recipes import configure
from steadygan.training.console import Silent
from steadygan.training.run import train
from steadygan.training.sampling import rows
from steadygan.visual.grid import grid
from steadygan.visual.walk import slerp, straight
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


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A conditional generator with three classes, and latents of a length that is no multiple of 16."""
    networks = SNGAN(width=4, latent_dim=10, latent="uniform")
    torch.manual_seed(3)
    generator = networks.build(sg.ImageSpec(size=16, channels=3, classes=3)).generator
    model = sg.TrainedGenerator(
        generator, networks.model_dump(), sg.ImageSpec(size=16, channels=3, classes=3), 10, {"class_names": list("abc")}
    )
    return model.save(tmp_path_factory.mktemp("told") / "g.safetensors")


@pytest.mark.slow
def test_the_first_picture_is_the_same_however_many_are_asked_for(runs, told, tmp_path):
    for source in (runs[0].path, told):
        many = tmp_path / f"{source.stem}-many"
        assert call("sample", source, "-n", 19, "--seed", 2, "-o", many) == 0
        for count in (1, 9):
            few = tmp_path / f"{source.stem}-{count}"
            assert call("sample", source, "-n", count, "--seed", 2, "-o", few) == 0
            for file in few.iterdir():
                assert np.array_equal(pixels(file), pixels(many / file.name))


@pytest.mark.parametrize("options", [pytest.param((), marks=pytest.mark.slow), ("--class", "b")])
def test_picked_pictures_are_those_of_the_grid_in_the_order_asked(told, tmp_path, options):
    assert call("sample", told, "-n", 30, *options, "-o", tmp_path / "all") == 0
    assert call("sample", told, "--pick", "17,5,20-22", *options, "-o", tmp_path / "some") == 0
    names = sorted(file.name for file in (tmp_path / "some").iterdir())
    assert names == ["00005.png", "00017.png", "00020.png", "00021.png", "00022.png"]
    for name in names:
        assert np.array_equal(pixels(tmp_path / "some" / name), pixels(tmp_path / "all" / name))
    label = options[1] if options else None
    picked = sg.load(told).sample(pick=[17, 5], label=label)
    assert torch.equal(picked, sg.load(told).sample(18, label=label)[[17, 5]])
    assert call("sample", told, "--pick", "17,5", *options, "-o", tmp_path / "two.png") == 0
    assert np.array_equal(pixels(tmp_path / "two.png"), grid(rows(picked)))


@pytest.mark.parametrize(("kind", "way"), [("normal", slerp), ("uniform", straight)])
def test_a_walk_leads_from_picked_picture_to_picked_picture_on_the_way_of_its_latents(tmp_path, monkeypatch, kind, way):
    networks, spec = DCGAN(width=4, max_width=8, latent_dim=10, latent=kind), sg.ImageSpec(size=16, channels=3)
    model = sg.TrainedGenerator(networks.build(spec).generator, networks.model_dump(), spec, 10, {})
    source, frames = model.save(tmp_path / "g.safetensors"), []
    monkeypatch.setattr("steadygan.export.pictures.save_animation", lambda made, *_: frames.extend(made))
    assert call("sample", source, "--pick", "90,7", "--frames", 2, "-o", tmp_path / "walk.gif") == 0
    first, last = (z.numpy() for z in model.latents(pick=[90, 7]).split(1))
    stations = torch.from_numpy(np.concatenate([first, way(first, last, 0.5), last, way(last, first, 0.5)]))
    shown = [np.asarray(frame)[::53, ::53] for frame in frames]  # 16 pixels are enlarged to 848
    assert np.array_equal(shown, rows(model.pictures(stations)))


@pytest.mark.slow
def test_pictures_of_latents_from_a_file_are_those_of_the_latents(told, tmp_path):
    model = sg.load(told)
    latents = model.latents(6, seed=5)
    np.save(tmp_path / "z.npy", latents.numpy())
    save_file({"z": latents}, tmp_path / "z.safetensors")
    for name in ("z.npy", "z.safetensors"):
        out = tmp_path / name.partition(".")[2]
        assert call("sample", told, "--latents", tmp_path / name, "--pick", "4,1", "-o", out) == 0
        assert np.array_equal(pixels(out / "00004.png"), rows(model.sample(6, seed=5))[4])
        assert len(list(out.iterdir())) == 2


@pytest.mark.slow
def test_pictures_that_cannot_be_had_are_refused_in_one_line(told, tmp_path, capsys):
    np.save(tmp_path / "z.npy", np.zeros((3, 9)))
    for options in (
        ("--pick", "x"),
        ("-n", 9, "--pick", "9"),
        ("--latents", tmp_path / "z.npy"),
        ("--latents", tmp_path / "none.npy"),
        ("--pick", "3", "--class", "q"),
    ):
        assert call("sample", told, *options, "-o", tmp_path / "out.png") in (2, 4)
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out.png").exists()


@pytest.mark.slow
def test_uniform_latents_are_recorded_and_kept_by_all_that_looks_at_a_run(pictures, tmp_path, monkeypatch):
    seen = []
    forward = DCGANGenerator.forward
    monkeypatch.setattr(DCGANGenerator, "forward", lambda self, z: seen.append(z.detach().clone()) or forward(self, z))
    settings = {**TINY, "size": 16, "budget": {"steps": 5}}
    settings["networks"] = {**TINY["networks"], "latent": "uniform", "generator_norm": {"kind": "virtual_batch"}}
    run = train(configure(pictures, settings=settings), tmp_path / "r", Silent())
    assert run.info().config["networks"]["latent"] == "uniform"
    model = sg.load(run.path)
    assert model.save(tmp_path / "g.safetensors")
    assert sg.load(tmp_path / "g.safetensors").networks["latent"] == "uniform"
    sg.evaluate(run.path, metrics=["fd"], repeats=0, split="training")
    assert call("sample", run.path, "-n", 3, "-o", tmp_path / "walk.gif") == 0
    assert call("sample", tmp_path / "g.safetensors", "-o", tmp_path / "grid.png") == 0
    seen.append(model.generator.layers.batch)
    assert len(seen) > 30
    assert all(z.abs().max() <= 1 for z in seen)
    assert torch.cat([z.flatten() for z in seen]).std() == pytest.approx(3**-0.5, rel=0.1)


def test_runs_and_files_of_before_the_choice_have_normal_latents(runs, tmp_path):
    old = shutil.copytree(runs[0].path, tmp_path / "old")
    info = json.loads((old / "run.json").read_text())
    assert info["config"]["networks"].pop("latent") == "normal"
    (old / "run.json").write_text(json.dumps(info))
    model = sg.load(old)
    assert model.latents(500).abs().max() > 3
    assert torch.equal(sg.load(model.save(tmp_path / "old.safetensors")).sample(3), sg.load(runs[0].path).sample(3))


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
    assert run.info().config["size"] == 16


@pytest.mark.slow
def test_ring_trains_and_is_drawn_as_points(tmp_path):
    settings = {**TINY, "batch": 64, "budget": {"steps": 3}, "networks": {"width": 8}}
    run = train(configure("builtin:ring", "ring", settings=settings), tmp_path / "ring", Silent())
    assert sg.load(run.path).sample(10).shape == (10, 2, 1, 1)
    with Image.open(run.files.fixed_samples()[-1]) as picture:
        assert picture.size == (512, 512)
