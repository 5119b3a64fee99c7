"""Another split of the same images: as many held out, others, families together, and nothing else changed."""

from __future__ import annotations

import shutil

import numpy as np

from steadygan.data import PrepareSettings, open_dataset, prepare, resplit
from tiny import draw


def test_another_seed_holds_out_others_and_zero_is_the_set_itself(tmp_path):
    whole = prepare(draw(tmp_path / "pictures", 60), tmp_path / "set", PrepareSettings(size=16, held_out=0.2))
    first, again, second = resplit(whole, 1), resplit(whole, 1), resplit(whole, 2)
    assert resplit(whole, 0) is whole
    assert len(first.held_out) == len(second.held_out) == len(whole.held_out) == 12
    sets = {tuple(one.held_out) for one in (whole, first, second)}
    assert len(sets) == 3
    assert np.array_equal(first.images, whole.images)
    assert first.path == again.path
    assert len({one.digest for one in (whole, first, second)}) == 3
    assert open_dataset(first.path).digest == first.digest


def test_copies_and_crops_of_a_picture_stay_on_one_side(tmp_path):
    folder = draw(tmp_path / "pictures", 40, size=32)
    for number in range(20):
        shutil.copyfile(folder / f"{number:04d}.png", folder / f"copy-{number:04d}.png")
    settings = PrepareSettings(size=16, held_out=0.3, fit="random-crops", crops=2)
    whole = prepare(folder, tmp_path / "set", settings)
    for seed in range(1, 4):
        split = resplit(whole, seed)
        held = set(split.held_out.tolist())
        sides: dict[str, set[bool]] = {}
        for index, entry in enumerate(split.entries()):
            sides.setdefault(entry.digest, set()).add(index in held)
        assert len(held) > 20
        assert all(len(side) == 1 for side in sides.values())
