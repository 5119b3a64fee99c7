from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steadygan.errors import DataError
from steadygan.visual.grid import BACKGROUND, Images, columns_of, grid, save_grid, save_images


def batch(number: int, size: int = 4, channels: int = 3) -> Images:
    return np.random.default_rng(0).integers(0, 256, (number, size, size, channels), dtype=np.uint8)


def test_four_single_pixels_lie_row_by_row_with_padding_between_and_around() -> None:
    values = np.array([10, 20, 30, 40], dtype=np.uint8).reshape(4, 1, 1, 1)
    b = BACKGROUND
    expected = [
        [b, b, b, b, b, b, b],
        [b, 10, 10, b, 20, 20, b],
        [b, 10, 10, b, 20, 20, b],
        [b, b, b, b, b, b, b],
        [b, 30, 30, b, 40, 40, b],
        [b, 30, 30, b, 40, 40, b],
        [b, b, b, b, b, b, b],
    ]
    assert np.asarray(grid(values, scale=2, padding=1)).tolist() == expected


def test_an_unfilled_last_row_stays_background() -> None:
    sheet = np.asarray(grid(np.zeros((3, 1, 1, 1), dtype=np.uint8), scale=1, padding=0))
    assert sheet.tolist() == [[0, 0], [0, BACKGROUND]]


def test_columns_can_be_chosen() -> None:
    assert grid(batch(6), columns=3, scale=1, padding=1).size == (16, 11)


def test_red_green_and_blue_come_out_as_they_went_in() -> None:
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=np.uint8).reshape(3, 1, 1, 3)
    sheet = grid(colours, columns=3, scale=1, padding=0)
    assert [sheet.getpixel((x, 0)) for x in range(3)] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


@pytest.mark.parametrize(
    ("channels", "mode", "shown"), [(1, "L", 1), (2, "L", 1), (3, "RGB", 3), (4, "RGB", 3), (7, "RGB", 3)]
)
def test_the_first_one_or_three_channels_are_shown(channels: int, mode: str, shown: int) -> None:
    images = batch(1, channels=channels)
    sheet = grid(images, scale=1, padding=0)
    assert sheet.mode == mode
    assert np.array_equal(np.asarray(sheet).reshape(4, 4, shown), images[0, ..., :shown])


@pytest.mark.parametrize("size", [1, 8, 28, 32, 64, 96, 128])
def test_small_images_grow_by_a_whole_factor_to_a_sheet_of_handy_width(size: int) -> None:
    padding = 2
    width, height = grid(batch(64, size, 1), padding=padding).size
    assert width == height
    assert 650 <= width <= 1060
    assert (width - 9 * padding) % (8 * size) == 0


def test_large_images_are_never_made_smaller() -> None:
    assert grid(batch(16, 512, 1), padding=0).size == (2048, 2048)


def test_enlarging_makes_no_new_colours() -> None:
    images = batch(4, 4, 1)
    assert set(np.unique(np.asarray(grid(images, scale=7, padding=0)))) == set(np.unique(images))


@pytest.mark.parametrize(
    "images",
    [np.zeros((0, 4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 4, 3), np.float32)],
    ids=["empty", "three axes", "floats"],
)
def test_what_is_not_a_batch_of_bytes_is_refused_with_its_shape(images: Images) -> None:
    with pytest.raises(DataError, match=r"uint8 of shape \(N, H, W, C\)"):
        grid(images)


def test_a_saved_grid_holds_the_same_pixels_and_leaves_no_other_file(tmp_path: Path) -> None:
    images = batch(4)
    save_grid(images, tmp_path / "new" / "sheet.png", columns=4, scale=1, padding=0)
    with Image.open(tmp_path / "new" / "sheet.png") as sheet:
        assert np.array_equal(np.asarray(sheet), np.asarray(grid(images, columns=4, scale=1, padding=0)))
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["sheet.png"]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_saved_images_come_back_unchanged_under_five_digit_names(tmp_path: Path, channels: int) -> None:
    images = batch(3, 5, channels)
    paths = save_images(images, tmp_path)
    assert [path.name for path in paths] == ["00000.png", "00001.png", "00002.png"]
    for path, image in zip(paths, images, strict=True):
        with Image.open(path) as read:
            assert np.array_equal(np.asarray(read).reshape(image.shape), image)


def test_saving_images_leaves_other_files_of_the_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.png").write_bytes(b"mine")
    save_images(batch(1), tmp_path)
    assert (tmp_path / "holiday.png").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("number", "classes", "columns"),
    [(64, 0, 8), (64, 10, 10), (64, 3, 9), (64, 1, 8), (9, 2, 4), (4, 100, 2), (1, 2, 2)],
)
def test_classes_in_turn_get_columns_of_their_own_where_that_is_not_too_wide(number, classes, columns):
    assert columns_of(number, classes) == columns
