from __future__ import annotations

import errno
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steadygan.data import Folder, PrepareSettings, inspect, prepare
from steadygan.data.work import ReadFile
from steadygan.errors import ConfigError, DataError, StorageError


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
    before = inspect(source, PrepareSettings(size=32), workers=0)
    after = inspect(tmp_path / "out")
    apart = {"path": True, "kind": True, "digest": True, "health": {"looked_closely"}}
    assert after.model_dump(exclude=apart) == before.model_dump(exclude=apart)
    assert (after.health.looked_closely, before.health.looked_closely) == (0, 6)
    assert after.health.findings
    assert (after.kind, after.digest) == ("dataset", dataset.digest)


def test_an_inspection_can_be_written_as_json(source: Path) -> None:
    found = json.loads(inspect(str(source), workers=0).model_dump_json())
    assert found["rejected"][0]["file"] == "dog/broken.jpg"
    assert found["widths"] == {"min": 20, "median": 82.0, "max": 100}


def test_a_source_of_which_nothing_can_be_used_is_still_described(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    found = inspect(tmp_path, workers=0)
    assert (found.images, len(found.rejected), found.widths.max) == (0, 1, 0)


def textured(side: int, seed: int) -> Image.Image:
    """A picture with detail in every pixel."""
    field = np.random.default_rng(seed).normal(size=(side, side, 3)).cumsum(axis=0).cumsum(axis=1)
    field += np.random.default_rng(seed + 1).normal(0, np.ptp(field) / 40, field.shape)
    return Image.fromarray(((field - field.min()) / np.ptp(field) * 255).astype(np.uint8))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "textures"
    folder.mkdir()
    for index in range(24):
        textured(160, index * 2).save(folder / f"{index:02d}.png")
    for index in (3, 4):
        textured(50, index + 100).resize((150, 150), Image.Resampling.BICUBIC).save(folder / f"{index:02d}.png")
    return folder


@pytest.mark.parametrize("size", [64, 128, 150])
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_enlarged_files_are_found_before_preparing(pictures: Path, size: int, workers: int) -> None:
    told: list[tuple[int, int]] = []
    found = inspect(pictures, PrepareSettings(size=size), workers, lambda done, total: told.append((done, total)))
    detail = next(it for it in found.health.findings if it.check == "detail")
    assert sorted(detail.indices) == [3, 4]
    assert detail.severity == {64: "info", 128: "warning", 150: "warning"}[size]
    assert found.health.looked_closely == 24
    assert told[-1] == (48, 48)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_the_number_of_workers_does_not_matter(pictures: Path, tmp_path: Path) -> None:
    pages = []
    for workers in (0, 2):
        found = inspect(pictures, PrepareSettings(size=150), workers, page=tmp_path / f"{workers}.html")
        pages.append((found, (tmp_path / f"{workers}.html").read_text(encoding="utf-8")))
    assert pages[0] == pages[1]
    assert pages[0][1].count("<img") >= 24


def test_a_prepared_large_set_has_the_health_of_its_source(pictures: Path, tmp_path: Path) -> None:
    Image.open(pictures / "07.png").save(tmp_path / "textures" / "08.jpg", quality=60)
    prepare([Folder(path=pictures)], tmp_path / "out", PrepareSettings(size=150), workers=0)
    before = inspect(pictures, PrepareSettings(size=150), workers=0).health
    after = inspect(tmp_path / "out", page=tmp_path / "page.html").health
    assert after.histograms == before.histograms
    assert [it for it in before.findings if it.check != "detail"] == list(after.findings)
    assert next(it for it in after.findings if it.check == "near-duplicates").examples == ("07.png", "08.jpg")
    assert "Nearly the same" not in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "nearly the same" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_table_names_findings_with_remedies_and_rejected_files(source: Path) -> None:
    table = str(inspect(source, workers=0))
    lines = table.splitlines()
    assert lines[0] == "images     6 usable, 1 rejected, 1 other files"
    assert "enlarged   2 are smaller than 64 pixels" in lines
    at = next(number for number, line in enumerate(lines) if line.startswith("serious") and "blank" in line)
    assert lines[at] == "serious    6 images are blank or of nearly a single colour"
    assert lines[at + 1].startswith("           → remove them")
    assert lines[at + 2] == "             cat/0.png, cat/1.png, cat/2.png, …"
    assert lines[-1].startswith("rejected   dog/broken.jpg: ")


def test_a_long_list_of_rejected_files_is_cut(tmp_path: Path) -> None:
    for index in range(13):
        (tmp_path / f"{index:02d}.jpg").write_bytes(b"")
    lines = str(inspect(tmp_path, workers=0)).splitlines()
    assert sum(line.startswith("rejected ") for line in lines) == 10
    assert lines[-1] == "           and 3 more; --json lists them all"


def test_what_a_task_passes_over_is_counted(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ReadFile.run
    said = {"dog/0.png": ["empty tile"]}
    monkeypatch.setattr(ReadFile, "run", lambda self: [*said.get(self.item.name, []), *real(self)])
    found = inspect(source, workers=0)
    assert (found.images, found.passed_over) == (6, {".txt": 1, "empty tile": 1})


def test_no_file_is_left_behind(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = tmp_path / "temporary"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    inspect(pictures, workers=0)
    assert list(room.iterdir()) == []


def test_a_full_disk_is_told_in_one_line(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.FileIO):
        def write(self, _data: object) -> int:
            raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: Full(pictures / "00.png"))
    with pytest.raises(StorageError, match="the disk is full"):
        inspect(pictures, workers=0)


def test_what_holds_no_files_cannot_be_inspected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="builtin:ring is drawn and holds no files"):
        inspect("builtin:ring")
    with pytest.raises(ConfigError, match="no file or folder"):
        inspect(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is empty"):
        inspect(tmp_path)
