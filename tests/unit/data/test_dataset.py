from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steadygan.data import Dataset, Folder, PrepareSettings, is_dataset, open_dataset, prepare
from steadygan.errors import DataError


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    for index in range(6):
        folder = tmp_path / "in" / ("even", "odd")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (index, 0, 0)).save(folder / f"{index}.png")
    (tmp_path / "in" / "odd" / "bad.png").write_bytes(b"")
    return prepare([Folder(path=tmp_path / "in")], tmp_path / "out", PrepareSettings(size=4), workers=0)


def test_a_data_set_gives_images_with_their_labels_and_where_they_come_from(dataset: Dataset) -> None:
    assert len(dataset) == 6
    image, label = dataset[4]
    assert (image.shape, int(image[0, 0, 0]), label) == ((4, 4, 3), 3, 1)
    assert dataset.entries()[4].file == "odd/3.png"
    assert dataset.entries()[4].label == dataset.class_names[1] == "odd"
    assert [it.file for it in dataset.rejected()] == ["odd/bad.png"]
    assert str(dataset.spec) == "4×4, 3 channels, 2 classes"
    with pytest.raises(IndexError):
        dataset[6]


def test_a_data_set_prints_in_a_line_and_shows_itself_with_names_escaped(tmp_path: Path) -> None:
    for index in range(20):
        folder = tmp_path / "in" / ("<b>bear", "cat", "dog")[min(index % 4, 2)]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (index, 0, 0)).save(folder / f"{index}.png")
    dataset = prepare([Folder(path=tmp_path / "in")], tmp_path / "<i>set", PrepareSettings(size=4), workers=0)
    said = f"20 images, 4×4, 3 channels, 3 classes, {len(dataset.held_out)} of them held out"
    assert str(dataset) == said
    assert repr(dataset) == f"<Dataset {dataset.path}: {said}>"
    html = dataset._repr_html_()
    assert [html.index(name) for name in ("&lt;i&gt;set", said, ">dog<", "&lt;b&gt;bear")]
    assert html.index(">dog<") < html.index("&lt;b&gt;bear")
    assert "<b>" not in html
    assert "<i>" not in html
    assert html.count("<img src=") == 1
    (dataset.path / "montage.png").unlink()
    assert "<img src=" not in dataset._repr_html_()


def test_many_classes_are_shown_by_the_largest_and_the_number_of_the_rest(tmp_path: Path) -> None:
    for index in range(30):
        folder = tmp_path / "in" / f"class{index // 2:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (index, 0, 0)).save(folder / f"{index}.png")
    html = prepare([Folder(path=tmp_path / "in")], tmp_path / "out", PrepareSettings(size=4), workers=0)._repr_html_()
    assert "3 more" in html
    assert html.count("<tr") == 1 + 12 + 1


def test_images_are_mapped_and_not_loaded(dataset: Dataset) -> None:
    assert isinstance(dataset.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        dataset.images[0] = 0


def test_a_folder_counts_as_a_data_set_by_its_description(dataset: Dataset, tmp_path: Path) -> None:
    assert is_dataset(dataset.path)
    assert not is_dataset(tmp_path / "in")
    assert not is_dataset(tmp_path / "nowhere")


def edit(**changes: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        file = path / "dataset.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda path: (path / "dataset.json").unlink(), "no dataset.json and is no data set; make one"),
        (lambda path: (path / "dataset.json").write_text('{"form'), r"damaged: dataset.json cannot be read"),
        (lambda path: (path / "dataset.json").write_text("[]"), r"damaged: dataset.json cannot be read"),
        (edit(format=99), "has the format 99, this version reads 2"),
        (edit(spec={"size": 4}), "lacks or misspells"),
        (edit(counts={}), "lacks or misspells 'images'"),
        (
            edit(counts={"images": 7, "held_out": 0}),
            r"images.npy holds uint8 \(6, 4, 4, 3\), expected uint8 \(7, 4, 4, 3\)",
        ),
        (edit(spec={"size": 4, "channels": 3, "classes": 1}), "labels outside 0 to 0"),
        (lambda path: os.truncate(path / "images.npy", 300), "images.npy is missing or cut short"),
        (lambda path: os.truncate(path / "images.npy", 0), "images.npy is missing or cut short"),
        (lambda path: (path / "images.npy").unlink(), "images.npy is missing or cut short"),
        (lambda path: np.save(path / "held_out.npy", np.zeros(1, np.int64)), r"held_out.npy holds int64 \(1,\)"),
        (lambda path: (path / "labels.npy").unlink(), "labels.npy is missing or cut short"),
        (lambda path: np.save(path / "labels.npy", np.zeros(6, np.int32)), "labels.npy holds int32"),
    ],
)
def test_a_damaged_data_set_is_refused_with_what_is_wrong(
    dataset: Dataset, damage: Callable[[Path], object], complaint: str
) -> None:
    damage(dataset.path)
    with pytest.raises(DataError, match=complaint):
        open_dataset(dataset.path)


def test_a_missing_index_is_reported_when_it_is_asked_for(dataset: Dataset) -> None:
    (dataset.path / "index.jsonl").unlink()
    with pytest.raises(DataError, match=r"index\.jsonl cannot be read; delete the folder and prepare it again"):
        open_dataset(dataset.path).entries()
