from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steadygan.data import PrepareSettings, cached, open_dataset, prepare, prepare_cached, work
from steadygan.data.plan import make_plan
from steadygan.data.settings import FORMAT
from steadygan.data.sources.opening import open_source
from steadygan.errors import ConfigError
from steadygan.places import cache_folder

ROOT = Path(__file__).parents[3]


def fill(folder: Path, count: int) -> Path:
    folder.mkdir()
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03d}.png")
    return folder


def test_the_cache_is_used_until_a_file_or_a_setting_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    source = fill(tmp_path / "my photos", 3)
    settings = PrepareSettings(size=8)
    first = prepare_cached(source, settings, workers=0)
    assert first.path == cached(source, settings)
    assert first.path.parent == tmp_path / "cache" / "datasets"
    assert first.path.name.startswith("my-photos-")
    before = (first.path / "images.npy").stat().st_mtime_ns
    assert prepare_cached(source, settings).path == first.path
    assert (first.path / "images.npy").stat().st_mtime_ns == before
    assert cached(source, PrepareSettings(size=9)) != first.path
    assert cached(source) == cached(source, PrepareSettings(size=64))
    os.utime(source / "000.png")
    touched = prepare_cached(source, settings, workers=0)
    assert touched.path != first.path
    assert touched.digest == first.digest
    os.utime(source / "001.png", (1, 1))
    third = prepare_cached(source, settings, workers=0)
    assert [path.exists() for path in (first.path, touched.path, third.path)] == [False, True, True]


def test_a_folder_that_was_copied_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    settings = PrepareSettings(size=8)
    first = prepare_cached(fill(tmp_path / "photos", 3), settings, workers=0)
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(tmp_path / "photos", tmp_path / "elsewhere" / "photos", copy_function=shutil.copyfile)
    monkeypatch.setattr(work, "decode_frames", None)
    copy = prepare_cached(tmp_path / "elsewhere" / "photos", settings, workers=0)
    assert copy.digest == first.digest
    assert first.path.exists()  # the other folder still has it


def test_a_damaged_cached_set_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("STEADYGAN_CACHE", raising=False)
    source = fill(tmp_path / "in", 3)
    first = prepare_cached(source, PrepareSettings(size=8), workers=0)
    assert tmp_path / "cache" / "steadygan" in first.path.parents
    os.truncate(first.path / "images.npy", 200)
    assert prepare_cached(source, PrepareSettings(size=8), workers=0).images.shape == (3, 8, 8, 3)


def test_a_user_without_a_home_is_told_how_to_name_a_folder_for_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "STEADYGAN_CACHE"):
        monkeypatch.delenv(name, raising=False)

    def nobody(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    with pytest.raises(ConfigError, match="no home folder for the cache; name one in the variable STEADYGAN_CACHE"):
        cache_folder()


@pytest.mark.slow
def test_two_processes_that_want_the_same_set_at_once_both_get_it(tmp_path: Path) -> None:
    fill(tmp_path / "in", 60)
    code = (
        "from steadygan.data import *\n"
        "d = prepare_cached('in', PrepareSettings(size=8), workers=0)\nprint(d.path, d.digest, int(d.images.sum()))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "STEADYGAN_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", code]
    both = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate()[0] for process in both]
    assert said[0] == said[1] != ""


def test_whoever_comes_second_says_that_it_waits_and_takes_what_the_first_has_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    source, settings = fill(tmp_path / "in", 3), PrepareSettings(size=8)
    said: list[str] = []
    waits, first_is_there = threading.Event(), threading.Event()
    read: list[int] = []

    def second() -> None:
        first_is_there.wait()
        prepare_cached(
            source, settings, 0, lambda done, _total: read.append(done), lambda it: (said.append(it), waits.set())[0]
        )

    def progress(_done: int, _total: int) -> None:
        first_is_there.set()
        waits.wait(60)

    thread = threading.Thread(target=second)
    thread.start()
    prepare_cached(source, settings, 0, progress)
    thread.join()
    assert said == [f"this process is already preparing {source}; waiting for it"]
    assert read == []


def test_equal_names_sizes_and_times_in_another_folder_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    sets = []
    for number in range(2):
        folder = tmp_path / str(number) / "train"
        folder.mkdir(parents=True)
        for index in range(5):
            pixels = np.random.default_rng(10 * number + index).integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.bmp")
            os.utime(folder / f"{index}.bmp", (1, 1))
        monkeypatch.chdir(tmp_path / str(number))
        sets.append(prepare_cached("train", PrepareSettings(size=8), workers=0))
    assert sets[0].path.exists()
    assert not (sets[0].images == sets[1].images).any(axis=(1, 2, 3)).all()
    assert (sets[1].images[0] == np.random.default_rng(10).integers(0, 256, (8, 8, 3), np.uint8)).all()


def test_gray_is_grey_and_a_set_made_under_that_spelling_is_the_same_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    source = fill(tmp_path / "photos", 3)
    older = PrepareSettings.model_validate({"size": 8, "channels": "gray"})
    assert older == PrepareSettings(size=8, channels="grey")
    plan = make_plan([open_source(source)], older)
    spelled = json.dumps(older.model_dump(mode="json") | {"channels": "gray"}, separators=(",", ":"))
    said = f"{FORMAT} {spelled} {plan.sources[0].model_dump_json()}"
    assert plan.origin == hashlib.sha256(said.encode()).hexdigest()
    dataset = prepare(source, tmp_path / "set", older, workers=0)
    described = dataset.path / "dataset.json"
    assert '"channels": "grey"' in described.read_text()
    described.write_text(described.read_text().replace('"channels": "grey"', '"channels": "gray"'))
    before = (dataset.path / "images.npy").stat().st_mtime_ns
    again = prepare(source, dataset.path, PrepareSettings(size=8, channels="grey"), workers=0)
    assert (again.digest, (dataset.path / "images.npy").stat().st_mtime_ns) == (dataset.digest, before)
    assert open_dataset(dataset.path).meta["settings"]["channels"] == "grey"
