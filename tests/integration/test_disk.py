"""Disks that are full or read-only: one line that names the file, nothing half-written, and nothing lost."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import steadygan as sg
from steadygan.cli.main import main
from tiny import TINY, draw, fingerprint, set_options

STEPS = 10
FINAL = 8 * STEPS
# checkpoints at 32, 64 and 80 images, pictures only at the end, so that a checkpoint is the next large file
SETTINGS = TINY | {"samples": {"every_images": 400, "count": 4}}
OPTIONS = [*set_options(SETTINGS), "--size", "16"]
KIB = 1024


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A disk of its own, of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount") or pytest.skip("needs the command mount")
    line = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(line, capture_output=True, check=False).returncode:
        pytest.skip("needs the permission to mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory) -> Path:
    """A run that nothing disturbed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert call("train", pictures, "-o", run, "--steps", STEPS, *OPTIONS) == 0
    return run


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


@pytest.fixture
def refusal(capsys):
    """Run a command that the disk must stop, and give the one line it said."""

    def run(*arguments: object) -> str:
        capsys.readouterr()
        code = call(*arguments)
        errors = capsys.readouterr().err
        said = [line for line in errors.splitlines() if line.startswith("steadygan: ")]
        assert code == 4, errors
        assert said == errors.splitlines()[-1:], errors
        assert "Traceback" not in errors
        return said[0]

    return run


def fill(disk: Path, leave: int) -> Path:
    """Take all space but `leave` bytes, with a file to be deleted later."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - leave))
    return ballast


def unfinished(folder: Path) -> list[str]:
    """What was left of writing: temporary files and folders."""
    return [path.name for path in folder.rglob("*") if ".part" in path.name or ".old" in path.name]


def test_a_checkpoint_that_does_not_fit_is_named_and_resume_completes_once_there_is_space(
    disk, pictures, whole, refusal
):
    run = sg.Run(disk / "run")
    as_long = ["--set", f"budget.schedule_images={FINAL}"]  # or the first four steps would be those of a run of four
    assert call("train", pictures, "-o", run.path, "--steps", 4, *OPTIONS, *as_long) == 0
    ballast = fill(disk, leave=24 * KIB)
    said = refusal("resume", run.path, "--steps", STEPS)
    assert f"cannot write {run.files.checkpoint(64)}: the disk is full; free some space" in said
    assert unfinished(disk) == []
    assert run.files.pointed(run.files.latest) == run.files.checkpoint(32)
    assert sg.load(run.path).sample(2).shape == (2, 3, 16, 16)
    ballast.unlink()
    assert call("resume", run.path) == 0
    assert fingerprint(run.files.checkpoint(FINAL)) == fingerprint(
        whole / "checkpoints" / run.files.checkpoint(FINAL).name
    )
    assert {tick.images: tick.loss_d for tick in run.log()} == {t.images: t.loss_d for t in sg.Run(whole).log()}


@pytest.mark.parametrize("leave", [0, *(pytest.param(space, marks=pytest.mark.slow) for space in (12, 60))])
def test_wherever_the_space_ends_a_first_run_can_go_on(disk, pictures, whole, refusal, leave):
    run = sg.Run(disk / "run")
    ballast = fill(disk, leave=leave * KIB)
    assert "the disk is full" in refusal("train", pictures, "-o", run.path, "--steps", STEPS, *OPTIONS)
    assert unfinished(disk) == []
    ballast.unlink()
    again = (
        ["resume", run.path] if run.files.run_json.exists() else ["train", pictures, "-o", run.path, "--steps", STEPS]
    )
    assert call(*again, *(OPTIONS if again[0] == "train" else [])) == 0
    assert fingerprint(run.files.checkpoint(FINAL)) == fingerprint(
        whole / "checkpoints" / run.files.checkpoint(FINAL).name
    )
    assert run.files.best.exists()


@pytest.mark.parametrize("leave", [pytest.param(0, marks=pytest.mark.slow), 100])
def test_a_full_disk_under_the_cache_is_said_and_the_next_try_prepares_again(
    disk, tmp_path, monkeypatch, refusal, leave
):
    monkeypatch.setenv("STEADYGAN_CACHE", str(disk / "cache"))
    photos = draw(tmp_path / "photos", 120)  # 90 KiB of pixels, and as much again for the index and the montage
    ballast = fill(disk, leave=leave * KIB)
    said = refusal("train", photos, "-o", tmp_path / "run", "--steps", 1, *OPTIONS)
    assert "free" in said
    assert "STEADYGAN_CACHE" in said
    assert len(unfinished(disk)) == (leave > 0)  # what was done is kept
    assert not (tmp_path / "run").exists()
    ballast.unlink()
    assert call("train", photos, "-o", tmp_path / "run", "--steps", 1, *OPTIONS) == 0
    assert unfinished(disk) == []


@pytest.mark.slow
def test_results_that_do_not_fit_are_named_and_leave_nothing(disk, pictures, whole, refusal):
    fill(disk, leave=0)
    lines = {
        "set": ["prepare", pictures, "--size", 16],
        "grid.png": ["sample", whole],
        "images": ["sample", whole, "-n", 4],
        "walk.gif": ["sample", whole, "-n", 2, "--frames", 2],
        "model.safetensors": ["export", whole],
        "model.onnx": ["export", whole],
        "model.pt2": ["export", whole],
        "model.html": ["export", whole],
        "report.html": ["report", whole],
        "hub": ["export", whole, "--hub-folder"],
    }
    for name, line in lines.items():
        said = refusal(*line, *(["-o"] if line[-1] != "--hub-folder" else []), disk / name)
        assert str(disk / name) in said
        assert "free" in said
    assert {path.name for path in disk.rglob("*") if path.is_file()} == {"ballast"}


def test_a_note_that_does_not_fit_leaves_the_others_whole(disk, whole, refusal):
    run = sg.Run(Path(shutil.copytree(whole, disk / "run")))
    before = run.notes()
    fill(disk, leave=0)
    assert "notes.jsonl: the disk is full" in refusal("note", run.path, "word " * 2000)
    assert run.notes() == before


@pytest.mark.slow
def test_a_read_only_disk_can_be_read_and_says_what_it_refuses(disk, pictures, whole, tmp_path, refusal):
    run = Path(shutil.copytree(whole, disk / "run"))
    assert call("prepare", pictures, "-o", disk / "set", "--size", 16) == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for line in (
        ["train", pictures, "-o", disk / "new", "--steps", 1, *OPTIONS],
        ["resume", run, "--steps", 20],
        ["prepare", pictures, "-o", disk / "other", "--size", 16],
        ["sample", run, "-o", disk / "grid.png"],
        ["sample", run, "-o", disk / "images"],
        ["export", run, "-o", disk / "model.safetensors"],
        ["note", run, "it works"],
    ):
        said = refusal(*line)
        assert str(disk) in said
        assert "the file system is read-only" in said
    assert call("sample", run, "-o", tmp_path / "grid.png") == 0
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size[0] > 500
    assert call("inspect", disk / "set") == 0
    assert call("train", disk / "set", "-o", tmp_path / "run", "--steps", 1, *OPTIONS) == 0


@pytest.mark.slow
def test_images_prepared_in_a_cache_that_became_read_only_still_train(disk, pictures, tmp_path, monkeypatch, refusal):
    monkeypatch.setenv("STEADYGAN_CACHE", str(disk / "cache"))
    assert call("train", pictures, "-o", tmp_path / "a", "--steps", 1, *OPTIONS) == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert call("train", pictures, "-o", tmp_path / "b", "--steps", 1, *OPTIONS) == 0
    said = refusal("train", draw(tmp_path / "others", 9), "-o", tmp_path / "c", "--steps", 1, *OPTIONS)
    assert "the file system is read-only" in said
    assert "STEADYGAN_CACHE" in said
