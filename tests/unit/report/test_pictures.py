"""Pictures on a page: none is left out, and all together take what there is for them."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from steadygan.report import pictures
from steadygan.report.pictures import ENCODINGS, Encoding


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Twenty noisy pictures, which are hard to make small."""
    folder, rng = tmp_path_factory.mktemp("grids"), np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(20)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)).save(path, compress_level=0)
    return paths


def decoded(address: str) -> Image.Image:
    kind, _, data = address.partition(",")
    assert kind == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("most", [10_000_000, 120_000, 80_000])
def test_pictures_are_made_as_small_as_they_must_be_and_no_smaller(files, most):
    shown = pictures.shown(files, most)
    assert shown.fit
    sizes = (sum(len(pictures.address(Image.open(file), form)) for file in files) for form in ENCODINGS)
    assert len(shown.pictures) == len(files)
    assert sum(map(len, shown.pictures)) == next(size for size in sizes if size <= most)


def test_none_is_left_out_where_nothing_is_small_enough(files):
    shown = pictures.shown(files, 1_000, (*ENCODINGS, Encoding(40, 20)))
    assert not shown.fit
    assert all(shown.pictures)
    assert decoded(shown.pictures[0]).width == 40


def test_a_picture_keeps_its_shape_and_what_is_in_it(tmp_path):
    pixels = np.zeros((300, 600, 3), np.uint8)
    pixels[:, :300] = (200, 30, 60)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    [address] = pictures.shown([tmp_path / "a.png"], 10_000_000, (Encoding(200, 80),)).pictures
    small = np.asarray(decoded(address).convert("RGB"), dtype=float)
    assert small.shape == (100, 200, 3)
    assert np.abs(small[50, 40] - (200, 30, 60)).max() < 8
    assert np.abs(small[50, 160]).max() < 8


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "I;16", "CMYK"])
def test_pictures_of_every_mode_are_shown(tmp_path, mode):
    Image.new(mode, (20, 20)).save(tmp_path / "a.tif")
    assert pictures.shown([tmp_path / "a.tif"], 10_000).pictures[0]
