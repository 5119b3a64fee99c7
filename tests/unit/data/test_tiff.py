"""TIFFs as GDAL writes them: what is read is what GDAL reads, brought to 8 bits by rules that stand here once more."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from steadygan.data.reading.decode import decode, decode_frames
from steadygan.errors import DataError

rasterio = pytest.importorskip("rasterio")
from rasterio.enums import ColorInterp  # noqa: E402
from rasterio.io import MemoryFile  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")

HEIGHT, WIDTH = 37, 53


class Case(NamedTuple):
    interleave: str
    dtype: str
    bands: str  # "3" are three bands, "4a" four of which the last is alpha, "4p" the same, multiplied by it
    tiled: bool
    compress: str
    photometric: str
    span: str  # which values there are

    @property
    def count(self) -> int:
        return int(self.bands[0])

    def is_possible(self) -> bool:
        kind, bits = np.dtype(self.dtype).kind, np.dtype(self.dtype).itemsize * 8
        wrong = (
            self.photometric == "RGB" and self.count < 3,
            self.photometric == "MINISWHITE" and self.bands != "1",
            self.photometric == "CMYK" and (self.bands != "4" or self.dtype not in ("uint8", "uint16")),
            self.photometric == "YCBCR" and (self.bands != "3" or self.compress != "jpeg" or self.interleave == "band"),
            self.compress == "jpeg" and (self.dtype != "uint8" or self.bands not in ("1", "3")),
            self.compress == "predictor" and bits not in (8, 16, 32, 64),
            self.span == "negative" and kind == "u",
            self.span == "12 bits" and bits == 8,
            self.span == "nan" and kind != "f",
            self.span == "negative" and "p" in self.bands,
        )
        return not any(wrong)

    def options(self) -> dict[str, Any]:
        chosen: dict[str, Any] = {"interleave": self.interleave}
        if self.photometric:
            chosen["photometric"] = self.photometric
        if self.tiled:
            chosen |= {"tiled": True, "blockxsize": 16, "blockysize": 16}
        if "a" in self.bands or "p" in self.bands:
            chosen["alpha"] = "PREMULTIPLIED" if "p" in self.bands else "YES"
        if self.compress == "predictor":
            chosen |= {"compress": "deflate", "predictor": 3 if np.dtype(self.dtype).kind == "f" else 2}
        elif self.compress:
            chosen["compress"] = self.compress
        return chosen


AXES = (
    ("pixel", "band"),
    ("uint8", "uint16", "int16", "float32", "uint32", "int32", "float64", "int8"),
    ("1", "2", "2a", "2p", "3", "4", "4a", "4p"),
    (False, True),
    ("", "deflate", "lzw", "zstd", "packbits", "predictor", "jpeg"),
    ("", "MINISBLACK", "MINISWHITE", "RGB", "CMYK", "YCBCR"),
    ("full", "12 bits", "negative", "nan"),
)


def all_cases() -> list[Case]:
    return [case for case in map(Case._make, product(*AXES)) if case.is_possible()]


def pairwise() -> Iterator[Case]:
    """Cases in which every possible pair of choices occurs."""
    seen: set[tuple[Any, ...]] = set()
    every = all_cases()
    np.random.default_rng(0).shuffle(every)
    for case in (Case._make(it) for it in every):
        pairs = {(i, j, case[i], case[j]) for i, j in combinations(range(len(case)), 2)}
        if pairs - seen:
            seen |= pairs
            yield case


def structured(case: Case) -> NDArray[Any]:
    """Waves and noise (bands, H, W) that fill what the case is to span."""
    rng = np.random.default_rng(len(case.bands) + case.count)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [(np.sin(x / (5 + band)) + np.cos(y / (4 + band))) / 4 + 0.5 for band in range(case.count)]
    shares = np.clip(waves + rng.normal(0, 0.05, (case.count, HEIGHT, WIDTH)), 0, 1)
    dtype = np.dtype(case.dtype)
    whole = dtype.kind != "f"
    top = {"12 bits": 4095.0}.get(case.span, float(np.iinfo(dtype).max) if whole else 1.0)
    low = -top if case.span == "negative" else 0.0
    values = (low + shares * (top - low)).astype(dtype)
    if "p" in case.bands:
        values[:-1] = np.maximum(values[:-1], 0) * np.clip(values[-1:] / top, 0, 1)
    if case.span == "nan":
        values[..., :3, :7] = np.nan
    return values


def written(values: NDArray[Any], **options: Any) -> bytes:
    count, height, width = values.shape
    with MemoryFile() as file:
        with file.open(driver="GTiff", dtype=values.dtype, count=count, height=height, width=width, **options) as out:
            out.write(values)
        return bytes(file.read())


def as_gdal(data: bytes) -> tuple[NDArray[Any], int | None]:
    """What GDAL reads, (bands, H, W), and the band that it calls alpha."""
    # as they are: GDAL makes RGBA of inks, by a formula that is no better than ours
    with MemoryFile(data) as file, rasterio.open(f"GTIFF_RAW:{file.name}") as opened:
        kinds = list(opened.colorinterp)
        return opened.read(), kinds.index(ColorInterp.alpha) if ColorInterp.alpha in kinds else None


def eight_bits(values: NDArray[Any]) -> NDArray[np.float64]:
    """The rules of the documentation, for all colours of a picture at once."""
    seen = values[np.isfinite(values)]
    low, high = float(seen.min()), float(seen.max())
    if values.dtype.kind in "iu" and low >= 0 and high < 65536:
        bits = 8 if values.dtype.itemsize == 1 else min(b for b in (8, 10, 12, 14, 16) if high < 2**b)
        return np.floor(values / 2.0 ** (bits - 8))
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.rint(np.nan_to_num(values.astype(np.float64)) * 255)
    if values.dtype.kind == "f" and low >= 0 and high <= 255 and np.percentile(seen, 99.9) >= 32:
        return np.rint(np.nan_to_num(values.astype(np.float64)))
    darkest, brightest = np.percentile(seen, (0.1, 99.9), method="lower")[0], np.percentile(seen, 99.9, method="higher")
    scaled = (values.astype(np.float64) - darkest) / (float(brightest) - float(darkest)) * 255
    return np.rint(np.clip(np.nan_to_num(scaled), 0, 255))


def expected(case: Case, data: bytes) -> NDArray[np.float64]:
    """The picture (H, W, 1 or 3) on white."""
    values, alpha = as_gdal(data)
    if case.photometric == "CMYK":
        cyan, magenta, yellow, black = eight_bits(values)
        return np.stack([(255 - ink) * (255 - black) / 255 for ink in (cyan, magenta, yellow)], axis=-1)
    colours = np.delete(values, alpha, axis=0) if alpha is not None else values
    colours = colours[: 3 if len(colours) >= 3 else 1]
    if alpha is None:
        shown = eight_bits(colours)
        shown = 255 - shown if case.photometric == "MINISWHITE" else shown
        return np.moveaxis(np.where(np.isfinite(colours), shown, 0), 0, -1)
    opacity = np.clip(np.nan_to_num(values[alpha].astype(np.float64)), 0, None)
    full = {1: 255, 2: 65535}.get(values.dtype.itemsize, 2.0**32 - 1)
    if values.dtype.kind != "u":
        full = float(np.iinfo(values.dtype).max) if values.dtype.kind == "i" else 1.0
    top = min([it for it in (1, 255, 1023, 4095, 16383, 32767, 65535, 2**31 - 1, 2**32 - 1) if opacity.max() <= it])
    share = opacity / (255 if case.dtype == "uint8" else top)
    if "p" in case.bands:
        restored = colours / np.maximum(np.nan_to_num(values[alpha].astype(np.float64)) / full, 1e-6)
        limit = np.inf if values.dtype.kind == "f" else np.iinfo(values.dtype).max
        colours = (np.rint(np.minimum(restored, limit)) if np.isfinite(limit) else restored).astype(values.dtype)
    return np.moveaxis(eight_bits(colours) * share + 255 * (1 - share), 0, -1)


def check(case: Case) -> None:
    data = written(structured(case), **case.options())
    found = np.asarray(decode(data).image).astype(np.float64).reshape(HEIGHT, WIDTH, -1)
    wanted = expected(case, data)
    off = np.abs(found - wanted)
    assert found.shape == wanted.shape
    if case.compress == "jpeg":  # two decoders, which enlarge the chroma in different ways
        assert off.mean() <= 2
    else:
        mixed = case.photometric == "CMYK" or as_gdal(data)[1] is not None
        assert off.max() <= (2 if mixed else 0)


@pytest.mark.parametrize("case", list(pairwise()), ids=lambda case: "-".join(str(it) for it in case))
def test_what_is_read_is_what_gdal_reads(case: Case) -> None:
    check(case)


@pytest.mark.slow
def test_what_is_read_is_what_gdal_reads_in_every_combination() -> None:
    wrong = []
    for case in all_cases():
        try:
            check(case)
        except (AssertionError, DataError) as problem:
            wrong.append(f"{case}: {problem}")
    assert not wrong, f"{len(wrong)} of {len(all_cases())}:\n" + "\n".join(wrong[:20])


WAVES = structured(Case("band", "uint16", "3", False, "", "", "full"))


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
@pytest.mark.parametrize("bigtiff", ["YES", "NO"])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_the_order_of_bytes_and_the_size_of_offsets_change_nothing(
    dtype: str, interleave: str, bigtiff: str, endian: str
) -> None:
    case = Case(interleave, dtype, "3", False, "deflate", "RGB", "full")
    plain = written(structured(case), interleave="pixel", photometric="RGB")
    other = written(structured(case), **case.options(), ENDIANNESS=endian, BIGTIFF=bigtiff)
    assert np.asarray(decode(other).image).tolist() == np.asarray(decode(plain).image).tolist()


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("bits", [1, 2, 4, 6, 9, 10, 12, 14])
def test_values_of_few_bits_fill_the_levels(bits: int, interleave: str, count: int) -> None:
    rng = np.random.default_rng(bits)
    values = rng.integers(0, 2**bits, (count, HEIGHT, WIDTH)).astype(np.uint8 if bits < 9 else np.uint16)
    data = written(values, NBITS=bits, interleave=interleave, **({"photometric": "RGB"} if count == 3 else {}))
    found = np.moveaxis(np.asarray(decode(data).image).reshape(HEIGHT, WIDTH, count), -1, 0)
    wanted = values >> (bits - 8) if bits > 8 else np.rint(values * (255 / (2**bits - 1)))
    assert found.tolist() == wanted.tolist()


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("count", [1, 3])
def test_what_stands_for_no_value_is_black_and_does_not_count_in_colour_either(count: int, interleave: str) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (count, HEIGHT, WIDTH)).astype(np.uint16)
    holes = values.copy()
    holes[:, :5] = 65535
    options = {"photometric": "RGB"} if count == 3 else {}
    found = np.asarray(decode(written(holes, nodata=65535, interleave=interleave, **options)).image)
    wanted = np.moveaxis(values >> 4, 0, -1).reshape(found.shape)
    assert found[5:].tolist() == wanted[5:].tolist()
    assert not found[:5].any()


def joined(*files: bytes) -> bytes:
    """One TIFF with a page of each."""
    buffer = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(buffer) as pages:
        for file in files:
            pages.write(file)
            pages.newFrame()
    return buffer.getvalue()


def test_each_page_is_read_as_its_own_header_says() -> None:
    plain = (WAVES[:1] >> 8).astype(np.uint8)
    data = joined(written(plain), written(WAVES, photometric="RGB", interleave="band"), written(255 - plain))
    shown = [np.asarray(it.image) for it in decode_frames(data, frames="all")]
    assert [it.shape for it in shown] == [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 3), (HEIGHT, WIDTH)]
    assert shown[0].tolist() == plain[0].tolist()
    assert shown[1].tolist() == np.moveaxis(WAVES >> 8, 0, -1).tolist()
    assert shown[2].tolist() == (255 - plain)[0].tolist()


def with_short(data: bytes, tag: int, value: int) -> bytes:
    """A TIFF (of little-endian order) with one tag more: its directory is written anew at the end."""
    start = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[start : start + 2], "little")
    entries = [data[start + 2 + 12 * number : start + 14 + 12 * number] for number in range(count)]
    entries.append(struct.pack("<HHIHH", tag, 3, 1, value, 0))
    entries.sort(key=lambda it: int.from_bytes(it[:2], "little"))
    directory = struct.pack("<H", count + 1) + b"".join(entries) + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_pages_that_gdal_reads_are_turned_upright_too(turn: int) -> None:
    plain = io.BytesIO()
    Image.fromarray(np.moveaxis(WAVES >> 8, 0, -1).astype(np.uint8)).save(plain, "TIFF", tiffinfo={274: turn})
    planes = written(WAVES, photometric="RGB", interleave="band")
    found, wanted = decode(with_short(planes, 274, turn)), decode(plain.getvalue())
    assert found.size == wanted.size
    assert np.asarray(found.image).tolist() == np.asarray(wanted.image).tolist()


def test_parts_that_a_file_leaves_out_are_empty() -> None:
    values = np.zeros((3, 64, 64), np.uint8)
    values[:, :16, :16] = WAVES[:, :16, :16] >> 8
    data = written(values, photometric="RGB", tiled=True, blockxsize=16, blockysize=16, SPARSE_OK="TRUE")
    assert np.asarray(decode(data).image).tolist() == np.moveaxis(values, 0, -1).tolist()


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("compress", ["", "deflate", "lzw", "packbits"])
def test_a_file_that_is_cut_short_is_refused_and_nothing_is_printed(
    compress: str, interleave: str, capfd: pytest.CaptureFixture[str]
) -> None:
    options = {"compress": compress} if compress else {}
    data = written(WAVES, photometric="RGB", interleave=interleave, **options)
    with pytest.raises(DataError, match=r"TIFF|cut short"):
        decode(data[: len(data) * 2 // 3])
    assert capfd.readouterr() == ("", "")


WITHOUT = """
import sys
sys.modules["rasterio"] = None
import numpy as np
from steadygan.data.reading.decode import decode
from steadygan.errors import DataError
for path in sys.argv[1:]:
    try:
        print(np.asarray(decode(open(path, "rb").read()).image).mean().round(3))
    except DataError as problem:
        print(problem)
"""


def test_without_rasterio_pixels_are_right_or_the_reason_names_what_to_install(tmp_path: Path) -> None:
    """What Pillow cannot read rightly is refused; what it can is read as before."""
    cases = {
        "planes": (written(WAVES, photometric="RGB", interleave="band"), False),
        "alpha": (written((WAVES[:2] >> 8).astype(np.uint8), interleave="band", alpha="YES"), False),
        "signed": (written((WAVES >> 1).astype(np.int16), interleave="band"), False),
        "long": (written(WAVES[:1].astype(np.uint32)), False),
        "rgb": (written(WAVES, photometric="RGB"), True),
        "bytes": (written((WAVES >> 8).astype(np.uint8), interleave="band"), True),
        "grey": (written(WAVES[:1], interleave="band"), True),
    }
    for name, (data, _) in cases.items():
        (tmp_path / name).write_bytes(data)
    line = [sys.executable, "-c", WITHOUT, *(str(tmp_path / name) for name in cases)]
    said = subprocess.run(line, check=True, capture_output=True, text=True).stdout.splitlines()
    for (data, readable), text in zip(cases.values(), said, strict=True):
        if readable:
            assert float(text) == pytest.approx(np.asarray(decode(data).image).mean(), abs=1e-3)
        else:
            assert "pip install 'steadygan[geo]'" in text


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_a_fourth_band_of_16_bits_that_is_no_mask_is_left_out(interleave: str) -> None:
    infrared = WAVES[:1] // 3 + 9
    data = written(np.concatenate([WAVES, infrared]), photometric="RGB", interleave=interleave,
                   transform=rasterio.Affine(1, 0, 9, 0, -1, 9), alpha="YES")  # fmt: skip
    found = decode(data)
    assert "fourth band left out" in found.changes
    assert np.asarray(found.image).tolist() == np.moveaxis(WAVES >> 8, 0, -1).tolist()
