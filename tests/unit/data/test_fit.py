from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from steadygan.data.reading.decode import Decoded, decode
from steadygan.data.reading.fit import is_enlarged, kept, random_crops, smallest, square, squares
from steadygan.data.settings import PrepareSettings

DIGEST = "0123456789abcdef"


def picture(pixels: NDArray[np.uint8]) -> Decoded:
    image = Image.fromarray(pixels)
    return Decoded(image, image.size, image.mode, "PNG")


def lanczos(size_in: int, size_out: int) -> NDArray[np.float64]:
    """The matrix of a Lanczos-3 reduction (Duchon 1979): the filter is stretched by the reduction, weights sum to 1."""
    scale = size_in / size_out
    stretch = max(scale, 1.0)
    centres = (np.arange(size_out)[:, None] + 0.5) * scale
    x = (np.arange(size_in)[None] + 0.5 - centres) / stretch
    weights = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("side", [16, 31, 50, 90])
def test_the_reduction_is_lanczos_with_antialiasing_on_the_values_as_they_are(side: int) -> None:
    pixels = np.random.default_rng(0).integers(90, 160, (50, 50), np.uint8)  # so that nothing is clipped on the way
    matrix = lanczos(50, side)
    expected = matrix @ pixels @ matrix.T
    found = square(picture(pixels), PrepareSettings(size=side))[..., 0]
    # Pillow rounds to whole levels once across and once down
    assert np.abs(found - expected).max() <= 1.5
    assert np.abs(found - expected).mean() < 0.4


def test_a_fine_pattern_becomes_its_mean_and_no_moire() -> None:
    pixels = np.indices((256, 256)).sum(axis=0) % 2 * 255
    found = square(picture(pixels.astype(np.uint8)), PrepareSettings(size=32))
    assert np.abs(found.astype(int) - 127).max() <= 3


@pytest.mark.parametrize(
    ("fit", "box"), [("crop", (30, 0, 70, 40)), ("pad", (0, 0, 100, 40)), ("stretch", (0, 0, 100, 40))]
)
def test_the_part_that_is_used_is_known(fit: str, box: tuple[int, int, int, int]) -> None:
    settings = PrepareSettings(size=20, fit=fit)  # type: ignore[arg-type]
    pixels = np.zeros((40, 100), np.uint8)
    pixels[:, 30:70] = 200
    (found, where), *others = squares(picture(pixels), settings, DIGEST)
    assert others == []
    assert where == kept((100, 40), settings) == box
    assert found.shape == (20, 20, 1)
    assert found[10, 10, 0] == 200
    if fit == "crop":  # at the very edge Lanczos looks at what lies beyond, as in a reduced whole
        assert np.abs(found[:, 3:-3].astype(int) - 200).max() <= 1
    if fit == "pad":
        assert (found[:5] == 255).all()
        assert (found[-5:] == 255).all()


def test_cut_outs_have_no_dark_fringe() -> None:
    """A white disc whose transparent surroundings are black: over white nothing of the black may be seen."""
    far = np.hypot(*(np.indices((120, 120)) - 59.5))
    alpha = np.clip(50.5 - far, 0, 1) * 255
    colours = np.where(far < 52, 255, 0)
    image = Image.fromarray(np.dstack([colours, colours, colours, alpha]).astype(np.uint8), "RGBA")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    for size in (16, 33, 200):
        assert square(decode(buffer.getvalue()), PrepareSettings(size=size)).min() >= 254


CROPS = PrepareSettings(size=32, fit="random-crops", crops=50)


def test_random_crops_are_squares_inside_the_picture_between_both_sizes() -> None:
    boxes = random_crops((200, 120), PrepareSettings(size=32, fit="random-crops", crops=1000), DIGEST)
    sides = {right - left for left, _, right, _ in boxes}
    assert all(right - left == bottom - top for left, top, right, bottom in boxes)
    assert all(0 <= left < right <= 200 and 0 <= top < bottom <= 120 for left, top, right, bottom in boxes)
    assert (min(sides), max(sides)) == (32, 120)
    middles = np.array([((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in boxes])
    assert np.abs(middles.mean(axis=0) - (100, 60)).max() < 4
    assert len(set(boxes)) == len(boxes) == 1000


def test_crop_k_depends_on_the_file_and_k_alone() -> None:
    few = CROPS.model_copy(update={"crops": 7})
    assert random_crops((200, 120), few, DIGEST) == random_crops((200, 120), CROPS, DIGEST)[:7]
    assert random_crops((200, 120), few, "other") != random_crops((200, 120), few, DIGEST)


@pytest.mark.parametrize(
    ("size", "count"),
    [((31, 500), 1), ((32, 32), 1), ((32, 33), 2), ((33, 33), 5), ((33, 34), 8), ((500, 500), 50)],
)
def test_a_picture_gives_no_more_crops_than_it_has_room_for(size: tuple[int, int], count: int) -> None:
    boxes = random_crops(size, CROPS, DIGEST)
    assert len(boxes) == len(set(boxes)) == count


def test_a_crop_shows_what_its_box_says() -> None:
    pixels = np.random.default_rng(0).integers(90, 160, (90, 140, 3), np.uint8)
    found = squares(picture(pixels), CROPS.model_copy(update={"crops": 6}), DIGEST)
    assert len(found) == 6
    for shown, (left, top, right, bottom) in found:
        across, down = lanczos(right - left, 32), lanczos(bottom - top, 32)
        expected = np.einsum("yv,vuc,xu->yxc", down, pixels[top:bottom, left:right], across)
        # away from the edge, where Lanczos looks at what lies beyond
        assert np.abs(shown - expected)[4:-4, 4:-4].max() <= 2


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch", "random-crops", "faces"])
def test_only_what_shows_the_whole_picture_may_be_decoded_smaller(fit: str) -> None:
    settings = PrepareSettings(size=48, fit=fit)  # type: ignore[arg-type]
    assert smallest(settings) == (48 if fit in ("crop", "pad", "stretch") else None)


@pytest.mark.parametrize(
    ("size", "fit", "enlarged"),
    [
        ((64, 64), "crop", False),
        ((63, 500), "crop", True),
        ((63, 500), "pad", False),
        ((63, 63), "pad", True),
        ((63, 500), "stretch", True),
    ],
)
def test_it_is_known_what_is_blown_up(size: tuple[int, int], fit: str, enlarged: bool) -> None:
    assert is_enlarged(size, PrepareSettings(size=64, fit=fit)) == enlarged  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 3), (65_535, 1), (1, 65_535)])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch", "random-crops"])
def test_every_shape_gives_a_square(shape: tuple[int, int], fit: str) -> None:
    settings = PrepareSettings(size=16, fit=fit)  # type: ignore[arg-type]
    for kind in (lambda: np.full(shape, 90, np.uint8), lambda: np.full((*shape, 3), 90, np.uint8)):
        make: Callable[[], NDArray[np.uint8]] = kind
        ((found, box),) = squares(picture(make()), settings, DIGEST)
        assert found.shape[:2] == (16, 16)
        assert (found == 90).any()
        assert 0 <= box[0] < box[2] <= shape[1]
        assert 0 <= box[1] < box[3] <= shape[0]
