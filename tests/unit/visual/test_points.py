from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from steadygan.visual.grid import grid
from steadygan.visual.points import EXTENT, FAKE, PAPER, REAL, picture, points, scatter

Pixels = NDArray[np.float64]


def ink(sheet: object) -> Pixels:
    """How far each pixel is from grey, which neither paper nor reals are: the fakes."""
    pixels = np.asarray(sheet, dtype=float)
    return np.asarray(pixels.max(axis=2) - pixels.min(axis=2))


def middle_of_ink(sheet: object) -> tuple[float, float]:
    rows, columns = np.nonzero(ink(sheet) > 60)
    return float(columns.mean()), float(rows.mean())


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (-0.9, -0.9)])
def test_a_point_is_drawn_where_it_lies_with_the_second_coordinate_upwards(x: float, y: float) -> None:
    size = 400
    column, row = middle_of_ink(scatter(np.array([[x, y]]), size=size))
    assert column == pytest.approx((x / EXTENT + 1) * (size - 1) / 2, abs=0.6)
    assert row == pytest.approx((-y / EXTENT + 1) * (size - 1) / 2, abs=0.6)


def test_fakes_are_coloured_and_reals_are_grey() -> None:
    many = np.zeros((50, 2))
    sheet = scatter(many + 0.4, many - 0.4)
    place = [round((v / EXTENT + 1) * 511 / 2) for v in (-0.4, 0.4)]
    assert np.allclose(sheet.getpixel((place[1], place[0])), FAKE, atol=6)
    assert np.allclose(sheet.getpixel((place[0], place[1])), REAL, atol=6)


def test_colour_deepens_where_points_lie_close_together() -> None:
    spread = np.random.default_rng(0).uniform(-0.9, 0.9, (3000, 2))
    crowded = np.vstack([spread[:1500], np.full((1500, 2), 0.5)])
    assert ink(scatter(crowded)).max() > ink(scatter(spread)).max()


def test_points_outside_or_not_finite_leave_the_paper_as_it_is() -> None:
    strays = np.array([[5.0, 0.0], [np.nan, 0.0], [0.0, np.inf]])
    assert np.array_equal(np.asarray(scatter(strays)), np.asarray(scatter(np.zeros((0, 2)))))


def test_the_sheet_has_the_size_asked_for_and_white_corners() -> None:
    sheet = scatter(np.zeros((1, 2)), size=128)
    assert sheet.size == (128, 128)
    assert sheet.getpixel((127, 127)) == PAPER


def test_bytes_become_coordinates_from_minus_one_to_one() -> None:
    images = np.array([[0, 255], [255, 0]], dtype=np.uint8).reshape(2, 1, 1, 2)
    assert points(images).tolist() == [[-1, 1], [1, -1]]


def test_two_channel_single_pixels_are_shown_as_points_and_all_else_as_a_grid() -> None:
    bytes_ = np.random.default_rng(0).integers(0, 256, (16, 1, 1, 2), dtype=np.uint8)
    assert np.array_equal(np.asarray(picture(bytes_)), np.asarray(scatter(points(bytes_))))
    images = bytes_.reshape(2, 4, 4, 1)
    assert np.array_equal(np.asarray(picture(images)), np.asarray(grid(images)))


def test_reals_lie_behind_a_picture_of_points() -> None:
    fake = np.full((8, 1, 1, 2), 30, dtype=np.uint8)
    real = np.full((8, 1, 1, 2), 200, dtype=np.uint8)
    assert not np.array_equal(np.asarray(picture(fake, real)), np.asarray(picture(fake)))
