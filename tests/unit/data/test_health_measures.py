from __future__ import annotations

import math
import tempfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from steadygan.data.health import pixels
from steadygan.data.health.hashing import averaging, distances, hashes
from steadygan.data.health.measures import Measures, measure
from steadygan.data.health.pixels import Reduced, reduced, small

Images = NDArray[np.uint8]


def noise(number: int, side: int, channels: int, seed: int = 0) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (number, side, side, channels), np.uint8)


def slow_hash(grey: NDArray[np.float64]) -> int:
    """The definition, one term at a time: each pixel is split into parts that fill 32×32 squares evenly."""
    side = len(grey)
    split = np.repeat(np.repeat(grey, 32, axis=0), 32, axis=1)
    values = split.reshape(32, side, 32, side).mean(axis=(1, 3))
    waves = [
        [
            sum(
                values[y, x] * math.cos(math.pi / 32 * (y + 0.5) * down) * math.cos(math.pi / 32 * (x + 0.5) * across)
                for y in range(32)
                for x in range(32)
            )
            for across in range(1, 9)
        ]
        for down in range(1, 9)
    ]
    flat = [wave for row in waves for wave in row]
    middle = float(np.median(flat)) + 0.05 * sum(map(abs, flat)) / 64
    return sum(1 << bit for bit, wave in enumerate(flat) if wave > middle)


def test_brightness_contrast_colour_and_saturation_of_plain_pictures() -> None:
    images = np.zeros((3, 10, 10, 3), np.uint8)
    images[0] = (200, 100, 40)
    images[1, :, ::2] = 255
    images[2, :5] = (10, 10, 30)
    found = measure(images)
    assert found.brightness == pytest.approx([(77 * 200 + 150 * 100 + 29 * 40) / 256, 127.5, 13 / 2 - 0.36], abs=0.5)
    assert found.contrast == pytest.approx([0, 127.5, 6.1], abs=0.1)
    assert found.colour[0] == pytest.approx([200, 100, 40])
    assert found.saturation == pytest.approx([160, 0, 10])


def test_sharpness_is_that_of_a_chessboard_whatever_its_contrast() -> None:
    board = np.indices((16, 16)).sum(axis=0) % 2
    images = np.stack([board * 255, board * 20 + 100])[..., None].astype(np.uint8)
    # the Laplacian is four times the difference of black and white, up and down; the contrast half that difference
    assert measure(images).sharpness == pytest.approx([8, 8], rel=1e-5)


def test_blur_makes_pictures_less_sharp_and_size_hardly_matters() -> None:
    waves = np.cumsum(np.cumsum(np.random.default_rng(1).normal(size=(1, 128, 128)), axis=1), axis=2)
    waves = ((waves - waves.min()) / np.ptp(waves) * 255).astype(np.uint8)[..., None]
    blurred = np.asarray(Image.fromarray(waves[0, ..., 0]).resize((32, 32)).resize((128, 128)))[None, ..., None]
    whole, soft, part = (measure(it).sharpness[0] for it in (waves, blurred, waves[:, 32:96, 32:96]))
    assert soft < whole / 2
    assert part == pytest.approx(whole, rel=0.8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("side", [1, 2, 5, 28, 32, 50, 64])
def test_any_form_is_measured_alike_alone_and_together(side: int, channels: int) -> None:
    images = noise(40, side, channels)
    whole, alone = measure(images), [measure(images[at : at + 1]) for at in range(40)]
    assert len(whole) == 40
    for it in fields(Measures):
        one_by_one = np.concatenate([getattr(some, it.name) for some in alone])
        np.testing.assert_allclose(getattr(whole, it.name), one_by_one, rtol=1e-5, err_msg=it.name)


def test_no_image_has_no_measures() -> None:
    assert len(measure(np.zeros((0, 16, 16, 3), np.uint8))) == 0


@pytest.mark.parametrize("side", [32, 40, 64])
def test_the_hash_is_the_one_defined(side: int) -> None:
    grey = noise(3, side, 1)[..., 0].astype(np.float64)
    found, _ = hashes(grey.astype(np.float32))
    assert [int(it) for it in found] == [slow_hash(picture) for picture in grey]


def test_nearly_half_the_bits_are_set_and_none_in_a_flat_picture() -> None:
    found, _ = hashes(noise(5, 64, 1)[..., 0].astype(np.float32))
    assert all(28 <= int(it).bit_count() <= 32 for it in found)
    for level in (0, 77, 255):
        flat, _ = hashes(np.full((1, 50, 50), level, np.float32))
        assert int(flat[0]) == 0


@pytest.mark.parametrize("side", [17, 64])
def test_the_hash_of_the_mirror_image_is_known(side: int) -> None:
    grey = noise(20, side, 1)[..., 0].astype(np.float32)
    plain, mirrored = hashes(grey)
    of_mirrored, twice = hashes(np.ascontiguousarray(grey[:, :, ::-1]))
    assert distances(mirrored, of_mirrored).max() <= 2  # a coefficient at the median may round to either side
    assert distances(plain, twice).max() <= 2
    assert distances(plain, mirrored).min() > 8


def test_distances_count_bits() -> None:
    ones = np.uint64(2**64 - 1)
    first, second = np.array([0, ones, 5, 1 << 63], np.uint64), np.array([ones, ones, 6, 0], np.uint64)
    assert distances(first, second).tolist() == [64, 0, 2, 1]


def test_checksums_tell_any_difference_and_any_exchange() -> None:
    images = noise(6, 9, 3)
    images[1] = images[0]
    images[2] = images[0]
    images[2, 8, 8, 2] ^= 1
    images[3].reshape(-1)[:16] = np.roll(images[0].reshape(-1)[:16], 8)
    images[3].reshape(-1)[16:] = images[0].reshape(-1)[16:]
    found = measure(images).checksum.tolist()
    assert found[0] == found[1]
    assert len(set(found)) == 5


def test_averaging_is_by_area() -> None:
    assert averaging(3, 2).tolist() == [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]]
    assert averaging(2, 4).tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]


@pytest.mark.parametrize(("side", "less"), [(1, 1), (64, 64), (127, 127), (128, 64), (200, 66), (512, 64)])
def test_large_images_are_reduced_by_whole_factors(side: int, less: int) -> None:
    images = noise(2, side, 3)
    factor = side // less
    inner = images[:, : less * factor, : less * factor].reshape(2, less, factor, less, factor, 3)
    assert reduced(images).shape == (2, less, less, 3)
    np.testing.assert_array_equal(reduced(images), np.floor(inner.mean(axis=(2, 4)) + 0.5))
    np.testing.assert_array_equal(reduced(reduced(images)), reduced(images))


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("at_once", [1, 2**25])
def test_large_images_on_disk_are_read_as_reduced(
    at_once: int, room: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "_READ_BYTES", at_once)
    if not room:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    images = noise(9, 130, 3)
    np.save(tmp_path / "images.npy", images)
    mapped = small(np.load(tmp_path / "images.npy", mmap_mode="r"))
    assert isinstance(mapped, Reduced) is not room
    assert (len(mapped), mapped.shape) == (9, (9, 65, 65, 3))
    np.testing.assert_array_equal(mapped[2:7], reduced(images)[2:7])
    np.testing.assert_array_equal(mapped[np.array([8, 0, 8])], reduced(images)[[8, 0, 8]])
    assert mapped[np.array([], np.int64)].shape == (0, 65, 65, 3)
    np.testing.assert_array_equal(measure(mapped).hash, measure(reduced(images)).hash)
