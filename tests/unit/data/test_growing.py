from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from steadygan.data import Dataset, Folder, PrepareSettings, making, prepare
from steadygan.data import work as work_module
from steadygan.data.work import ReadFile, Result
from steadygan.errors import ConfigError, Interrupted, StorageError

ROOT = Path(__file__).parents[3]


def fill(folder: Path, numbers: range, side: int = 24) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return folder


def here(folder: Path, out: Path, **settings: Any) -> Dataset:
    return prepare([Folder(path=folder)], out, PrepareSettings(**{"size": 8} | settings), workers=0)


def files(path: Path) -> dict[str, bytes]:
    """All that does not speak of the moment it was made."""
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bytes of every file that is decoded from here on."""
    seen: list[bytes] = []
    real = work_module.decode_frames

    def noting(data: bytes, *rest: Any, **more: Any) -> Any:
        seen.append(data)
        return real(data, *rest, **more)

    monkeypatch.setattr(work_module, "decode_frames", noting)
    return seen


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files that are opened from here on."""
    seen: list[str] = []
    real = ReadFile.run

    def noting(self: ReadFile) -> list[Result]:
        seen.append(self.item.name)
        return real(self)

    monkeypatch.setattr(ReadFile, "run", noting)
    return seen


def test_what_was_added_changed_or_removed_is_all_that_is_read_again(tmp_path: Path, opened: list[str]) -> None:
    source = fill(tmp_path / "in", range(20))
    here(source, tmp_path / "out")
    fill(source, range(20, 23))
    (source / "004.png").unlink()
    shutil.copy(source / "000.png", source / "007.png")
    opened.clear()
    updated = here(source, tmp_path / "out")
    assert opened == ["007.png", "020.png", "021.png", "022.png"]
    fresh = here(source, tmp_path / "fresh")
    assert (updated.images == fresh.images).all()
    assert [entry.model_dump() for entry in updated.entries()] == [entry.model_dump() for entry in fresh.entries()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "in", "out"]


def test_files_that_were_touched_or_renamed_are_known_by_their_bytes(tmp_path: Path, decoded: list[bytes]) -> None:
    source = fill(tmp_path / "in" / "a", range(6)).parent
    fill(source / "b", range(6, 12))
    here(source, tmp_path / "out")
    os.utime(source / "a" / "000.png", (0, 0))
    (source / "a" / "001.png").rename(source / "b" / "moved.png")
    decoded.clear()
    updated = here(source, tmp_path / "out")
    assert decoded == []
    moved = next(index for index, entry in enumerate(updated.entries()) if entry.file == "b/moved.png")
    assert updated[moved][1] == 1
    assert (updated.images == here(source, tmp_path / "fresh").images).all()


def test_a_set_with_grey_pictures_only_stays_right_when_colour_comes(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for number in range(4):
        Image.new("L", (8, 8), 50 * number).save(source / f"{number}.png")
    assert here(source, tmp_path / "out").spec.channels == 1
    Image.new("RGB", (8, 8), (200, 0, 0)).save(source / "red.png")
    updated = here(source, tmp_path / "out")
    assert updated.images[:, 0, 0].tolist() == [[50 * n] * 3 for n in range(4)] + [[200, 0, 0]]


def test_equal_files_are_kept_or_left_out(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", range(5))
    shutil.copy(source / "001.png", source / "zzz.png")
    assert len(here(source, tmp_path / "all")) == 6
    alone = here(source, tmp_path / "alone", duplicates="remove")
    assert [entry.file for entry in alone.entries()] == [f"{number:03d}.png" for number in range(5)]
    assert alone.meta["counts"]["passed_over"] == {"with the bytes of another": 1}
    (source / "001.png").unlink()
    assert [entry.file for entry in here(source, tmp_path / "alone", duplicates="remove").entries()][-1] == "zzz.png"


def test_images_held_out_once_stay_so_when_others_come(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", range(40))
    before = here(source, tmp_path / "out")
    out = {before.entries()[index].file for index in before.held_out}
    assert len(out) == 4
    assert sorted([*before.training, *before.held_out]) == list(range(40))
    fill(source, range(40, 100))
    after = here(source, tmp_path / "out")
    assert out < {after.entries()[index].file for index in after.held_out}
    assert len(after.held_out) == 10
    assert len(here(source, tmp_path / "none", held_out=0).held_out) == 0


def script(source: Path, out: Path, workers: int) -> list[str]:
    code = (
        "from pathlib import Path\nfrom steadygan.data import *\n"
        f"prepare([open_source({str(source)!r})], Path({str(out)!r}), PrepareSettings(size=32), {workers},"
        " lambda done, total: print(done, flush=True))"
    )
    return [sys.executable, "-c", code]


def until(process: subprocess.Popen[str], enough: Callable[[int], bool]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if enough(int(line)):
            return


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_process_is_gone_on_from_and_the_result_is_the_same(tmp_path: Path, workers: int) -> None:
    source = fill(tmp_path / "in", range(800), side=64)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    out = tmp_path / "out"
    for enough in (128, 384):
        process = subprocess.Popen(script(source, out, workers), env=environment, stdout=subprocess.PIPE, text=True)
        until(process, lambda done, enough=enough: done >= enough)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not out.exists()
        with (tmp_path / ".out.part" / "images.npy").open("ab") as file:
            file.write(b"half an image")
        with (tmp_path / ".out.part" / "journal.jsonl").open("ab") as file:
            file.write(b'["half a li')
    process = subprocess.Popen(script(source, out, workers), env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert int(process.stdout.readline()) > 384
    process.communicate()
    here(source, tmp_path / "whole", size=32)
    assert files(out) == files(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "whole"]


def test_lines_whose_pixels_were_lost_are_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = fill(tmp_path / "in", range(160))

    def stop(done: int, _total: int) -> None:
        if done == 128:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="goes on where it stopped"):
        prepare([Folder(path=source)], tmp_path / "out", PrepareSettings(size=8), 0, stop)
    os.truncate(tmp_path / ".out.part" / "images.npy", 128 + 50 * 8 * 8 * 3 + 7)
    read: list[str] = []
    real = ReadFile.run
    monkeypatch.setattr(ReadFile, "run", lambda self: (read.append(self.item.name), real(self))[1])
    here(source, tmp_path / "out")
    assert len(read) == 110
    assert files(tmp_path / "out") == files(here(source, tmp_path / "whole").path)


def test_what_another_set_left_half_done_is_thrown_away(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", range(80))
    with pytest.raises(Interrupted):
        prepare([Folder(path=source)], tmp_path / "out", PrepareSettings(size=8), 0, lambda _d, _t: _stop())
    assert here(source, tmp_path / "out", size=9).images.shape == (80, 9, 9, 3)


def test_what_is_done_where_another_set_was_left_half_done_is_gone_on_from(tmp_path: Path, opened: list[str]) -> None:
    source = fill(tmp_path / "in", range(300))
    for size in (8, 9):
        with pytest.raises(Interrupted):
            prepare([Folder(path=source)], tmp_path / "out", PrepareSettings(size=size), 0, lambda _d, _t: _stop())
    opened.clear()
    here(source, tmp_path / "out", size=9)
    assert len(opened) == 300 - 128


def _stop() -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_two_processes_do_not_make_one_set(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", range(400), side=32)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    first = subprocess.Popen(script(source, tmp_path / "out", 0), env=environment, stdout=subprocess.PIPE, text=True)
    until(first, lambda done: done >= 32)
    first.send_signal(signal.SIGSTOP)  # or it might be done before the second is refused
    with pytest.raises(
        ConfigError, match=rf"another process is preparing \S+/out \(process {first.pid}\); wait for it"
    ):
        here(source, tmp_path / "out", size=32)
    first.send_signal(signal.SIGCONT)
    first.communicate()
    assert len(here(source, tmp_path / "out", size=32)) == 400


def grey(folder: Path, numbers: range) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)).save(
            folder / f"{number:03d}.png"
        )
    return folder


@pytest.mark.parametrize("where", ["examine", "describe", "sync_folder", "hold_out"])
def test_stopped_after_the_last_file_a_grey_set_is_right_in_the_end(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = grey(tmp_path / "in", range(30))
    with monkeypatch.context() as patch, pytest.raises((Interrupted, KeyboardInterrupt)):
        patch.setattr(making, where, lambda *_: _stop())
        here(source, tmp_path / "out")
    read: list[str] = []
    monkeypatch.setattr(ReadFile, "run", lambda self: read.append(self.item.name))
    resumed = here(source, tmp_path / "out")
    monkeypatch.undo()
    assert read == []
    assert files(resumed.path) == files(here(source, tmp_path / "whole").path)


def test_a_set_put_aside_for_its_next_version_comes_back(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", range(10))
    here(source, tmp_path / "out").path.rename(tmp_path / ".out.old")
    before = (tmp_path / ".out.old" / "images.npy").stat().st_mtime_ns
    here(source, tmp_path / "out")
    assert (tmp_path / "out" / "images.npy").stat().st_mtime_ns == before


def test_a_file_that_could_not_be_read_for_a_passing_cause_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = fill(tmp_path / "in", range(10))
    (source / "bad.png").write_bytes(b"x")
    real = ReadFile._bytes

    def fails(self: ReadFile) -> bytes:
        if self.item.name == "003.png":
            raise work_module._Unread("cannot be read (Input/output error)")
        return real(self)

    with monkeypatch.context() as patch:
        patch.setattr(ReadFile, "_bytes", fails)
        assert len(here(source, tmp_path / "out")) == 9
    again = here(source, tmp_path / "out")
    assert len(again) == 10
    assert (again.images == here(source, tmp_path / "fresh").images).all()
    assert here(source, tmp_path / "out").rejected() == again.rejected()


def test_copies_of_a_held_out_image_join_it(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", range(30), side=64)
    before = here(source, tmp_path / "out", size=64)
    out = [before.entries()[index].file for index in before.held_out]
    for name in out:
        for quality in (70, 80, 90, 95):
            with Image.open(source / name) as image:
                image.save(source / f"{name}-{quality}.jpg", quality=quality)
    after = here(source, tmp_path / "out", size=64)
    now = {after.entries()[index].file for index in after.held_out}
    assert set(out) <= now
    trained = {after.entries()[index].file for index in after.training}
    assert not [file for file in trained if file[:7] in out]


@pytest.mark.parametrize("file", ["tasks.jsonl", "index.jsonl"])
@pytest.mark.parametrize("content", ["", "5\n", '["half', '{"file": 3}\n'])
def test_damaged_records_of_the_set_before_cost_time_and_nothing_else(tmp_path: Path, file: str, content: str) -> None:
    source = fill(tmp_path / "in", range(12))
    (here(source, tmp_path / "out").path / file).write_text(content)
    fill(source, range(12, 14))
    assert files(here(source, tmp_path / "out").path) == files(here(source, tmp_path / "fresh").path)


def test_the_folder_one_is_in_is_no_place_for_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = fill(tmp_path / "in", range(3))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(ConfigError, match="is the folder you are in"):
        here(source, Path())
    with pytest.raises(StorageError, match="the name is longer than this system allows"):
        here(source, Path("x" * 300))
