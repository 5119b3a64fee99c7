"""`steadygan project`: from photos to latents, and on with these."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import steadygan as sg
from steadygan.cli.main import main
from steadygan.data.photos import read_photos
from steadygan.networks import SNGAN
from steadygan.recipes import configure
from steadygan.training.console import Silent
from steadygan.training.run import train
from tiny import TINY, draw


def call(*words) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0)


def pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on pictures that were padded to be square."""
    folder = tmp_path_factory.mktemp("runs")
    draw(folder / "pictures", 40)
    settings = {**TINY, "size": 16, "budget": {"steps": 2}, "data": {"fit": "pad"}}
    return train(configure(str(folder / "pictures"), settings=settings), folder / "my run", Silent())


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A conditional generator with three classes."""
    networks, spec = SNGAN(width=4, latent_dim=10), sg.ImageSpec(size=16, channels=3, classes=3)
    model = sg.TrainedGenerator(
        networks.build(spec).generator, networks.model_dump(), spec, 10, {"class_names": list("abc")}
    )
    return model.save(tmp_path_factory.mktemp("told") / "g.safetensors")


@pytest.fixture
def album(tmp_path):
    """Photos in a folder, one of them damaged and one with a name to beware of."""
    folder = draw(tmp_path / "album", 2, size=24)
    Image.new("RGB", (40, 20), (200, 30, 30)).save(folder / "caf\udce9\n$(x).png")
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    return folder


@pytest.mark.slow
def test_a_folder_of_photos_gives_a_sheet_and_latents_that_sample_shows(run, album, tmp_path, capsys):
    out = tmp_path / "found it"
    assert call("project", run.path, album, "--steps", 2, "-o", out) == 0
    said = capsys.readouterr()
    assert "bad.png" in said.err
    assert said.out.count(" levels from its picture") == 3
    assert f"steadygan sample '{run.path}' --latents '{out}/latents.safetensors' -o walk.gif" in said.out
    assert sorted(file.name for file in out.iterdir()) == ["latents.safetensors", "side-by-side.png"]
    assert pixels(out / "side-by-side.png").shape[1] > 3 * 150
    latents = load_file(out / "latents.safetensors")["latents"]
    assert latents.shape == (3, 8)
    assert call("sample", run.path, "--latents", out / "latents.safetensors", "-o", tmp_path / "again") == 0
    for number, picture in enumerate(sg.load(run.path).pictures(latents).plain()):
        assert np.array_equal(pixels(tmp_path / "again" / f"{number:05d}.png"), picture.permute(1, 2, 0))


def test_photos_are_brought_to_the_form_of_the_images_trained_on(run, tmp_path):
    Image.new("RGB", (40, 20), (0, 0, 0)).save(tmp_path / "wide.png")
    how = sg.Inversion(steps=1, starts=1, candidates=1)
    photo = sg.project(run, tmp_path / "wide.png", how=how, own=0).photos[0]
    assert photo[:, 0].eq(255).all(), "padded, as the run has it"
    assert photo[:, 8].eq(0).all()
    exported = sg.load(run).save(tmp_path / "g.safetensors")
    assert sg.project(exported, tmp_path / "wide.png", how=how, own=0).photos[0].eq(0).all(), "which does not know it"
    prepared = sg.prepare(
        draw(tmp_path / "p", 4, 50), tmp_path / "set", sg.PrepareSettings(size=16, fit="pad"), workers=0
    )
    photos = read_photos([tmp_path / "p"], sg.PrepareSettings(size=16, fit="pad"))
    assert np.array_equal(photos.images, prepared.images)


def test_an_output_by_suffix_holds_one_of_both(run, album, tmp_path):
    photo = album / "0000.png"
    assert call("project", run.path, photo, "--steps", 1, "-o", tmp_path / "z.safetensors") == 0
    assert load_file(tmp_path / "z.safetensors")["latents"].shape == (1, 8)
    assert call("project", run.path, photo, photo, "--steps", 1, "-o", tmp_path / "sheet.png") == 0
    assert pixels(tmp_path / "sheet.png").shape[1] > 300
    assert (tmp_path / "z.safetensors").stat().st_mode == (tmp_path / "sheet.png").stat().st_mode


def test_labels_travel_with_the_latents_and_a_walk_shows_the_nearer_ones(told, tmp_path, monkeypatch):
    model, frames = sg.load(told), []
    latents, labels = model.latents(2, seed=3), torch.tensor([2, 1])
    save_file({"latents": latents, "labels": labels}, tmp_path / "z.safetensors")
    words = ("sample", told, "--latents", tmp_path / "z.safetensors")
    assert call(*words, "-o", tmp_path / "new") == 0
    for number, picture in enumerate(model.pictures(latents, labels).plain()):
        assert np.array_equal(pixels(tmp_path / "new" / f"{number:05d}.png"), picture.permute(1, 2, 0))
    made = []
    monkeypatch.setattr(
        sg.TrainedGenerator, "pictures", lambda _, z, y: made.append((z, y)) or torch.zeros(len(z), 3, 1, 1).byte()
    )
    monkeypatch.setattr("steadygan.export.pictures.save_animation", lambda shown, *_: frames.extend(shown))
    assert call(*words, "--frames", 4, "-o", tmp_path / "walk.gif") == 0
    path, classes = made[0]
    torch.testing.assert_close(path[[0, 4]], latents)
    assert classes.tolist() == [2, 2, 1, 1, 1, 1, 2, 2]
    assert call(*words, "--frames", 2, "--class", "a", "-o", tmp_path / "walk.gif") == 0
    assert made[1][1].tolist() == [0] * 4


def test_a_walk_passes_through_all_latents_of_a_file(run, tmp_path):
    np.save(tmp_path / "z.npy", sg.load(run).latents(11).numpy())
    assert call("sample", run.path, "--latents", tmp_path / "z.npy", "--frames", 1, "-o", tmp_path / "walk.gif") == 0
    with Image.open(tmp_path / "walk.gif") as gif:
        assert gif.n_frames == 11


@pytest.mark.parametrize("labels", [torch.tensor([0, 7]), torch.tensor([0.0, 1.0]), torch.tensor([1])])
def test_labels_that_are_none_are_refused_in_one_line(told, tmp_path, capsys, labels):
    save_file({"latents": torch.zeros(2, 10), "labels": labels}, tmp_path / "z.safetensors")
    assert call("sample", told, "--latents", tmp_path / "z.safetensors", "-o", tmp_path / "out.png") == 4
    assert capsys.readouterr().err.count("\n") == 1


def test_what_cannot_be_projected_is_refused_in_one_line_before_the_work(run, album, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("steadygan.export.projection.draw", lambda *_: pytest.fail("this is work"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("kept")
    (tmp_path / "empty").mkdir()
    photo, new = album / "0000.png", tmp_path / "new"
    for code, source, given, out in (
        (4, run.path, album / "bad.png", new),
        (2, run.path, tmp_path / "none.png", new),
        (4, run.path, tmp_path / "empty", new),
        (2, run.path, "builtin:ring", new),
        (2, run.path, "https://example.org/a.png", new),
        (4, album, photo, new),
        (2, run.path, photo, tmp_path / "full"),
        (2, run.path, photo, tmp_path / "photo.jpg"),
        (2, run.path, photo, album / "0000.png" / "x.gif"),
    ):
        assert call("project", source, given, "-o", out) == code, (source, given, out)
        assert capsys.readouterr().err.count("\n") == 1
    assert not new.exists()


def test_a_class_of_a_generator_without_any_is_refused(run, album, tmp_path, capsys):
    assert call("project", run.path, album / "0000.png", "--class", "a", "-o", tmp_path / "new") == 2
    assert "without classes" in capsys.readouterr().err
