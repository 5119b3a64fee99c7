from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from steadygan.data.health import true_resolution
from steadygan.data.health.closely import LookClosely, chosen, look_closely
from steadygan.data.health.whole import ENLARGED
from steadygan.data.sources.folder import Folder
from steadygan.data.sources.items import Item
from steadygan.data.work import Entry

SMOOTH = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def photograph(side: int, seed: int, decay: float = 1.2) -> Image.Image:
    """Noise with the spectrum of a photograph and the rounding of one."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    frequency[0, 0] = 1
    field = np.fft.ifft2(np.fft.fft2(np.random.default_rng(seed).normal(size=(side, side))) / frequency**decay).real
    field = 120 + 45 * (field - field.mean()) / field.std()
    return Image.fromarray(field.clip(0, 255).astype(np.uint8))


def saved(picture: Image.Image, quality: int) -> NDArray[np.uint8]:
    if not quality:
        return np.asarray(picture)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("quality", [0, 90, 50])
@pytest.mark.parametrize("decay", [1.0, 1.2])
@pytest.mark.parametrize("side", [64, 112, 300, 600])
def test_photographs_need_all_their_pixels(side: int, decay: float, quality: int) -> None:
    assert [true_resolution(saved(photograph(side, seed, decay), quality)) > 0.9 for seed in range(3)] == [True] * 3


@pytest.mark.parametrize("quality", [0, 90])
@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_enlarged_ones_do_not(factor: int, name: str, quality: int) -> None:
    for seed in range(3):
        large = photograph(120, seed).resize((120 * factor,) * 2, SMOOTH[name])
        found = true_resolution(saved(large, quality))
        assert found < ENLARGED
        assert found == pytest.approx(1 / factor, abs=0.2)


@pytest.mark.parametrize("quality", [0, 90, 75])
@pytest.mark.parametrize(("fresh", "of"), [(1, 2), (1, 3), (1, 4), (1, 6)])
def test_repeated_pixels_are_counted(fresh: int, of: int, quality: int) -> None:
    side = 120 * of // fresh
    large = photograph(120, 0).resize((side, side), Image.Resampling.NEAREST)
    assert true_resolution(saved(large, quality)) == pytest.approx(fresh / of, abs=0.01)


def test_repeated_pixels_are_counted_in_one_direction_and_by_odd_factors() -> None:
    for size in ((300, 150), (150, 300)):
        longer = photograph(150, 0).resize(size, Image.Resampling.NEAREST)
        assert true_resolution(np.asarray(longer)) == pytest.approx(0.5)
    by_half = photograph(150, 0).resize((225, 225), Image.Resampling.NEAREST)
    assert true_resolution(np.asarray(by_half)) == pytest.approx(2 / 3, abs=0.01)
    odd = photograph(150, 0).resize((210, 210), Image.Resampling.NEAREST)
    assert true_resolution(np.asarray(odd)) == pytest.approx(150 / 210, abs=0.02)


def test_colour_and_grey_are_judged_alike() -> None:
    large = photograph(100, 0).resize((300, 300), Image.Resampling.BICUBIC)
    assert true_resolution(np.asarray(large.convert("RGB"))) == pytest.approx(true_resolution(np.asarray(large)))


@pytest.mark.parametrize("picture", [np.zeros((1, 1), np.uint8), np.full((300, 200, 3), 7, np.uint8),
                                     np.random.default_rng(0).integers(0, 256, (31, 500), np.uint8)])  # fmt: skip
def test_what_is_too_small_or_flat_is_given_the_benefit_of_the_doubt(picture: NDArray[np.uint8]) -> None:
    assert true_resolution(picture) == 1


def test_a_flat_margin_is_no_repetition() -> None:
    framed = np.full((300, 300), 255, np.uint8)
    framed[60:240, 60:240] = np.asarray(photograph(180, 0))
    assert true_resolution(framed) == 1


def filtered(picture: Image.Image, low: float, high: float) -> NDArray[np.uint8]:
    """Without the frequencies between two, in cycles per pixel."""
    side = picture.width
    frequency = np.maximum(np.abs(np.fft.fftfreq(side))[:, None], np.abs(np.fft.fftfreq(side)))
    spectrum = np.fft.fft2(np.asarray(picture, float) - 120)
    spectrum[(frequency > low) & (frequency < high)] = 0
    return np.rint(np.fft.ifft2(spectrum).real + 120).clip(0, 255).astype(np.uint8)


def test_a_gap_in_the_spectrum_is_not_its_end() -> None:
    assert true_resolution(filtered(photograph(256, 0), 0.25, 0.3)) == 1
    assert true_resolution(filtered(photograph(256, 0), -1, 0.035)) == 1


def test_the_end_is_not_sought_before_the_beginning() -> None:
    large = photograph(128, 0).resize((512, 512), Image.Resampling.LANCZOS)
    assert true_resolution(filtered(large, -1, 0.03)) == pytest.approx(0.28, abs=0.1)


def test_faint_pictures_are_judged_above_the_rounding_to_levels() -> None:
    for seed in range(3):
        faint = np.asarray(photograph(100, seed), float) * 0.1 + 100
        large = Image.fromarray(faint.astype(np.float32)).resize((400, 400), Image.Resampling.LANCZOS)
        assert true_resolution(np.rint(np.asarray(large)).astype(np.uint8)) == pytest.approx(0.25, abs=0.1)


def test_real_photographs_need_all_their_pixels(shared_data: Path) -> None:
    files = sorted((shared_data / "aerial").rglob("*.jpg"))[::20]
    alarms = sum(true_resolution(np.asarray(Image.open(file))) < ENLARGED for file in files)
    assert alarms <= 0.01 * len(files)


def test_files_are_chosen_evenly_and_one_image_of_each() -> None:
    def entry(file: str, side: int = 100) -> Entry:
        return Entry(file=file, size=(side, side), mode="L", format="PNG", crop=(0, 0, side, side), digest="")

    assert chosen([entry("a"), entry("a"), entry("b"), entry("c"), entry("c")]) == [0, 2, 3]
    many = chosen([entry(f"{at:05d}") for at in range(2_000)])
    assert (len(many), many[:3], many[-1]) == (500, [0, 4, 8], 1996)
    assert len(chosen([entry(str(at), 5_000) for at in range(300)])) == 40
    assert chosen([]) == []


def test_files_that_went_bad_are_passed_by(tmp_path: Path) -> None:
    photograph(100, 0).resize((200, 200), Image.Resampling.NEAREST).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no")
    photograph(100, 0).save(tmp_path / "c.png")
    items = sorted((it for it in Folder(path=tmp_path).entries() if isinstance(it, Item)), key=lambda it: it.name)
    (tmp_path / "c.png").unlink()
    done: list[int] = []
    assert list(look_closely(items, 0, done.append)) == [0.5, None, None]
    assert done == [3]
    assert LookClosely(items[0]).lost() is None
    assert list(look_closely([], 2, done.append)) == []
