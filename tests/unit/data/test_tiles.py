from __future__ import annotations

import struct
import sys
import tarfile
import zipfile
import zlib
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from steadygan.data.pool import run_tasks
from steadygan.data.settings import PrepareSettings, Tiles
from steadygan.data.sources.archive import Tar, Zip
from steadygan.data.sources.items import Item, Rejection, open_file
from steadygan.data.tiles.bands import Header, choose, is_mask
from steadygan.data.tiles.pixels import read_values
from steadygan.data.tiles.raster import gdal, open_raster
from steadygan.data.tiles.scene import Scene
from steadygan.data.tiles.stretch import limits, pieces, to_bytes
from steadygan.data.tiles.strips import BLANK, EMPTY, cut
from steadygan.data.tiles.survey import Survey
from steadygan.data.work import Result, Row
from steadygan.errors import ConfigError, DataError

rasterio = pytest.importorskip("rasterio", reason="tiles are cut with rasterio, which is not installed")
from rasterio.enums import ColorInterp  # noqa: E402
from rasterio.transform import Affine  # noqa: E402

RNG = np.random.default_rng(5)
HERE = {"crs": "EPSG:32618", "transform": Affine(2, 0, 500_000, 0, -2, 4_500_000)}

# what rasterio itself says when the tests read and write with it
pytestmark = [
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]


def scenery(bands: int, height: int, width: int, dtype: str = "uint8", top: int = 255) -> NDArray[Any]:
    return RNG.integers(0, top, (bands, height, width), endpoint=True).astype(dtype)


def write(path: Path, values: NDArray[Any], shows: tuple[Any, ...] = (), **options: Any) -> Path:
    count, height, width = values.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": values.dtype, **HERE}
    with rasterio.open(path, "w", **profile | options) as file:
        file.write(values)
        if shows:
            file.colorinterp = shows
    return path


def item(path: Path, **more: Any) -> Item:
    return Item(path.name, path.stat().st_size, path.stat().st_mtime_ns, partial(open_file, str(path)), **more)


def look(path: Path, tiles: Tiles) -> Scene:
    (found,) = Survey(item(path), tiles).run()
    assert isinstance(found, Scene), found
    return found


def refused(path: Path, tiles: Tiles | None = None) -> str:
    (found,) = Survey(item(path), tiles or Tiles(side=16)).run()
    assert isinstance(found, Rejection), found
    assert found.file == path.name
    return found.reason


def all_of(path: Path, tiles: Tiles, workers: int = 0, **settings: Any) -> list[Result]:
    strips = cut(look(path, tiles), tiles, PrepareSettings(**settings))
    return [one for found in run_tasks([[strip] for strip in strips], workers) for some in found for one in some]


def rows(results: list[Result]) -> list[Row]:
    assert all(isinstance(one, Row) for one in results), [one for one in results if not isinstance(one, Row)]
    return [one for one in results if isinstance(one, Row)]


def pixels(row: Row) -> NDArray[np.uint8]:
    assert row.pixels is not None
    return row.pixels


def mosaic(found: list[Row], height: int, width: int) -> NDArray[np.uint8]:
    whole = np.zeros((height, width, pixels(found[0]).shape[2]), np.uint8)
    for row in found:
        left, top, right, bottom = row.entry.crop
        whole[top:bottom, left:right] = pixels(row)
    return whole


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": 7},
        {"stride": 0},
        {"min_content": 1.1},
        {"bands": (1, 2)},
        {"bands": (0,)},
        {"percentiles": (98, 2)},
        {"percentiles": (0, 101)},
        {"tile": 256},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Tiles(**wrong)


LAYOUTS = {
    "tiled": {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"},
    "planes": {"tiled": True, "blockxsize": 32, "blockysize": 48, "interleave": "band"},
    "striped": {"blockysize": 16, "compress": "lzw"},
    "one strip": {"blockysize": 300},
    "PNG": {"driver": "PNG"},
}
JPEG_TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "jpeg"}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("side", "stride"), [(32, None), (40, 24), (16, 50), (300, None)])
def test_every_tile_is_what_rasterio_reads_in_its_window(
    tmp_path: Path, layout: str, side: int, stride: int | None
) -> None:
    values = scenery(3, 300, 417)
    path = write(tmp_path / "scene.tif", values, **LAYOUTS[layout])
    tiles = Tiles(side=side, stride=stride)
    found = rows(all_of(path, tiles))
    step = stride or side
    corners = {(top, left) for top in range(0, 301 - side, step) for left in range(0, 418 - side, step)}
    assert {(row.entry.crop[1], row.entry.crop[0]) for row in found} == corners
    assert len(found) == len(corners) == look(path, tiles).count(tiles)
    with rasterio.open(path) as file:
        for row in found:
            left, top, right, bottom = row.entry.crop
            expected = file.read(window=((top, bottom), (left, right)))
            np.testing.assert_array_equal(pixels(row), expected.transpose(1, 2, 0))


def test_the_index_says_where_a_tile_comes_from(tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", scenery(3, 96, 160))
    row = rows(all_of(path, Tiles(side=32)))[7]
    entry = row.entry
    assert entry.file == "scene.tif/000032_000064"
    assert entry.crop == (64, 32, 96, 64)
    assert (entry.size, entry.mode, entry.format, entry.changes) == ((160, 96), "RGB", "GTiff", ())
    assert (entry.attributes, entry.enlarged, entry.grey) == ({"row": 1, "col": 2}, False, False)
    assert entry.place is not None
    assert entry.place.crs == "EPSG:32618"
    assert entry.place.bounds == (500_128, 4_499_872, 500_192, 4_499_936)


def test_labels_and_attributes_of_the_file_go_to_its_tiles(tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", scenery(1, 32, 32))
    (scene,) = Survey(item(path, label="wood", attributes={"year": 1990}), Tiles(side=16)).run()
    assert isinstance(scene, Scene)
    (strip, *_) = cut(scene, Tiles(side=16), PrepareSettings())
    entry = rows(strip.run())[0].entry
    assert entry.label == "wood"
    assert entry.attributes == {"year": 1990, "row": 0, "col": 0}


@pytest.mark.parametrize(("channels", "depth"), [("auto", 3), ("grey", 1)])
def test_smaller_tiles_are_reduced_with_antialiasing(tmp_path: Path, channels: str, depth: int) -> None:
    values = scenery(3, 64, 64)
    path = write(tmp_path / "scene.tif", values)
    found = rows(all_of(path, Tiles(side=32), size=8, channels=channels))
    picture = Image.fromarray(values[:, 32:, 32:].transpose(1, 2, 0).copy()).convert("L" if depth == 1 else "RGB")
    expected = np.asarray(picture.resize((8, 8), Image.Resampling.LANCZOS)).reshape(8, 8, depth)
    np.testing.assert_array_equal(pixels(found[3]), expected)
    assert not found[3].entry.enlarged


def test_processes_give_what_one_gives(tmp_path: Path) -> None:
    values = scenery(3, 200, 300, "uint16", 4000)
    path = write(tmp_path / "scene.tif", values, tiled=True, blockxsize=64, blockysize=64)
    alone, together = (rows(all_of(path, Tiles(side=32), workers)) for workers in (0, 2))
    assert [row.entry for row in alone] == [row.entry for row in together]
    assert all(np.array_equal(pixels(one), pixels(other)) for one, other in zip(alone, together, strict=True))


# ---- which bands


RGB_NIR = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined)
RGBA = (*RGB_NIR[:3], ColorInterp.alpha)


@pytest.mark.parametrize("shows", [RGB_NIR, RGBA, (ColorInterp.gray, *[ColorInterp.undefined] * 3)])
def test_a_fourth_band_that_is_no_mask_is_left_out(tmp_path: Path, shows: tuple[Any, ...]) -> None:
    values = scenery(4, 64, 64)
    path = write(tmp_path / "scene.tif", values, shows)
    scene = look(path, Tiles(side=32))
    assert (scene.bands, scene.alpha) == ((1, 2, 3), None)
    assert "1, 2, 3 are used" in scene.notes[-1]
    np.testing.assert_array_equal(mosaic(rows(all_of(path, Tiles(side=32))), 64, 64), values[:3].transpose(1, 2, 0))


@pytest.mark.parametrize("bands", [1, 3])
def test_alpha_that_is_a_mask_decides_which_tiles_hold_enough(tmp_path: Path, bands: int) -> None:
    values = scenery(bands + 1, 64, 64)
    values[-1] = 255
    values[-1, :32, :20] = 0  # 62% of the first tile
    values[-1, 32:, :12] = 0  # 37% of the third
    path = write(tmp_path / "scene.tif", values, photometric="minisblack" if bands == 1 else "rgb", alpha="yes")
    assert look(path, Tiles(side=32)).alpha == bands + 1
    found = all_of(path, Tiles(side=32))
    assert found[0] == EMPTY
    assert [row.entry.crop[:2] for row in rows(found[1:])] == [(32, 0), (0, 32), (32, 32)]
    np.testing.assert_array_equal(pixels(rows(found[1:])[1]), values[:bands, 32:, :32].transpose(1, 2, 0))
    assert len(rows(all_of(path, Tiles(side=32, min_content=0.3)))) == 4
    assert all_of(path, Tiles(side=32, min_content=0.7))[:3:2] == [EMPTY, EMPTY]


def test_bands_that_are_asked_for_are_taken(tmp_path: Path) -> None:
    values = scenery(4, 32, 32)
    path = write(tmp_path / "scene.tif", values)
    for bands in ((4, 3, 2), (2,)):
        found = rows(all_of(path, Tiles(side=32, bands=bands)))
        np.testing.assert_array_equal(pixels(found[0]), values[[n - 1 for n in bands]].transpose(1, 2, 0))


def test_a_band_that_does_not_exist_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", scenery(4, 32, 32))
    with pytest.raises(ConfigError, match=r"scene\.tif has bands 1 to 4; --bands 5,3,2 asks for band 5"):
        Survey(item(path), Tiles(side=16, bands=(5, 3, 2))).run()


UNSAID = ("undefined",) * 4


@pytest.mark.parametrize(
    ("shows", "called", "alpha", "bands", "said"),
    [
        (("gray",), (None,), None, (1,), ""),
        (("gray", "undefined"), (None,) * 2, None, (1,), "2 bands; band 1"),
        (("gray", "alpha"), (None,) * 2, 2, (1,), ""),
        (("red", "green", "blue"), (None,) * 3, None, (1, 2, 3), ""),
        (("blue", "green", "red"), (None,) * 3, None, (3, 2, 1), "of 3 bands, 3, 2, 1"),
        (("blue", "green", "red", "undefined"), (None,) * 4, None, (3, 2, 1), "of 4 bands, 3, 2, 1"),
        (UNSAID, ("SWIR1", "NIR", "Red", "Green"), None, (2, 3, 4), "no blue band"),
        (UNSAID, ("NIR", "Red", "Green", "Blue"), None, (2, 3, 4), "of 4 bands, 2, 3, 4"),
        (UNSAID, (None,) * 4, None, (1, 2, 3), "scene has 4 bands; 1, 2, 3"),
        (("alpha", *UNSAID), (None,) * 5, 1, (2, 3, 4), "scene has 4 bands; 2, 3, 4"),
        (("gray", *UNSAID, *UNSAID), (None,) * 9, None, (1, 2, 3), "scene has 9 bands"),
    ],
)
def test_bands_are_chosen_by_what_the_file_says_of_them(
    shows: tuple[str, ...], called: tuple[str | None, ...], alpha: int | None, bands: tuple[int, ...], said: str
) -> None:
    choice = choose("scene", Header(shows, called), None, alpha)
    assert choice.bands == bands
    assert said in choice.note
    assert bool(said) == bool(choice.note)


def test_printing_inks_are_no_colours() -> None:
    with pytest.raises(DataError, match="printing inks"):
        choose("scene", Header(("cyan", "magenta", "yellow", "black"), (None,) * 4), None, None)


def test_a_mask_is_lowest_or_highest_nearly_everywhere() -> None:
    mask = np.where(RNG.random(10_000) < 0.3, 0, 255).astype(np.uint8)
    assert is_mask(mask)
    mask[:500] = 128  # a soft edge
    assert is_mask(mask)
    assert not is_mask(RNG.integers(0, 256, 10_000).astype(np.uint8))
    assert not is_mask(np.zeros(100, np.uint8))


def test_a_colour_table_becomes_colours(tmp_path: Path) -> None:
    numbers = RNG.integers(0, 3, (1, 32, 32)).astype(np.uint8)
    path = tmp_path / "scene.tif"
    table = {0: (255, 0, 0, 255), 1: (0, 200, 10, 255), 2: (7, 8, 9, 255)}
    with rasterio.open(path, "w", driver="GTiff", count=1, height=32, width=32, dtype="uint8", **HERE) as file:
        file.write(numbers)
        file.write_colormap(1, table)
    (row,) = rows(all_of(path, Tiles(side=32)))
    expected = np.array([table[n][:3] for n in range(3)], np.uint8)[numbers[0]]
    np.testing.assert_array_equal(pixels(row), expected)
    assert (row.entry.mode, row.entry.changes) == ("RGB", ("colour table applied",))


def test_white_is_zero_is_turned_round(tmp_path: Path) -> None:
    values = scenery(1, 32, 32)
    path = write(tmp_path / "scene.tif", values, photometric="miniswhite")
    with Image.open(path) as upright:  # libtiff's word is taken against GDAL's
        expected = np.asarray(upright.convert("L"))
    (row,) = rows(all_of(path, Tiles(side=32)))
    np.testing.assert_array_equal(pixels(row)[..., 0], expected)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_fewer_than_eight_bits_go_from_black_to_white(tmp_path: Path, bits: int) -> None:
    values = RNG.integers(0, 2**bits, (1, 32, 32)).astype(np.uint8)
    path = write(tmp_path / "scene.tif", values, nbits=bits)
    (row,) = rows(all_of(path, Tiles(side=32)))
    np.testing.assert_array_equal(pixels(row)[..., 0], values[0] * (255 // (2**bits - 1)))


# ---- more than 8 bits


@pytest.mark.parametrize(("dtype", "low", "high"), [("uint16", 900, 12_000), ("int16", -500, 3000), ("float32", -2, 7)])
def test_values_are_stretched_by_the_percentiles_of_the_whole_image(
    tmp_path: Path, dtype: str, low: float, high: float
) -> None:
    slope = np.linspace(low, high, 128 * 192).reshape(1, 128, 192).astype(dtype)
    path = write(tmp_path / "scene.tif", slope, tiled=True, blockxsize=16, blockysize=16)
    scene = look(path, Tiles(side=32))
    bottom, top = np.percentile(slope, (2, 98))
    assert scene.stretch is not None
    np.testing.assert_allclose(scene.stretch, [(bottom, top)])
    whole = mosaic(rows(all_of(path, Tiles(side=32))), 128, 192)
    expected = np.clip(np.rint((slope[0].astype(float) - bottom) * 255 / (top - bottom)), 0, 255)
    np.testing.assert_allclose(whole[..., 0], expected, atol=1)
    assert scene.changes == ("brought to 8 bits",)


def test_neighbouring_tiles_have_no_seam(tmp_path: Path) -> None:
    """A slope without steps has none after cutting, whatever the range of a single tile is."""
    y, x = np.mgrid[0:128, 0:128]
    path = write(tmp_path / "scene.tif", (100 * x + 60 * y + 500).astype(np.uint16)[None])
    whole = mosaic(rows(all_of(path, Tiles(side=16))), 128, 128)[..., 0].astype(int)
    assert abs(np.diff(whole, axis=0)).max() <= 2
    assert abs(np.diff(whole, axis=1)).max() <= 2
    assert whole.max() - whole.min() == 255


NAN = float("nan")


@pytest.mark.parametrize(
    ("dtype", "nothing", "nodata"), [("uint16", 65535, 65535), ("float32", -9999, -9999), ("float32", NAN, None)]
)
def test_no_data_counts_neither_for_the_stretch_nor_as_content(
    tmp_path: Path, dtype: str, nothing: float, nodata: float | None
) -> None:
    values = scenery(1, 64, 64, dtype, 1000)
    values[0, :, :40] = nothing
    path = write(tmp_path / "scene.tif", values, nodata=nodata)
    scene = look(path, Tiles(side=32))
    assert scene.stretch is not None
    np.testing.assert_allclose(scene.stretch[0], np.percentile(values[0, :, 40:], (2, 98)))
    found = all_of(path, Tiles(side=32))
    assert [one == EMPTY for one in found] == [True, False, True, False]
    right = pixels(rows(found[1::2])[0])
    assert not right[:, :8].any()
    assert right[:, 8:].std() > 60


def test_a_mask_inside_the_file_counts(tmp_path: Path) -> None:
    values = scenery(1, 64, 64, "uint16", 1000)
    values[0, :, :40] = 60_000
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
        path = write(tmp_path / "scene.tif", values)
        with rasterio.open(path, "r+") as file:
            mask = np.full((64, 64), 255, np.uint8)
            mask[:, :40] = 0
            file.write_mask(mask)
    scene = look(path, Tiles(side=32))
    assert scene.masked
    assert scene.stretch is not None
    assert scene.stretch[0][1] <= 1000
    assert Counter(one for one in all_of(path, Tiles(side=32)) if isinstance(one, str)) == {EMPTY: 2}


def test_a_large_image_is_sampled_all_over_and_without_its_overviews_alike(tmp_path: Path) -> None:
    """Values that lie in one corner only are found, from the pixels and from the overviews."""
    values = RNG.normal(1000, 50, (1, 2600, 2600)).astype(np.uint16)
    values[0, 2000:, 2000:] += 5000
    truth = np.percentile(values, (2, 98))
    path = write(tmp_path / "scene.tif", values, tiled=True, blockxsize=256, blockysize=256)
    scene = look(path, Tiles())
    assert scene.stretch is not None
    np.testing.assert_allclose(scene.stretch[0], truth, atol=5)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    scene = look(path, Tiles())
    assert scene.stretch is not None
    np.testing.assert_allclose(scene.stretch[0], truth, atol=5)


def test_overviews_are_looked_at_and_not_the_whole_image(tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", scenery(1, 4100, 4100, "uint16", 1000))
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2])
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        file.write(np.full((1, 4100, 4100), 7, np.uint16))  # which leaves the overviews as they were
    scene = look(path, Tiles())
    assert scene.stretch is not None
    assert scene.stretch[0][1] > 900


def test_a_sample_taken_in_pieces_is_evenly_spaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadygan.data.tiles.stretch._PIECE_BYTES", 5000)
    values = scenery(2, 130, 170, "uint16", 60_000)
    path = write(tmp_path / "scene.tif", values, tiled=True, blockxsize=16, blockysize=32)
    scene = look(path, Tiles(side=16)).model_copy(update={"bands": (1, 2)})
    with gdal():
        raster = open_raster(scene.address, scene.stamp, "GTiff")
        parts = [read_values(raster, scene, piece, 7)[0].reshape(2, -1) for piece in pieces(raster.data, 2)]
    assert len(parts) > 9
    expected = values[:, ::7, ::7].reshape(2, -1)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts, 1)), np.sort(expected))


def test_a_constant_band_is_no_division_by_zero(tmp_path: Path) -> None:
    values = scenery(3, 32, 32, "uint16", 1000)
    values[1] = 77
    path = write(tmp_path / "scene.tif", values)
    (row,) = rows(all_of(path, Tiles(side=32)))
    assert not pixels(row)[..., 1].any()
    assert pixels(row)[..., 2].std() > 60


def test_the_range_counts_where_the_percentiles_are_equal() -> None:
    values = np.zeros(1000, np.uint16)
    values[:5] = 300
    assert limits(values, (2, 98)) == (0, 300)
    assert limits(np.array([]), (2, 98)) == (0, 0)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int8", "int32", "float32", "float64"])
def test_each_type_of_number_is_stretched_alike(dtype: str) -> None:
    values = np.array([-128, -10, 0, 5, 50, 100, 127]).astype(dtype)
    expected = [0 if v <= 0 else 255 if v >= 100 else round(v * 2.55) for v in values.astype(float).tolist()]
    assert to_bytes(values, (0.0, 100.0)).tolist() == expected


# ---- tiles and files that are left out


def test_blank_and_sticking_out_tiles_are_left_out(tmp_path: Path) -> None:
    values = scenery(3, 70, 90)
    values[:, :32, 32:64] = 200
    path = write(tmp_path / "scene.tif", values)
    found = all_of(path, Tiles(side=32))
    assert [one if isinstance(one, str) else "" for one in found] == ["", BLANK, "", ""]


def test_an_image_smaller_than_a_tile_is_refused_with_its_size(tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", scenery(3, 300, 100))
    assert "100×300 pixels, smaller than a tile of 128×128" in refused(path, Tiles(side=128))


BAD = {
    "empty.tif": (b"", "empty"),
    "page.tif": (b"<!DOCTYPE html><html></html>", "web page"),
    "short.tif": (b"II*\0\x08\0\0\0", "cannot be read"),
    "virtual.tif": (b"<VRTDataset rasterXSize='9' rasterYSize='9'></VRTDataset>", "text file"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_refused_without_noise(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(BAD[name][0])
    assert BAD[name][1] in refused(tmp_path / name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("layout", "least"), [("tiled", 36), ("tiled JPEG", 30), ("PNG", 0), ("JPEG", 30)])
def test_a_file_that_is_cut_short_loses_the_tiles_behind_and_no_other(
    tmp_path: Path, layout: str, least: int, capfd: pytest.CaptureFixture[str]
) -> None:
    options = JPEG_TILES if layout == "tiled JPEG" else LAYOUTS.get(layout, {"driver": layout})
    path = write(tmp_path / "scene.tif", scenery(3, 256, 256), **options)
    whole = rows(all_of(path, Tiles(side=32)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = all_of(path, Tiles(side=32))
    kept = [one for one in found if isinstance(one, Row)]
    lost = [one for one in found if isinstance(one, Rejection)]
    assert len(kept) + len(lost) == len(found)  # what cannot be decoded is not taken for a blank tile
    assert least <= len(kept) < 48  # a small PNG is decoded as a whole
    known = {row.entry.file: row.entry.digest for row in whole}
    assert all(known[row.entry.file] == row.entry.digest for row in kept)
    assert lost
    assert all("damaged or cut short" in one.reason and one.file.startswith("scene.tif/") for one in lost)
    assert capfd.readouterr() == ("", "")


def test_a_progressive_jpeg_is_read_if_it_is_small_and_refused_if_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = Image.fromarray(scenery(3, 64, 96).transpose(1, 2, 0).copy())
    picture.save(tmp_path / "scene.jpg", progressive=True, subsampling="4:4:4")
    assert len(rows(all_of(tmp_path / "scene.jpg", Tiles(side=32)))) == 6
    monkeypatch.setattr("steadygan.data.tiles.survey.MAX_WHOLE", 96 * 64 * 3 * 2)
    look(tmp_path / "scene.jpg", Tiles(side=32))
    monkeypatch.setattr("steadygan.data.tiles.survey.MAX_WHOLE", 96 * 64 * 3 * 2 - 1)
    assert "is a progressive JPEG" in refused(tmp_path / "scene.jpg")
    picture.save(tmp_path / "plain.jpg", subsampling="4:4:4")
    look(tmp_path / "plain.jpg", Tiles(side=32))


def interlaced(values: NDArray[np.uint8]) -> bytes:
    """A picture (H, W, 3) as a PNG in the seven passes of Adam7."""
    corners = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    passes = [values[top::down, left::across] for left, top, across, down in corners]
    lines = b"".join(b"\0" + line.tobytes() for part in passes for line in part)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 8, 2, 0, 0, 1)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")
    parts = [struct.pack(">I", len(it)) + name + it + struct.pack(">I", zlib.crc32(name + it)) for name, it in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_an_interlaced_png_is_cut_as_any_other(tmp_path: Path) -> None:
    values = scenery(3, 64, 96).transpose(1, 2, 0).copy()
    (tmp_path / "scene.png").write_bytes(interlaced(values))
    found = rows(all_of(tmp_path / "scene.png", Tiles(side=32)))
    np.testing.assert_array_equal(mosaic(found, 64, 96), values)


@pytest.mark.parametrize(("lossless", "alpha"), [(True, False), (False, False), (False, True)])
def test_a_webp_is_refused_by_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lossless: bool, alpha: bool
) -> None:
    picture = Image.fromarray(scenery(3, 64, 96).transpose(1, 2, 0).copy())
    if alpha:
        picture.putalpha(Image.linear_gradient("L").resize((96, 64)))
    picture.save(tmp_path / "scene.webp", lossless=lossless)
    monkeypatch.setattr("steadygan.data.tiles.survey.MAX_WHOLE", 96 * 64 * 4)
    look(tmp_path / "scene.webp", Tiles(side=32))
    monkeypatch.setattr("steadygan.data.tiles.survey.MAX_WHOLE", 96 * 64 * 4 - 1)
    assert "is a WebP" in refused(tmp_path / "scene.webp")


def test_one_huge_block_or_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "scene.tif", scenery(3, 256, 256), tiled=True, blockxsize=256, blockysize=256)
    monkeypatch.setattr("steadygan.data.tiles.survey.MAX_PIECE", 256 * 256 * 3 - 1)
    assert "blocks of 0 MB" in refused(path)
    path = write(tmp_path / "lines.tif", scenery(3, 256, 256), blockysize=1)
    assert "stores whole lines" in refused(path, Tiles(side=256))


def test_numbers_that_are_no_brightness_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", scenery(1, 32, 32).astype(np.complex64))
    assert "complex" in refused(path)
    path = write(tmp_path / "empty.tif", np.full((1, 32, 32), -1, np.float32), nodata=-1)
    assert "no valid value" in refused(path)


# ---- where the file lies


@pytest.mark.parametrize("name", ["a b.tif", "50%.tif", "q?x=1.tif", "no#1.tif", "wow!.tif", "Straße.tif", "scene"])
def test_names_of_files_are_no_addresses(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "plain.tif", scenery(1, 32, 32)).rename(tmp_path / name)
    assert len(rows(all_of(path, Tiles(side=16)))) == 4


def pack(path: Path, archive: str) -> Zip | Tar:
    name, inside = path.parent / f"images.{archive}", "in side/scene 1.tif"
    if archive == "tar":
        with tarfile.open(name, "w") as tar:
            tar.add(path, inside)
        return Tar(path=name)
    packed = zipfile.ZIP_STORED if archive == "zip" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(name, "w", packed) as zipped:
        zipped.write(path, inside)
    return Zip(path=name)


@pytest.mark.parametrize("archive", ["zip", "zipped", "tar"])
def test_a_member_of_an_archive_is_read_in_place(tmp_path: Path, archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    values = scenery(3, 64, 64)
    path = write(tmp_path / "scene.tif", values)
    (member,) = pack(path, archive).entries()
    path.unlink()
    assert isinstance(member, Item)
    (scene,) = Survey(member, Tiles(side=32)).run()
    assert isinstance(scene, Scene), scene
    strips = cut(scene, Tiles(side=32), PrepareSettings())
    found = [one for group in run_tasks([[strip] for strip in strips], 1) for some in group for one in some]
    np.testing.assert_array_equal(mosaic(rows(found), 64, 64), values.transpose(1, 2, 0))
    assert not (tmp_path / "cache").exists()


def test_what_can_only_be_read_as_a_whole_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    path = write(tmp_path / "scene.tif", scenery(1, 32, 32))
    opened: list[str] = []

    def reader() -> Any:
        opened.append("")
        return path.open("rb")

    source = Item("scene.tif", 1, 2, reader)
    first, second = (Survey(source, Tiles(side=16)).run()[0] for _ in range(2))
    assert isinstance(first, Scene)
    assert first == second
    assert Path(first.address).parent == tmp_path / "cache" / "scenes", "unpacked archives are swept, scenes stay"
    assert len(opened) == 1
    assert len(list((tmp_path / "cache" / "scenes").iterdir())) == 1


def test_without_rasterio_its_name_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "scene.tif", scenery(1, 32, 32))
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(ConfigError, match=r"pip install \"steadygan\[geo\]\""):
        Survey(item(path), Tiles()).run()


def test_a_task_that_kills_its_process_says_what_is_lost(tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", scenery(1, 64, 64))
    (lost,) = cut(look(path, Tiles(side=32)), Tiles(side=32), PrepareSettings())[1].lost()
    assert isinstance(lost, Rejection)
    assert lost.file == "scene.tif/000032_000000"
    assert "2 tiles" in lost.reason


def test_each_line_of_a_png_is_decoded_once_by_each_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips are handed out from top to bottom; a step back would decode the file again from its first line."""
    monkeypatch.setattr("steadygan.data.tiles.strips.CACHE_BYTES", 10_000)
    path = write(tmp_path / "scene.png", scenery(3, 3000, 400), driver="PNG")
    tiles = Tiles(side=64, stride=16)
    strips = cut(look(path, tiles), tiles, PrepareSettings())
    start = _read_so_far()
    for strip in strips:
        assert rows(strip.run())
    assert _read_so_far() - start < 1.5 * path.stat().st_size


def _read_so_far() -> int:
    """Bytes that this process has asked the system for."""
    try:
        text = Path("/proc/self/io").read_text()
    except OSError:
        pytest.skip("needs a system that counts the bytes a process reads")
    return int(text.split("rchar: ")[1].split("\n")[0])


REAL = {
    "1990.tif": (1, 2, 3),
    "RGB.byte.tif": (1, 2, 3),
    "cog.tif": (1,),
    "cog_cmap.tif": (1,),
    "m_4709963_se_14_1_20090818.tif": (1, 2, 3),
    "m_4709963_se_14_1_20200831.tif": (1, 2, 3),
}


@pytest.mark.parametrize("name", REAL)
def test_real_scenes(shared_data: Path, name: str) -> None:
    path = shared_data / "geotiff" / name
    tiles = Tiles(side=256, stride=512)
    scene = look(path, tiles)
    assert scene.bands == REAL[name]
    found = [one for one in all_of(path, tiles) if isinstance(one, Row)]
    assert found
    if scene.dtype != "uint8" or scene.palette:
        return
    with rasterio.open(path) as file:
        left, top, right, bottom = found[-1].entry.crop
        expected = file.read(list(scene.bands), window=((top, bottom), (left, right)))
        assert found[-1].entry.place is not None
        assert found[-1].entry.place.bounds == pytest.approx(file.window_bounds(((top, bottom), (left, right))))
    np.testing.assert_array_equal(pixels(found[-1]), expected.transpose(1, 2, 0))
