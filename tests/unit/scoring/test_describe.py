from __future__ import annotations

import pytest
import torch

from steadygan.scoring.describe import BATCH, Patches, describe, even


@pytest.mark.parametrize("sizes", [[200], [1] * 150, [63, 65, 2, 64, 30], [64, 64, 64]])
def test_a_stream_is_cut_into_full_batches_and_one_rest(sizes):
    stream = torch.arange(sum(sizes)).split(sizes)
    parts = list(even(stream, 150))
    assert [len(part) for part in parts] == [BATCH, BATCH, 22]
    assert torch.equal(torch.cat(parts), torch.arange(150))


def test_no_more_of_a_stream_is_asked_for_than_is_needed():
    asked = []

    def stream():
        for number in range(10):
            asked.append(number)
            yield torch.zeros(64)

    assert sum(map(len, even(stream(), 128))) == 128
    assert asked == [0, 1]


def test_a_stream_that_ends_early_gives_what_there_is():
    assert [len(part) for part in even([torch.zeros(10), torch.zeros(3)], 150)] == [13]
    assert list(even([], 150)) == []


def test_patches_lie_where_the_number_of_a_picture_says(scenes, pictures):
    images = pictures(*range(100))
    whole = describe({"p": Patches(100, 0)}, [images])["p"]
    parts = describe({"p": Patches(100, 0)}, images.split(10))["p"]
    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(whole[0], describe({"p": Patches(100, 1)}, [images])["p"][0])
