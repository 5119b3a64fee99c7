from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import steadygan as sg
from steadygan.cli.main import main
from steadygan.data import PrepareSettings, prepare, save_images
from steadygan.errors import ConfigError
from steadygan.export.generated import save_generated
from steadygan.networks import DCGAN, SNGAN, Points
from steadygan.spec import ImageSpec
from tiny import draw

SETTINGS = PrepareSettings(size=16, held_out=0.2)


def exported(folder: Path, networks=None, **spec) -> Path:
    """A file of a generator with fresh weights, of a run called r7."""
    networks = networks or (SNGAN(width=4, latent_dim=10) if spec else DCGAN(width=4, max_width=8, latent_dim=10))
    form = ImageSpec(**{"size": 16, "channels": 3, **spec})
    about = {"run": "r7", "checkpoint": "images-000000640", "class_names": ["sea", "a/b", "land"][: form.classes]}
    torch.manual_seed(2)
    model = sg.TrainedGenerator(networks.build(form).generator, networks.model_dump(), form, networks.latent_dim, about)
    return model.save(folder / "g.safetensors")


def manifest(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_the_manifest_says_of_each_picture_how_it_comes_back(tmp_path):
    source, out = exported(tmp_path), tmp_path / "made"
    with pytest.raises(SystemExit) as left:
        main(["export", str(source), "--images", "19", "--seed", "4", "-o", str(out)])
    assert not left.value.code
    lines = manifest(out)
    assert sorted(line["file"] for line in lines) == sorted(file.name for file in out.glob("*.png"))
    origin = {"run": "r7", "checkpoint": "images-000000640", "seed": 4}
    assert lines == [{"file": f"{index:06d}.png", **origin, "index": index} for index in range(19)]
    for line in lines:
        again = sg.load(source).sample(pick=[line["index"]], seed=line["seed"])[0]
        assert np.array_equal(np.asarray(Image.open(out / line["file"])), again.permute(1, 2, 0))


def test_a_conditional_generator_fills_a_folder_for_each_class_evenly(tmp_path):
    source = exported(tmp_path, classes=3)
    lines = manifest(save_generated(source, tmp_path / "made", 20))
    assert [[line["class"] for line in lines].count(name) for name in ("sea", "a/b", "land")] == [7, 7, 6]
    assert {line["file"].split("/")[0] for line in lines if line["class"] == "a/b"} == {"a_b"}
    whole = sg.load(source).sample(20)
    for line in lines:
        shown = np.asarray(Image.open(tmp_path / "made" / line["file"]))
        assert np.array_equal(shown, whole[line["index"]].permute(1, 2, 0))


@pytest.mark.parametrize("together", [False, True])
def test_generated_images_enlarge_a_set_without_being_held_out_and_can_be_left_out_again(tmp_path, together):
    photos = draw(tmp_path / "both" / "photos", 40)
    generated = save_generated(exported(tmp_path), tmp_path / "both" / "generated", 90)
    sources = tmp_path / "both" if together else [photos, generated]
    both = prepare(sources, tmp_path / "set", SETTINGS, workers=0)
    entries = both.entries()
    fakes = [index for index, entry in enumerate(entries) if entry.attributes.get("generated")]
    assert [entries[index].file for index in fakes] == [f"generated/{index:06d}.png" for index in range(90)]
    assert entries[fakes[7]].attributes["index"] == 7
    assert (both.labels, len(both), len(both.held_out)) == (None, 130, 8)
    assert not set(fakes) & set(both.held_out.tolist())
    alone = prepare(photos, tmp_path / "alone", SETTINGS, workers=0)
    assert np.array_equal(alone.images[alone.held_out], both.images[both.held_out])
    back = prepare(save_images(both, tmp_path / "png"), tmp_path / "again", SETTINGS, workers=0)
    assert np.array_equal(back.images[back.held_out], both.images[both.held_out])


def test_generated_images_of_classes_join_those_of_the_reals(tmp_path):
    for number, name in enumerate(("sea", "a/b", "land")):
        draw(tmp_path / "photos" / name.replace("/", "_"), 12, seed=number)
    generated = save_generated(exported(tmp_path, classes=3), tmp_path / "generated", 30)
    (generated / "a_b").rename(generated / "moved")  # the manifest is believed, not the folder
    text = (generated / "manifest.jsonl").read_text().replace("a_b/", "moved/").replace("a/b", "a_b")
    (generated / "manifest.jsonl").write_text(text)
    both = prepare([tmp_path / "photos", generated], tmp_path / "set", SETTINGS, workers=0)
    assert both.class_names == ("a_b", "land", "sea")
    assert np.bincount(both.labels).tolist() == [22, 22, 22]


def test_another_file_of_the_same_name_is_passed_over(tmp_path):
    folder = draw(tmp_path / "photos", 4)
    (folder / "manifest.jsonl").write_text('{"file": "0001.png", "author": "A"}\n')
    dataset = prepare(folder, tmp_path / "set", SETTINGS, workers=0)
    assert not any(entry.attributes for entry in dataset.entries())
    assert not dataset.rejected()


def test_what_no_folder_can_take_is_refused(tmp_path):
    source = exported(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("kept")
    with pytest.raises(ConfigError, match="not empty"):
        save_generated(source, tmp_path / "full", 3)
    assert (tmp_path / "full" / "kept.txt").exists()
    for name, networks, channels, size in (("points", Points(width=4, latent_dim=4), 2, 1), ("two", None, 2, 16)):
        (tmp_path / name).mkdir()
        with pytest.raises(ConfigError, match="no PNG can hold"):
            save_generated(exported(tmp_path / name, networks, channels=channels, size=size), tmp_path / "new", 3)
