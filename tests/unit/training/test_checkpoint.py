"""Checkpoints: whole or refused, and which of them stay."""

from __future__ import annotations

import json

import pytest
import torch

from steadygan.errors import DataError
from steadygan.rundir import RunDir
from steadygan.runs import SavedCheckpoint
from steadygan.runs.checkpoints import drop_later, prune
from steadygan.training.checkpoint import load, save


def _tensors(value: float = 1.0):
    return {name: {"w": torch.full((3,), value)} for name in ("generator", "average", "discriminator", "state")}


def test_checkpoint_comes_back_as_it_was_saved(tmp_path):
    run = RunDir(tmp_path)
    saved = save(run, 640, _tensors(2.0), {"config": {"batch": 8}})
    assert saved.name == "images-000000640"
    assert run.pointed(run.latest) == saved.folder
    assert torch.equal(load(saved)["average"]["w"], torch.full((3,), 2.0))
    assert (saved.images, saved.meta.images, saved.meta.config) == (640, 640, {"batch": 8})


@pytest.mark.parametrize("damage", ["cut", "flip", "remove", "meta"])
def test_a_damaged_checkpoint_is_refused_with_the_file_and_the_remedy(tmp_path, damage):
    run = RunDir(tmp_path)
    save(run, 1, _tensors())
    saved = save(run, 2, _tensors())
    file = saved.folder / ("meta.json" if damage == "meta" else "generator.safetensors")
    content = bytearray(file.read_bytes())
    if damage == "remove":
        file.unlink()
    elif damage == "flip":
        content[-1] ^= 1
        file.write_bytes(content)
    else:
        file.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError) as error:
        load(saved)
    assert file.name in str(error.value)
    assert "write an earlier one, such as images-000000001" in str(error.value)


def test_pruning_keeps_the_newest_and_the_best_and_removes_leftovers(tmp_path):
    run = RunDir(tmp_path)
    for images in range(1, 7):
        save(run, images, _tensors())
        if images == 2:
            run.best.write_text("images-000000002\n")
    prune(run, 2)
    assert [folder.name for folder in run.all_checkpoints()] == [f"images-00000000{n}" for n in (2, 5, 6)]
    (run.checkpoints / ".images-000000009.part").mkdir()
    drop_later(run, 5)
    assert [path.name for path in sorted(run.checkpoints.iterdir())] == [
        "best",
        "images-000000002",
        "images-000000005",
        "latest",
    ]


def test_pruning_keeps_the_checkpoint_that_a_user_made_the_latest(tmp_path):
    run = RunDir(tmp_path)
    for images in range(1, 5):
        save(run, images, _tensors())
    run.latest.write_text("images-000000001\n")
    prune(run, 1)
    assert [folder.name for folder in run.all_checkpoints()] == ["images-000000001", "images-000000004"]


def test_a_checkpoint_that_is_there_is_not_written_again(tmp_path):
    run = RunDir(tmp_path)
    save(run, 1, _tensors(1.0))
    before = (run.checkpoint(1) / "meta.json").stat().st_mtime_ns
    save(run, 1, _tensors(2.0))
    assert load(SavedCheckpoint(run.checkpoint(1)))["state"]["w"][0] == 1
    assert (run.checkpoint(1) / "meta.json").stat().st_mtime_ns == before


def test_a_checkpoint_of_another_format_is_refused(tmp_path):
    saved = save(RunDir(tmp_path), 1, _tensors())
    file = saved.folder / "meta.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 1}))
    with pytest.raises(DataError, match=r"has format 1, this steadygan reads \d+; use the version that wrote it"):
        load(SavedCheckpoint(saved.folder))


def test_the_remedy_for_damage_is_the_newest_of_the_others(tmp_path):
    run = RunDir(tmp_path)
    for images in (1, 2, 3):
        save(run, images, _tensors())
    (run.checkpoint(3) / "meta.json").write_text("{")
    with pytest.raises(DataError, match="such as images-000000002, into"):
        load(SavedCheckpoint(run.checkpoint(3)))
