"""The names in a run folder, and writes that are whole or not there."""

from __future__ import annotations

import os
import random

from steadygan.rundir import RunDir, atomic_folder, atomic_write, checkpoint_images


def test_a_folder_written_again_holds_the_new_files_and_no_old_one(tmp_path):
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "folder") as part:
            (part / name).write_text(name)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["new"]


def test_fixed_samples_come_in_order_without_random_ones_and_pictures_of_the_user(tmp_path):
    run = RunDir(tmp_path)
    run.samples.mkdir()
    counts = [*range(0, 4000, 200), 10**9, 10**10]
    random.Random(0).shuffle(counts)
    for images in counts:
        run.sample(images).touch()
        run.random_sample(images).touch()
    (run.samples / "my own.png").touch()
    names = [file.name for file in run.fixed_samples()]
    assert names == sorted(run.sample(images).name for images in counts)


def test_complete_checkpoints_come_in_order(tmp_path):
    run = RunDir(tmp_path)
    counts = list(range(0, 4000, 200))
    random.Random(0).shuffle(counts)
    for images in counts:
        run.checkpoint(images).mkdir(parents=True)
        (run.checkpoint(images) / "meta.json").touch()
    run.checkpoint(77).mkdir()
    for name in ("images-best", "images-1.old"):
        (run.checkpoints / name).mkdir()
        (run.checkpoints / name / "meta.json").touch()
    assert [checkpoint_images(folder) for folder in run.all_checkpoints()] == sorted(counts)


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_after(tmp_path, monkeypatch):
    synced, at_rename = set(), []
    fsync, replace = os.fsync, os.replace

    def rename(source, target, **more):
        at_rename.append(os.stat(source).st_ino in synced)
        synced.clear()
        replace(source, target, **more)

    monkeypatch.setattr(os, "fsync", lambda handle: (synced.add(os.fstat(handle).st_ino), fsync(handle))[1])
    monkeypatch.setattr(os, "replace", rename)
    atomic_write(tmp_path / "file", "text")
    assert at_rename == [True]
    assert tmp_path.stat().st_ino in synced
    with atomic_folder(tmp_path / "folder") as part:
        (part / "inside").write_text("text")
        inside = (part / "inside").stat().st_ino
        at_rename.clear()
        monkeypatch.setattr(os, "replace", lambda *paths: (at_rename.append(inside in synced), replace(*paths))[1])
    assert at_rename == [True]
