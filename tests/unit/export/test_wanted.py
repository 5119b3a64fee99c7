from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from steadygan.errors import ConfigError, SteadyganError
from steadygan.export.wanted import Wanted, numbers_of, parse_pick, read_latents


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("5,17", (5, 17)),
        ("5,17,20-25", (5, 17, 20, 21, 22, 23, 24, 25)),
        ("9, 3 - 4 ,9", (9, 3, 4, 9)),
        ("0", (0,)),
        ("7-7", (7,)),
    ],
)
def test_numbers_and_ranges_are_picked_in_the_order_asked(text, numbers):
    assert parse_pick(text) == numbers


@pytest.mark.parametrize("text", ["", "a", "5,", "-3", "3-", "9-5", "1.5", "5;6", "٣", "1-2-3", "0-9999999", "9" * 30])
def test_what_is_no_pick_is_refused_in_one_line(text):
    with pytest.raises(ConfigError, match=r"^--pick ") as refused:
        parse_pick(text)
    assert "\n" not in str(refused.value)


def test_a_pick_stays_within_the_pictures_asked_for():
    assert numbers_of(None, [70, 3]) == [70, 3]
    assert list(numbers_of(3, None)) == [0, 1, 2]
    assert list(Wanted().numbers()) == list(range(64))
    assert list(Wanted(pick=(700,)).numbers()) == [700]
    assert list(Wanted().numbers(available=5)) == list(range(5))
    assert list(Wanted(count=2).numbers(available=5)) == [0, 1]
    for wrong in (Wanted(count=9, pick=(9,)), Wanted(pick=(-1,)), Wanted(pick=()), Wanted(count=0)):
        with pytest.raises(ConfigError):
            wrong.numbers()
    for wrong in (Wanted(count=6), Wanted(pick=(5,))):
        with pytest.raises(ConfigError):
            wrong.numbers(available=5)


def test_latents_are_read_from_both_kinds_of_file(tmp_path):
    rows = np.random.default_rng(0).normal(size=(4, 3))
    np.save(tmp_path / "z.npy", rows)
    save_file({"anything": torch.from_numpy(rows)}, tmp_path / "z.safetensors")
    for name in ("z.npy", "z.safetensors"):
        found, labels = read_latents(tmp_path / name, 3)
        assert labels == ()
        assert found.dtype == torch.float32
        assert np.array_equal(found.numpy(), rows.astype(np.float32))


def wrong_files(folder: Path) -> dict[str, Path]:
    arrays = {
        "wide": np.ones((2, 5)),
        "flat": np.ones(3),
        "empty": np.ones((0, 3)),
        "nan": np.full((2, 3), np.nan),
        "text": np.array([["a", "b", "c"]]),
        "complex": np.ones((2, 3), complex),
        "objects": np.array([[None, 1, 2]], object),
    }
    files = {name: folder / f"{name}.npy" for name in arrays}
    for name, array in arrays.items():
        np.save(files[name], array)
    files |= {"none": folder / "none.npy", "kind": folder / "z.txt", "folder": folder / "f.npy"}
    files |= {"cut": folder / "cut.npy", "not": folder / "not.safetensors", "two": folder / "two.safetensors"}
    files["folder"].mkdir()
    files["cut"].write_bytes(files["wide"].read_bytes()[:90])
    files["not"].write_bytes(b"no tensors here")
    save_file({"a": torch.ones(2, 3), "b": torch.ones(2, 3)}, files["two"])
    return files


def test_a_file_that_holds_no_such_latents_is_refused_in_one_line(tmp_path):
    for name, file in wrong_files(tmp_path).items():
        with pytest.raises(SteadyganError) as refused:
            read_latents(file, 3)
        assert str(file) in str(refused.value), name
        assert "\n" not in str(refused.value), name
