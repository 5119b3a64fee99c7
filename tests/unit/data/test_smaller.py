"""A prepared set at fewer pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steadygan.data import Dataset, PrepareSettings, open_dataset, prepare, smaller
from steadygan.errors import ConfigError
from tiny import draw


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    for number, name in enumerate(("ash", "oak")):
        draw(tmp_path / "pictures" / name, 9, size=32, seed=number)
    return prepare(tmp_path / "pictures", tmp_path / "set", PrepareSettings(size=32), workers=0)


def test_a_smaller_set_holds_the_same_images_reduced_with_the_same_labels_and_split(prepared: Dataset) -> None:
    found = smaller(prepared, 16)
    assert found.spec == prepared.spec.model_copy(update={"size": 16})
    for index in range(len(prepared)):
        expected = Image.fromarray(np.asarray(prepared.images[index])).resize((16, 16), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(found.images[index], np.asarray(expected))
    np.testing.assert_array_equal(found.labels, prepared.labels)
    np.testing.assert_array_equal(found.held_out, prepared.held_out)
    assert found.class_names == prepared.class_names
    assert found.entries() == prepared.entries()
    assert found.digest != prepared.digest


def test_it_is_made_once_and_made_again_when_damaged(prepared: Dataset) -> None:
    first = smaller(prepared, 16)
    made = (first.path / "images.npy").stat().st_mtime_ns
    assert (smaller(prepared, 16).path / "images.npy").stat().st_mtime_ns == made
    (first.path / "images.npy").write_bytes(b"")
    again = smaller(prepared, 16)
    assert again.digest == first.digest
    assert json.loads((again.path / "dataset.json").read_text())["reduced_from"]["size"] == 32


@pytest.mark.parametrize("channels", [1, 4, 5])
def test_images_of_any_number_of_channels_are_reduced(prepared: Dataset, channels: int) -> None:
    grey = prepared.images[..., :1]
    meta = json.loads((prepared.path / "dataset.json").read_text())
    meta["spec"]["channels"] = channels
    (prepared.path / "dataset.json").write_text(json.dumps(meta))
    np.save(prepared.path / "images.npy", np.repeat(grey, channels, axis=3))
    found = smaller(open_dataset(prepared.path), 8)
    assert found.images.shape == (18, 8, 8, channels)
    assert (found.images == found.images[..., :1]).all()


def test_larger_is_refused(prepared: Dataset) -> None:
    with pytest.raises(ConfigError, match=r"holds images of 32 pixels, not 64; prepare it again with --size 64"):
        smaller(prepared, 64)
