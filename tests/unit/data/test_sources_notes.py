from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from steadygan.data.sources.archive import Zip
from steadygan.data.sources.folder import Folder
from steadygan.data.sources.opening import Listing, list_items

BUFFER = io.BytesIO()
Image.new("L", (4, 4)).save(BUFFER, "PNG")


def folder(path: Path, *names: str, **notes: Any) -> Folder:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(BUFFER.getvalue())
    for name, content in notes.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content if isinstance(content, str) else json.dumps(content))
    return Folder(path=path)


def labels(listing: Listing) -> dict[str, str | None]:
    return {item.name: item.label for item in listing.items}


def reasons(listing: Listing) -> dict[str, str]:
    return {problem.file: problem.reason for problem in listing.problems}


TWO = ("00000/a.png", "00001/b.png")


@pytest.mark.parametrize("content", [None, []], ids=str)
def test_numbered_folders_of_stylegan_are_no_classes(content: object, tmp_path: Path) -> None:
    assert labels(list_items([folder(tmp_path / "a", *TWO)])) == {"00000/a.png": "00000", "00001/b.png": "00001"}
    listing = list_items([folder(tmp_path / "b", *TWO, **{"dataset.json": {"labels": content}})])
    assert labels(listing) == dict.fromkeys(TWO)
    assert (listing.problems, listing.passed_over) == ((), ())


def test_files_that_stylegan_does_not_list_have_no_label_and_listed_files_that_are_missing_are_named(
    tmp_path: Path,
) -> None:
    pairs = [["00000/a.png", 6], ["00000/gone.png", 1], ["00000/lost.png", 1]]
    listing = list_items([folder(tmp_path, *TWO, **{"dataset.json": {"labels": pairs}})])
    assert labels(listing) == {"00000/a.png": "6", "00001/b.png": None}
    assert reasons(listing) == {"dataset.json": "lists 2 files that are not there, the first 00000/gone.png"}


def test_vectors_as_labels_are_not_used_and_that_is_said(tmp_path: Path) -> None:
    pairs = [[name, [0.5, 1.5]] for name in TWO]
    listing = list_items([folder(tmp_path, *TWO, **{"dataset.json": {"labels": pairs}})])
    assert labels(listing) == dict.fromkeys(TWO)
    assert reasons(listing) == {"dataset.json": "holds 2 labels that are lists or empty; they are not used"}


@pytest.mark.parametrize("content", ["no JSON", [1, 2], {"name": "x"}], ids=str)
def test_another_file_called_dataset_json_is_passed_over(content: object, tmp_path: Path) -> None:
    listing = list_items([folder(tmp_path, "cat/a.png", "dog/b.png", **{"dataset.json": content})])
    assert set(labels(listing).values()) == {"cat", "dog"}
    assert dict(listing.passed_over) == {".json": 1}
    assert listing.problems == ()


def test_labels_that_are_no_pairs_are_a_problem_and_no_crash(tmp_path: Path) -> None:
    listing = list_items([folder(tmp_path, "a.png", "b.png", **{"dataset.json": {"labels": [1, 2]}})])
    assert "no list of [file, label]" in reasons(listing)["dataset.json"]


def test_metadata_of_hugging_face_gives_labels_and_attributes_to_the_folder_it_lies_in(tmp_path: Path) -> None:
    train = "file_name,label,age,place\na.png,cat,3,Rome\nsub/b.png,dog,4.5,\n"
    test = '{"file_name": "c.png", "label": "owl", "boxes": [1, 2], "ok": true}\n'
    files = ("train/a.png", "train/sub/b.png", "test/c.png")
    notes = {"train/metadata.csv": train, "test/metadata.jsonl": test}
    listing = list_items([folder(tmp_path, *files, **notes)])
    assert labels(listing) == {"test/c.png": "owl", "train/a.png": "cat", "train/sub/b.png": "dog"}
    assert {item.name: item.attributes for item in listing.items} == {
        "test/c.png": {"ok": 1}, "train/a.png": {"age": 3, "place": "Rome"}, "train/sub/b.png": {"age": 4.5},
    }  # fmt: skip
    assert listing.problems == ()


def test_metadata_without_labels_leaves_the_class_folders(tmp_path: Path) -> None:
    notes = {"metadata.csv": "file_name,age\ncat/a.png,3\n"}
    listing = list_items([folder(tmp_path, "cat/a.png", "dog/b.png", **notes)])
    assert set(labels(listing).values()) == {"cat", "dog"}
    assert [item.attributes for item in listing.items] == [{"age": 3}, {}]


def test_the_nearest_metadata_counts(tmp_path: Path) -> None:
    notes = {
        "metadata.csv": "file_name,label\nx/a.png,far\nb.png,far\n",
        "x/metadata.csv": "file_name,label\na.png,near\n",
    }
    listing = list_items([folder(tmp_path, "x/a.png", "b.png", **notes)])
    assert labels(listing) == {"b.png": "far", "x/a.png": "near"}
    assert listing.problems == ()


def test_metadata_that_contradicts_itself_or_cannot_be_read_is_named(tmp_path: Path) -> None:
    twice = {"metadata.csv": "file_name,label\na.png,x\na.png,y\nb.png,x\n"}
    listing = list_items([folder(tmp_path / "1", "a.png", "b.png", **twice)])
    assert labels(listing) == {"a.png": None, "b.png": "x"}
    assert (
        reasons(listing)["metadata.csv"] == "gives a.png two labels, 'x' in line 2 and 'y' in line 3; neither is used"
    )
    broken = {"metadata.jsonl": "{\n"}
    listing = list_items([folder(tmp_path / "2", "a.png", "b.png", **broken)])
    assert "line 1 is no JSON object" in reasons(listing)["metadata.jsonl"]
    plain = {"metadata.csv": "name,age\na,3\n"}
    listing = list_items([folder(tmp_path / "3", "a.png", "b.png", **plain)])
    assert (listing.problems, dict(listing.passed_over)) == ((), {".csv": 1})


def test_notes_in_a_zip_count_wherever_they_stand_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("set/00000/a.png", BUFFER.getvalue())
        archive.writestr("set/dataset.json", json.dumps({"labels": [["00000/a.png", 4]]}))
    assert labels(list_items([Zip(path=tmp_path / "a.zip")])) == {"set/00000/a.png": "4"}
