from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from steadygan.errors import DataError
from steadygan.scoring.reference import choose_reference
from steadygan.spec import ImageSpec

NONE = np.array([], np.int64)


def sets(reference):
    return [set(part.tolist()) for part in (reference.real, reference.other, reference.pool)]


def test_held_out_images_are_compared_with_and_as_many_training_images_are_the_others(scenes):
    reference = choose_reference(scenes)
    real, other, pool = sets(reference)
    assert real == set(scenes.held_out.tolist())
    assert len(other) == len(real) == reference.count == 40
    assert other < pool == set(scenes.training.tolist())


@pytest.mark.parametrize("split", ["training", "all"])
def test_another_split_is_halved_into_reals_and_others(scenes, split):
    reference = choose_reference(scenes, split)
    real, other, pool = sets(reference)
    assert not real & other
    assert not real & pool
    assert len(real) == len(other) == len(scenes.training if split == "training" else scenes) // 2
    if split == "training":
        assert not (real | other) & set(scenes.held_out.tolist())


def test_a_seed_draws_other_images_and_a_count_fewer(scenes):
    first, again, another = (choose_reference(scenes, count=20, seed=seed).real for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert set(first.tolist()) != set(another.tolist())
    assert len(first) == len(another) == 20


def test_neighbours_in_a_reference_are_none_in_the_set(scenes):
    steps = np.diff(choose_reference(scenes, "all").real)
    assert (steps < 0).mean() > 0.3


def test_pictures_come_in_the_order_of_their_indices(scenes, reference):
    joined = np.concatenate([batch.permute(0, 2, 3, 1).numpy() for batch in reference.pictures(reference.pool)])
    assert np.array_equal(joined, scenes.images[reference.pool])


def test_a_set_that_holds_nothing_out_says_what_to_do(scenes):
    with pytest.raises(DataError, match=r"holds 0 images out.*--held-out 0\.2.*--split training"):
        choose_reference(replace(scenes, held_out=NONE))


def test_too_few_images_say_how_many_are_needed(scenes):
    with pytest.raises(DataError, match="15 pictures on each side say nothing; at least 16"):
        choose_reference(scenes, count=15)
    four = replace(scenes, held_out=np.arange(len(scenes) - 4))
    with pytest.raises(DataError, match=r"has 2 of 240 images for each side.*at least 16.*add images"):
        choose_reference(four, "training", count=100)


def test_points_are_no_pictures(scenes):
    with pytest.raises(DataError, match="bench modes"):
        choose_reference(replace(scenes, spec=ImageSpec(size=1, channels=2)))
