from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from steadygan.data import Dataset, PrepareSettings, TorchImages, open_dataset, prepare, save_images
from steadygan.errors import ConfigError


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    for index in range(30):
        folder = tmp_path / "in" / ("even", "odd")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    return prepare(tmp_path / "in", tmp_path / "set", PrepareSettings(size=8), workers=0)


def test_a_set_written_as_pictures_and_prepared_again_is_the_same(dataset: Dataset, tmp_path: Path) -> None:
    folder = save_images(dataset, tmp_path / "out")
    again = prepare(folder, tmp_path / "again", PrepareSettings(size=8), workers=0)
    assert (again.images == dataset.images).all()
    assert again.class_names == dataset.class_names
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert lines[20] == {"file_name": "odd/000020.png", "source": "odd/11.png", "held_out": 20 in dataset.held_out,
                         "label": "odd"}  # fmt: skip
    assert sum(line["held_out"] for line in lines) == 3


def test_grey_images_are_written_grey_and_points_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for index in range(3):
        Image.new("L", (4, 4), 80 * index).save(tmp_path / "in" / f"{index}.png")
    grey = prepare(tmp_path / "in", tmp_path / "set", PrepareSettings(size=4), workers=0)
    with Image.open(save_images(grey, tmp_path / "out") / "000002.png") as image:
        assert (image.mode, image.getpixel((0, 0))) == ("L", 160)
    with pytest.raises(ConfigError, match="out exists"):
        save_images(grey, tmp_path / "out")
    points = prepare("builtin:ring", tmp_path / "points", PrepareSettings(limit=10), workers=0)
    with pytest.raises(ConfigError, match="no PNG can hold"):
        save_images(points, tmp_path / "none")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_data_loader_gets_the_images_of_a_part_with_their_labels(dataset: Dataset, workers: int) -> None:
    assert (len(TorchImages(dataset)), len(TorchImages(dataset, "held-out"))) == (27, 3)
    images, labels = next(iter(DataLoader(TorchImages(dataset, "all"), batch_size=30, num_workers=workers)))
    assert dataset.labels is not None
    assert labels.tolist() == dataset.labels.tolist()
    expected = torch.from_numpy(np.array(dataset.images)).permute(0, 3, 1, 2) / 127.5 - 1
    torch.testing.assert_close(images, expected, atol=1e-6, rtol=0)
    with pytest.raises(ConfigError, match="no part 'test'; choose training, held-out, all"):
        TorchImages(dataset, "test")  # type: ignore[arg-type]


def test_a_set_sent_to_another_process_is_mapped_there_and_not_copied(dataset: Dataset) -> None:
    sent = dataset.__reduce__()
    assert len(repr(sent)) < 500
    assert sent[0] is open_dataset
    assert (sent[0](*sent[1]).images == dataset.images).all()


@pytest.mark.parametrize("label", ["../../escaped", "/abs", "..", "", "a/b", "x" * 300, "\N{HIRAGANA LETTER A}" * 200])
def test_no_label_leads_out_of_the_folder(tmp_path: Path, label: str) -> None:
    lines = ["file_name,label"]
    (tmp_path / "in").mkdir()
    for index in range(4):
        Image.new("RGB", (4, 4), (60 * index, 0, 0)).save(tmp_path / "in" / f"{index}.png")
        lines.append(f"{index}.png,{label or '?' if index % 2 else 'plain'}")
    (tmp_path / "in" / "metadata.csv").write_text("\n".join(lines))
    labelled = prepare(tmp_path / "in", tmp_path / "set", PrepareSettings(size=4), workers=0)
    folder = save_images(labelled, tmp_path / "deep" / "er" / "out")
    assert len(list(folder.rglob("*.png"))) == 4
    assert len(list(tmp_path.rglob("*.png"))) == 9  # four in, four out, and the montage
