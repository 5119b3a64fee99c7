from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from steadygan.data import Folder, PrepareSettings, inspect, prepare
from steadygan.errors import ConfigError, DataError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name, count, size in (("cat", 3, (100, 80)), ("dog", 2, (20, 30))):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", size, (index, 9, 9)).save(folder / name / f"{index}.png")
    Image.new("L", (64, 200)).save(folder / "dog" / "grey.jpg")
    (folder / "dog" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "notes.txt").write_text("x")
    return folder


def test_a_folder_is_described_without_being_prepared(source: Path) -> None:
    found = inspect(source, workers=0)
    assert (found.kind, found.images, found.size, found.channels) == ("folder", 6, 64, 3)
    assert (found.widths.min, found.widths.median, found.widths.max) == (20, 82, 100)
    assert (found.heights.min, found.heights.median, found.heights.max) == (30, 80, 200)
    assert found.modes == {"RGB": 5, "L": 1}
    assert found.formats == {"PNG": 5, "JPEG": 1}
    assert found.classes == {"cat": 3, "dog": 3}
    assert found.enlarged == 2
    assert [it.file for it in found.rejected] == ["dog/broken.jpg"]
    assert found.passed_over == {".txt": 1}
    assert any("very few" in sentence for sentence in found.advice)
    assert not list(source.glob("*.npy"))


def test_a_prepared_data_set_tells_the_same_as_its_source(source: Path, tmp_path: Path) -> None:
    dataset = prepare([Folder(path=source)], tmp_path / "out", PrepareSettings(size=32), workers=0)
    before = inspect(source, PrepareSettings(size=32), workers=0).model_dump(exclude={"path", "kind", "digest"})
    after = inspect(tmp_path / "out")
    assert after.model_dump(exclude={"path", "kind", "digest"}) == before
    assert (after.kind, after.digest) == ("dataset", dataset.digest)


def test_an_inspection_can_be_written_as_json(source: Path) -> None:
    found = json.loads(inspect(str(source), workers=0).model_dump_json())
    assert found["rejected"][0]["file"] == "dog/broken.jpg"
    assert found["widths"] == {"min": 20, "median": 82.0, "max": 100}


def test_a_source_of_which_nothing_can_be_used_is_still_described(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    found = inspect(tmp_path, workers=0)
    assert (found.images, len(found.rejected), found.widths.max) == (0, 1, 0)


def test_what_holds_no_files_cannot_be_inspected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="builtin:ring is drawn and holds no files"):
        inspect("builtin:ring")
    with pytest.raises(ConfigError, match="no file or folder"):
        inspect(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is empty"):
        inspect(tmp_path)
