from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from steadygan.data import (
    Dataset,
    Folder,
    PrepareSettings,
    Tiles,
    Zip,
    open_dataset,
    open_source,
    prepare,
    prepare_cached,
    save_images,
)
from steadygan.data.work import ReadFile
from steadygan.errors import ConfigError, DataError, StorageError

ROOT = Path(__file__).parents[3]


def noise(seed: int, width: int = 40, height: int = 30, channels: int = 3) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)


def fill(folder: Path, count: int, start: int = 0, **form: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(start, start + count):
        noise(index, **form).save(folder / f"{index:03d}.png")
    return folder


def here(folder: Path, out: Path, **settings: Any) -> Dataset:
    return prepare([Folder(path=folder)], out, PrepareSettings(**{"size": 16} | settings), workers=0)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_becomes_one_array_with_an_index_and_a_montage(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", 5)
    dataset = here(source, tmp_path / "out")
    assert dataset.images.shape == (5, 16, 16, 3)
    box = (5, 0, 35, 30)
    expected = [np.asarray(noise(i).resize((16, 16), Image.Resampling.LANCZOS, box=box)) for i in range(5)]
    assert (dataset.images == np.stack(expected)).all()
    entry = lines(tmp_path / "out" / "index.jsonl")[3]
    assert entry["file"] == "003.png"
    assert (entry["size"], entry["crop"], entry["mode"]) == ([40, 30], list(box), "RGB")
    assert set(contents(tmp_path / "out")) == {
        "images.npy", "held_out.npy", "index.jsonl", "rejected.jsonl", "tasks.jsonl", "dataset.json", "montage.png",
    }  # fmt: skip
    with Image.open(tmp_path / "out" / "montage.png") as montage:
        assert min(montage.size) > 100


def test_the_result_does_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    source = fill(tmp_path / "in" / "cat", 40)
    fill(tmp_path / "in" / "dog", 30, start=40)
    (source / "bad.png").write_bytes(b"x")
    for workers in (0, 1, 3):
        prepare([Folder(path=tmp_path / "in")], tmp_path / str(workers), PrepareSettings(size=8), workers)
    assert contents(tmp_path / "0") == contents(tmp_path / "1") == contents(tmp_path / "3")


def test_class_folders_become_labels_and_a_class_without_a_usable_image_is_none(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for name in ("dog", "cat"):
        fill(source / name, 2)
    (source / "owl").mkdir()
    (source / "owl" / "a.png").write_bytes(b"x")
    dataset = here(source, tmp_path / "out")
    assert dataset.class_names == ("cat", "dog")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 0, 1, 1]
    assert dataset.spec.classes == 2
    shutil.rmtree(source / "cat")
    assert here(source, tmp_path / "alone").labels is None


def test_files_that_cannot_be_used_are_listed_with_the_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", 3)
    (source / "a.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (source / "b.jpg").write_bytes(b"<html>")
    (source / "c.jpg").symlink_to(tmp_path / "gone")
    (source / "notes.txt").write_text("x")
    dataset = here(source, tmp_path / "out")
    assert len(dataset) == 3
    reasons = {line["file"]: line["reason"] for line in lines(tmp_path / "out" / "rejected.jsonl")}
    assert sorted(reasons) == ["a.jpg", "b.jpg", "c.jpg"]
    assert "Git LFS" in reasons["a.jpg"]
    assert "web page" in reasons["b.jpg"]
    assert "No such file" in reasons["c.jpg"]
    assert dataset.meta["counts"]["passed_over"] == {".txt": 1}


def test_an_encrypted_or_damaged_member_of_a_zip_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(4):
            buffer = io.BytesIO()
            noise(index).save(buffer, "PNG")
            archive.writestr(f"{index}.png", buffer.getvalue())
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\x01\x02")
    data[first + 8] |= 1  # the flag of an encrypted member
    data[data.index(b"PK\x03\x04", 200) + 200] ^= 255  # a wrong byte in the second, found by its checksum
    path.write_bytes(data)
    prepare([Zip(path=path)], tmp_path / "out", PrepareSettings(size=8), workers=0)
    reasons = {line["file"]: line["reason"] for line in lines(tmp_path / "out" / "rejected.jsonl")}
    assert sorted(reasons) == ["0.png", "1.png"]
    assert "encrypted" in reasons["0.png"]
    assert "CRC" in reasons["1.png"]


@pytest.mark.parametrize(
    ("fit", "top_left", "crop"),
    [
        ("crop", (255, 0, 0), [10, 0, 30, 20]),
        ("pad", (1, 2, 3), [0, 0, 40, 20]),
        ("stretch", (0, 0, 255), [0, 0, 40, 20]),
    ],
)
def test_an_oblong_picture_is_cropped_padded_or_stretched(
    tmp_path: Path, fit: str, top_left: tuple[int, ...], crop: list[int]
) -> None:
    image = Image.new("RGB", (40, 20), (255, 0, 0))
    image.paste((0, 0, 255), (0, 0, 10, 20))
    for name in "ab":
        (tmp_path / "in").mkdir(exist_ok=True)
        image.save(tmp_path / "in" / f"{name}.png")
    dataset = here(tmp_path / "in", tmp_path / "out", size=20, fit=fit, background=(1, 2, 3))
    assert tuple(dataset.images[0, 0, 0]) == top_left
    assert lines(tmp_path / "out" / "index.jsonl")[0]["crop"] == crop
    if fit == "pad":
        assert [tuple(dataset.images[0, row, 15]) for row in (4, 5, 14, 15)] == [
            (1, 2, 3), (255, 0, 0), (255, 0, 0), (1, 2, 3),
        ]  # fmt: skip


def test_a_set_is_grey_only_if_every_picture_is_even_if_saved_as_rgb(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", 3, channels=1)
    noise(0, channels=1).convert("RGB").save(source / "grey-saved-as-rgb.png")
    grey = here(source, tmp_path / "grey")
    assert grey.images.shape == (4, 16, 16, 1)
    assert (grey.images[0] == grey.images[3]).all()
    assert grey.meta["converted"] == "All 4 images are grey (1 channel): stored as L 3, RGB 1."
    noise(9).save(source / "coloured.png")
    colour = here(source, tmp_path / "colour")
    assert colour.images.shape == (5, 16, 16, 3)
    assert (colour.images[:3] == colour.images[:3, ..., :1]).all()
    assert "4 of them grey" in colour.meta["converted"]
    assert any("--channels grey" in sentence for sentence in colour.advice)


def test_the_number_of_channels_can_be_asked_for(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", 2)
    assert here(source, tmp_path / "one", channels="grey").spec.channels == 1
    grey = fill(tmp_path / "grey", 2, channels=1)
    assert here(grey, tmp_path / "rgb", channels="rgb").spec.channels == 3
    assert here(grey, tmp_path / "pad", channels="grey", fit="pad", background=(9, 0, 0)).spec.channels == 1


def test_the_digest_depends_on_pixels_and_labels_and_on_nothing_else(tmp_path: Path) -> None:
    first = here(fill(tmp_path / "a", 4), tmp_path / "1")
    again = here(fill(tmp_path / "b", 4), tmp_path / "2")
    assert first.digest == again.digest
    fill(tmp_path / "c" / "x", 2)
    fill(tmp_path / "c" / "y", 2, start=2)
    labelled = here(tmp_path / "c", tmp_path / "3")
    assert (labelled.images == first.images).all()
    assert labelled.digest != first.digest
    assert here(fill(tmp_path / "d", 4, start=1), tmp_path / "4").digest != first.digest


def test_few_small_and_unusable_images_are_spoken_of(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", 3)
    (source / "x.png").write_bytes(b"x")
    told = " ".join(here(source, tmp_path / "out", size=64).advice)
    assert "3 images are very few" in told
    assert "3 of 3 images are smaller than 64 pixels" in told
    assert "1 of 4 files cannot be used" in told


def test_a_limit_takes_files_evenly_from_the_whole_set(tmp_path: Path) -> None:
    dataset = here(fill(tmp_path / "in", 10), tmp_path / "out", limit=4)
    assert [entry.file for entry in dataset.entries()] == ["000.png", "002.png", "005.png", "007.png"]


def test_progress_counts_up_to_all_files(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    source = [Folder(path=fill(tmp_path / "in", 300))]
    prepare(source, tmp_path / "out", PrepareSettings(size=8), 0, lambda done, total: seen.append((done, total)))
    assert seen == [(128, 300), (256, 300), (300, 300)]


def test_the_same_files_and_settings_are_reused_and_others_refused(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", 3)
    first = here(source, tmp_path / "out")
    before = (tmp_path / "out" / "images.npy").stat().st_mtime_ns
    assert here(source, tmp_path / "out").digest == first.digest
    assert (tmp_path / "out" / "images.npy").stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match=r"out exists and holds a set made otherwise \(size 16, now 8\); choose"):
        here(source, tmp_path / "out", size=8)
    with pytest.raises(ConfigError, match="exists and holds a set made from other sources"):
        here(fill(tmp_path / "other", 3), tmp_path / "out")
    with pytest.raises(ConfigError, match="exists and holds something else"):
        here(source, source / "000.png")
    (tmp_path / "empty").mkdir()
    assert len(here(source, tmp_path / "empty")) == 3


def test_a_single_file_that_is_no_image_is_spoken_of_as_one(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r": 1 file was rejected, because: a\.jpg is empty"):
        here(tmp_path / "in", tmp_path / "out")


def test_without_a_usable_image_the_first_reasons_are_named(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for index in range(5):
        (source / f"{index}.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"no usable image in .*in: 5 files were rejected.*0\.jpg is empty"):
        here(source, tmp_path / "out")
    noise(0).save(source / "good.png")
    with pytest.raises(DataError, match=r"a set needs at least 2 images, .* has 1 that can be used: 5 files"):
        here(source, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [source]


def test_no_source_or_a_mixture_with_a_builtin_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no source of images"):
        prepare([], tmp_path / "out")
    both = [Folder(path=fill(tmp_path / "in", 2)), open_source("builtin:critters")]
    with pytest.raises(ConfigError, match="builtin:critters cannot be mixed"):
        prepare(both, tmp_path / "out")


def test_a_builtin_is_drawn_with_labels_and_what_is_known_about_each_image(tmp_path: Path) -> None:
    dataset = prepare([open_source("builtin:critters")], tmp_path / "out", PrepareSettings(size=16, limit=6), workers=0)
    again = prepare([open_source("builtin:critters")], tmp_path / "2", PrepareSettings(size=16, limit=6), workers=2)
    assert (dataset.spec.size, dataset.spec.channels, len(dataset)) == (16, 3, 6)
    assert dataset.spec.classes == len(dataset.class_names)
    entry = dataset.entries()[5]
    assert entry.attributes["animal"] == entry.label == dataset.class_names[dataset[5][1] or 0]
    assert again.digest == dataset.digest


def test_drawings_that_look_alike_are_no_copies_and_are_held_out_one_by_one(tmp_path: Path) -> None:
    settings = PrepareSettings(size=16, limit=1500)
    dataset = prepare("builtin:critters", tmp_path / "out", settings, workers=0)
    assert not [sentence for sentence in dataset.advice if "nearly the same" in sentence]
    held_out = np.bincount(dataset.labels[dataset.held_out], minlength=8)
    assert held_out.sum() == 150
    assert held_out.min() >= 8


def test_points_are_a_data_set_too_but_neither_grey_nor_rgb(tmp_path: Path) -> None:
    ring = [open_source("builtin:ring")]
    dataset = prepare(ring, tmp_path / "out", PrepareSettings(limit=50), workers=0)
    assert dataset.images.shape == (50, 1, 1, 2)
    with pytest.raises(ConfigError, match="neither grey nor RGB"):
        prepare(ring, tmp_path / "rgb", PrepareSettings(channels="rgb"))
    with pytest.raises(ConfigError, match="cannot be drawn at size 64"):
        prepare(ring, tmp_path / "64", PrepareSettings(size=64))


def test_a_full_disk_is_noticed_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = fill(tmp_path / "in", 3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, 1000))  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match="free; choose another disk"):
        here(source, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [source]


def test_a_disk_that_fills_up_on_the_way_costs_nothing_that_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = fill(tmp_path / "in", 3)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(StorageError, match="the disk is full"):
            here(source, tmp_path / "out")
    monkeypatch.setattr(ReadFile, "run", full)  # all three were read before
    assert len(here(source, tmp_path / "out")) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_settings_refuse_what_they_do_not_know() -> None:
    for wrong in ({"fit": "zoom"}, {"size": 0}, {"background": (0, 0, 256)}, {"sise": 64}):
        with pytest.raises(ValidationError):
            PrepareSettings.model_validate(wrong)


@pytest.mark.slow
def test_a_script_without_a_main_guard_is_not_run_again_by_the_workers(tmp_path: Path) -> None:
    fill(tmp_path / "in", 40)
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\nfrom steadygan.data import *\nprint('once')\n"
        "prepare([open_source('in')], Path('out'), PrepareSettings(size=8), workers=2)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, script.name], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("once\n", "")
    assert len(open_dataset(tmp_path / "out")) == 40


def test_huge_images_are_refused_by_their_header(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", 2)
    Image.new("1", (20_000, 20_000)).save(source / "huge.png")
    here(source, tmp_path / "out")
    (only,) = lines(tmp_path / "out" / "rejected.jsonl")
    assert "too large" in only["reason"]
    assert "tiles" in only["reason"]


def pixels_of(path: Path) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = np.load(path)
    return array


def test_the_array_is_an_ordinary_npy_file(tmp_path: Path) -> None:
    here(fill(tmp_path / "in", 3), tmp_path / "out")
    array = pixels_of(tmp_path / "out" / "images.npy")
    assert (array.shape, array.dtype) == ((3, 16, 16, 3), np.uint8)


def test_images_without_a_label_among_others_are_spoken_of(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", 6)
    (source / "metadata.csv").write_text("file_name,label\n000.png,cat\n001.png,dog\n")
    dataset = here(source, tmp_path / "out")
    assert dataset.labels is None
    assert "4 of 6 images have no label (002.png for one), so the set has no classes" in " ".join(dataset.advice)


def test_what_is_held_out_survives_the_way_through_a_folder_of_pictures(tmp_path: Path) -> None:
    first = here(fill(tmp_path / "in", 40), tmp_path / "out")
    again = here(save_images(first, tmp_path / "pngs"), tmp_path / "again")
    assert {first.images[i].tobytes() for i in first.held_out} == {again.images[i].tobytes() for i in again.held_out}


@pytest.mark.parametrize(("stride", "held"), [(None, 25), (16, 0)])
def test_tiles_that_share_pixels_are_not_parted(tmp_path: Path, stride: int | None, held: int) -> None:
    pytest.importorskip("rasterio")
    noise(0, 512, 512).save(tmp_path / "scene.tif")
    tiles = Tiles(side=32, stride=stride)
    dataset = prepare(tmp_path / "scene.tif", tmp_path / "out", PrepareSettings(tiles=tiles), workers=0)
    assert len(dataset.held_out) == held
    assert ("no image is held out" in " ".join(dataset.advice)) == (held == 0)
    with pytest.raises(ConfigError, match="tiles are squares of one picture"):
        prepare(tmp_path / "scene.tif", tmp_path / "no", PrepareSettings(tiles=tiles, fit="pad"), workers=0)


def test_pictures_of_one_pixel_are_refused_and_points_are_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="size: 1 pixel is a point and no picture; choose 2 to 4096 pixels"):
        prepare_cached(fill(tmp_path / "in", 3), PrepareSettings(size=1))
    assert prepare("builtin:ring", tmp_path / "out", PrepareSettings(size=1, limit=9), workers=0).spec.size == 1
