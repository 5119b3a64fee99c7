from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from steadygan.data.health import duplicates
from steadygan.data.health.duplicates import DuplicateGroups, close_pairs, find_duplicates
from steadygan.data.health.measures import measure
from steadygan.data.indices import evenly, joined

Images = NDArray[np.uint8]
Change = Callable[[Image.Image], Image.Image]


def natural(number: int, side: int, seed: int = 0, channels: int = 3) -> Images:
    """Noise with the spectrum of photographs, coloured."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(rng.normal(size=(number, side, side))) / frequency
    fields = np.fft.ifft2(spectrum).real
    fields = (fields - fields.mean((1, 2), keepdims=True)) / fields.std((1, 2), keepdims=True)
    tint = rng.normal(0, 8, (number, 1, 1, channels)) + rng.uniform(0.7, 1.2, (number, 1, 1, channels)) * 1.0
    return np.clip(fields[..., None] * 40 * (1 + tint / 60) + 120 + tint, 0, 255).astype(np.uint8)


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


CHANGES: dict[str, Change] = {
    "saved as JPEG": lambda it: jpeg(it, 50),
    "reduced and enlarged": lambda it: it.resize((101, 101), Image.Resampling.BICUBIC).resize((112, 112)),
    "lighter": lambda it: Image.fromarray((np.asarray(it).astype(int) + 10).clip(0, 255).astype(np.uint8)),
    "less contrast": lambda it: ImageEnhance.Contrast(it).enhance(0.8),
    "a little cropped": lambda it: it.crop((1, 1, 111, 111)).resize((112, 112), Image.Resampling.BICUBIC),
}


def prepared(pictures: list[Image.Image]) -> Images:
    return np.stack([np.asarray(it.resize((64, 64), Image.Resampling.LANCZOS)) for it in pictures])


def found_in(images: Images) -> DuplicateGroups:
    measures = measure(images)
    return find_duplicates(images, measures, measures.contrast < 2)


@pytest.mark.parametrize("count", [300, 400])  # few and many
@pytest.mark.parametrize("distance", [0, 1, 3, 4, 7, 8, 11])
def test_all_close_pairs_are_found_and_no_others(distance: int, count: int) -> None:
    rng = np.random.default_rng(distance)
    hashes = rng.integers(0, 2**63, count, np.uint64)
    for at in range(200, count):  # near others, by flipping up to 14 bits wherever they are
        hashes[at] = hashes[at - 200]
        for bit in rng.choice(64, rng.integers(0, 15), replace=False):
            hashes[at] ^= np.uint64(1) << np.uint64(bit)
    other = rng.permuted(hashes)
    for second in (hashes, other):
        expected = [
            [i, j]
            for i in range(count)
            for j in range(i + 1, count)
            if (int(hashes[i]) ^ int(second[j])).bit_count() <= distance
        ]
        pairs, at_most = close_pairs(hashes, second, distance)
        assert at_most == distance
        assert pairs.tolist() == expected
    assert len(close_pairs(hashes, hashes, distance)[0]) > 0 or distance < 2


def test_with_too_many_pairs_only_the_closest_are_kept() -> None:
    base = np.uint64(0x0123456789ABCDEF)
    hashes = np.array([base] * 5 + [base ^ np.uint64(1 << bit) for bit in range(40)], np.uint64)
    assert len(close_pairs(hashes, hashes, 8)[0]) == 45 * 44 // 2
    pairs, distance = close_pairs(hashes, hashes, 8, most=300)
    assert (len(pairs), distance) == (10 + 5 * 40, 1)
    pairs, distance = close_pairs(hashes, hashes, 8, most=20)
    assert (pairs.tolist(), distance) == ([[i, j] for i in range(5) for j in range(i + 1, 5)], 0)
    assert close_pairs(hashes, hashes, 8, most=3)[0].tolist() == [[0, 1], [0, 2], [0, 3]]


def test_a_set_of_no_or_one_image_has_no_duplicates() -> None:
    assert found_in(natural(1, 64)) == DuplicateGroups((), (), ())
    assert found_in(np.zeros((0, 64, 64, 3), np.uint8)) == DuplicateGroups((), (), ())


@pytest.mark.parametrize("name", CHANGES)
def test_changed_copies_are_found_and_nothing_else(name: str) -> None:
    pictures = [Image.fromarray(it) for it in natural(60, 112)]
    copies = [CHANGES[name](it) for it in pictures[:20]]
    found = found_in(prepared(pictures + copies))
    assert found.near == tuple((at, 60 + at) for at in range(20))
    assert (found.exact, found.mirrored, found.complete) == ((), (), True)


def test_mirror_images_are_found_and_are_no_near_duplicates() -> None:
    pictures = [Image.fromarray(it) for it in natural(40, 112)]
    found = found_in(prepared(pictures + [jpeg(ImageOps.mirror(it), 80) for it in pictures[:10]]))
    assert found.mirrored == tuple((at, 40 + at) for at in range(10))
    assert found.near == ()


@pytest.mark.parametrize(("side", "channels"), [(1, 2), (5, 3), (28, 1), (64, 4), (150, 3)])
def test_equal_pixels_are_found_in_images_of_any_form(side: int, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, side, side, channels), np.uint8)
    if side > 1:
        images[[7, 21, 29]] = images[3]
        images[12] = images[11]
    else:
        images[:, 0, 0, 0] = np.arange(30)
    measures = measure(images)
    found = find_duplicates(images, measures, np.zeros(30, bool))
    assert found.exact == (((3, 7, 21, 29), (11, 12)) if side > 1 else ())
    assert found.near == ()


def test_of_equal_images_the_first_stands_for_all_in_groups_of_similar_ones() -> None:
    pictures = [Image.fromarray(it) for it in natural(30, 112)]
    images = prepared([*pictures, jpeg(pictures[4], 60), pictures[4], jpeg(pictures[4], 40)])
    found = found_in(images)
    assert (found.exact, found.near) == (((4, 31),), ((4, 30, 32),))
    assert joined(found.exact + found.near) == ((4, 30, 31, 32),)


def test_a_collision_of_checksums_is_no_duplicate() -> None:
    images = natural(10, 32)
    measures = measure(images)
    measures.checksum[:] = 7
    assert find_duplicates(images, measures, np.zeros(10, bool)).exact == ()


def test_blank_and_smooth_pictures_are_not_all_one_group() -> None:
    rng = np.random.default_rng(0)
    levels = np.arange(20, 220, 10)
    flat = np.clip(levels[:, None, None, None] + rng.normal(0, 0.7, (20, 64, 64, 3)), 0, 255).astype(np.uint8)
    slope = np.linspace(0, 90, 64)[None, None, :, None]
    skies = np.clip(slope + levels[:, None, None, None] / 3 + rng.normal(0, 4, (20, 64, 64, 1)), 0, 255)
    skies = np.broadcast_to(skies, (20, 64, 64, 3)).astype(np.uint8)
    found = found_in(np.concatenate([flat, skies, natural(20, 64)]))
    assert found == DuplicateGroups((), (), ())


def alike(first: NDArray[np.floating], second: NDArray[np.floating]) -> bool:
    """Whether two grey pictures of which the hashes are said to be equal are found to be one."""
    images = np.stack([first, second])[..., None].clip(0, 255).astype(np.uint8)
    measures = measure(images)
    measures.hash[:] = 0
    return bool(find_duplicates(images, measures, np.zeros(2, bool)).near)


def test_the_pixels_decide_where_hashes_are_equal() -> None:
    first, second, third = natural(3, 32, channels=1)[..., 0].astype(float)
    fine = (first - 120) / 4
    assert alike(first, first + 12)
    assert alike(first, 120 + (first - 120) * 0.7)
    assert not alike(first, second)
    assert not alike(first, 120 + (first - 120) * 0.4), "a ghost of it is another picture"
    slope = np.linspace(60, 180, 32)[None] + np.zeros((32, 1))
    assert not alike(slope + (second - 120) / 8, slope + (third - 120) / 8), "one sky is not another"
    shape = np.where(np.hypot(*(np.indices((32, 32)) - 16)) < 11, 200.0, 20.0)
    assert not alike(shape + (second - 120) * (shape > 99) * 0.6, shape - (second - 120) * (shape > 99) * 0.6), (
        "an outline is not enough"
    )
    assert alike(shape + fine, shape + fine * 0.8)


def test_images_marked_as_blank_are_left_out() -> None:
    pictures = [Image.fromarray(it) for it in natural(4, 112)]
    images = prepared([*pictures, jpeg(pictures[0], 60), pictures[1]])
    measures = measure(images)
    assert find_duplicates(images, measures, np.array([True, True, False, False, False, False])) == DuplicateGroups(
        (), (), ()
    )


def test_copies_of_a_symmetric_picture_are_no_mirror_images() -> None:
    half = natural(3, 112)[:, :, :56]
    pictures = [Image.fromarray(it) for it in np.concatenate([half, half[:, :, ::-1]], axis=2)]
    found = found_in(prepared([*pictures, jpeg(pictures[2], 60)]))
    assert (found.near, found.mirrored) == (((2, 3),), ())


def test_it_is_said_when_not_all_pairs_were_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [Image.fromarray(it) for it in natural(2, 112)]
    images = prepared([*pictures, *(jpeg(pictures[0], quality) for quality in range(30, 90, 5))])
    assert found_in(images).complete
    monkeypatch.setattr(duplicates, "close_pairs", partial(close_pairs, most=3))
    assert not found_in(images).complete


def test_groups_are_those_that_pairs_tie_together() -> None:
    assert joined([[5, 9], [2, 3], [3, 9], [0, 7]]) == ((0, 7), (2, 3, 5, 9))
    assert joined([]) == ()
    assert joined([(4,), (1, 2), (2, 1, 5)]) == ((1, 2, 5), (4,))


def test_large_images_are_compared_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [Image.fromarray(it) for it in natural(20, 200)]
    images = np.stack([np.asarray(it) for it in [*pictures, jpeg(pictures[3], 50)]])
    monkeypatch.setattr(duplicates, "_BLOCK", 1)
    assert found_in(images).near == ((3, 20),)


def test_copies_among_real_photographs(shared_data: Path) -> None:
    files = sorted((shared_data / "aerial").rglob("*.jpg"))[::27]
    pictures = [Image.open(file).convert("RGB") for file in files]
    for change in ("saved as JPEG", "reduced and enlarged", "lighter"):
        found = found_in(prepared(pictures + [CHANGES[change](it) for it in pictures]))
        right = {(at, len(files) + at) for at in range(len(files))}
        assert len(right & set(found.near)) >= 0.98 * len(files), change
        assert not set(found.near) - right


@pytest.mark.parametrize(
    ("length", "count", "expected"), [(10, 4, [0, 2, 5, 7]), (3, 3, [0, 1, 2]), (2, 4, [0, 0, 1, 1]), (5, 0, [])]
)
def test_indices_are_spread_evenly_from_the_first_on(length: int, count: int, expected: list[int]) -> None:
    assert evenly(length, count) == expected
