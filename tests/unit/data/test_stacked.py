from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from steadygan.data import PrepareSettings, prepare
from steadygan.data.builtin import Glyphs, parse_builtin
from steadygan.data.builtin.stacked import stack, triples, write_stacked
from steadygan.errors import ConfigError


def pictures(count: int = 7, size: int = 8) -> NDArray[np.uint8]:
    """Picture k is k everywhere but in its first row, which is 100 + k."""
    images = np.empty((count, size, size), np.uint8)
    images[:] = np.arange(count)[:, None, None]
    images[:, 0] += 100
    return images


def test_stacked_glyphs_have_an_address_of_their_own_and_are_the_same_set() -> None:
    assert parse_builtin("builtin:stacked-glyphs") == Glyphs(stacked=True)
    assert parse_builtin("builtin:stacked-glyphs").draw(5, 16).label is None
    assert parse_builtin("builtin:glyphs") == Glyphs()


def test_a_stacked_set_stays_stacked_and_takes_no_unknown_setting() -> None:
    assert parse_builtin("builtin:stacked-glyphs?stacked=false") == Glyphs(stacked=True)
    with pytest.raises(ConfigError, match="size: no such setting"):
        parse_builtin("builtin:stacked-glyphs?size=3")


def test_a_misspelt_name_is_told_of_the_stacked_set() -> None:
    with pytest.raises(ConfigError, match=r"did you mean stacked-glyphs\?\); choose .*, builtin:stacked-glyphs"):
        parse_builtin("builtin:stacked-glyph")


def test_triples_are_the_same_for_ever_and_others_for_another_seed() -> None:
    first = triples(1000, 70, seed=3)
    assert first[:2].tolist() == [[25, 39, 45], [36, 45, 69]]
    np.testing.assert_array_equal(triples(10, 70, seed=3), first[:10])
    assert not np.array_equal(triples(1000, 70, seed=4), first)


def test_triples_take_every_picture_into_every_channel_about_as_often() -> None:
    found = triples(20_000, 10)
    assert found.shape == (20_000, 3)
    for channel in range(3):
        counts = np.bincount(found[:, channel], minlength=10)
        assert ((counts - 2000) ** 2 / 2000).sum() < 27.9  # chi-square with 9 degrees of freedom, p = 0.001
    assert abs(np.corrcoef(found.T)[np.triu_indices(3, 1)]).max() < 0.03


def test_channel_c_of_a_stack_is_picture_c_of_its_triple() -> None:
    images, which = pictures(), np.array([[0, 3, 6], [2, 2, 5]])
    stacked = stack(images, which)
    assert stacked.shape == (2, 8, 8, 3)
    assert stacked[0, 4, 1].tolist() == [0, 3, 6]
    assert stacked[1, 4, 1].tolist() == [2, 2, 5]
    for channel in range(3):
        np.testing.assert_array_equal(stacked[1, ..., channel], images[which[1, channel]])


def test_stacks_go_through_prepare_unchanged_in_order_and_without_labels(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8), np.uint8)
    which = write_stacked(images, tmp_path / "stacked-idx4-ubyte", 50, seed=1)
    dataset = prepare(tmp_path / "stacked-idx4-ubyte", tmp_path / "set", PrepareSettings(size=8), workers=0)
    np.testing.assert_array_equal(dataset.images, stack(images, which))
    np.testing.assert_array_equal(which, triples(50, 30, seed=1))
    assert dataset.labels is None


def test_more_stacks_than_a_block_are_all_written(tmp_path: Path) -> None:
    images = pictures(5, 1)
    which = write_stacked(images, tmp_path / "s-idx4-ubyte", 10_000)
    data = (tmp_path / "s-idx4-ubyte").read_bytes()
    assert data[:20] == b"\0\0\x08\x04" + b"".join(n.to_bytes(4, "big") for n in (10_000, 1, 1, 3))
    np.testing.assert_array_equal(np.frombuffer(data[20:], np.uint8).reshape(-1, 3) - 100, which)
