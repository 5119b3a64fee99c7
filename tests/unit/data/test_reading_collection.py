"""Real files that are easily mishandled, each against a rendering of its own."""

from __future__ import annotations

import csv
import io
import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from steadygan.data.reading import decode as decode_module
from steadygan.data.reading.decode import Decoded, decode, decode_frames
from steadygan.data.reading.opening import load
from steadygan.errors import DataError

SHARED = Path(__file__).parents[4] / "shared" / "data"
MESSY = SHARED / "messy"

pytestmark = pytest.mark.skipif(not MESSY.exists(), reason="the collection of difficult files is not here")


def manifest(*folders: str) -> list[str]:
    if not MESSY.exists():
        return []
    with (MESSY / "MANIFEST.tsv").open(encoding="utf-8") as file:
        return [
            f"{row['folder']}/{row['file']}" for row in csv.DictReader(file, delimiter="\t") if row["folder"] in folders
        ]


def read(name: str, smallest: int | None = None) -> Decoded:
    return decode((MESSY / name).read_bytes(), smallest=smallest)


def shown(name: str) -> NDArray[np.int64]:
    return np.asarray(read(name).image.convert("RGB")).astype(np.int64)


def apart(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    assert first.shape == second.shape
    return float(np.abs(first - second).mean())


@pytest.mark.parametrize("name", manifest("good", "trap"))
def test_what_can_be_used_loads(name: str) -> None:
    found = read(name, smallest=64)
    assert found.image.mode in ("L", "RGB")
    assert min(found.image.size) > 0


READ_BY_EXTRAS = [
    "bad/exifs__IMG_5195.HEIC",
    "bad/imageio__multipage_rgb.tif",
    "bad/landsat__2020.tif",
    "bad/pillow__hopper_unknown_pixel_mode.tif",
    "bad/pillow__hopper_webp.tif",
    "bad/rasterio__RGBA.uint16.tif",
]


@pytest.mark.parametrize("name", [name for name in manifest("bad", "bomb", "junk") if name not in READ_BY_EXTRAS])
def test_what_cannot_be_used_is_refused_with_little_work_and_silently(
    name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    decoded: list[int] = []
    monkeypatch.setattr(decode_module, "load", lambda image: (decoded.append(image.width * image.height), load(image)))
    with pytest.raises(DataError, match=r"^(is|holds|claims) "):
        read(name, smallest=64)
    assert sum(decoded) < 2**24, "pixels"
    assert not (name.startswith("bomb") and decoded)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < 2**15  # KB
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", READ_BY_EXTRAS)
def test_what_pillow_alone_cannot_read_is_read_by_the_extras(name: str) -> None:
    pytest.importorskip("pillow_heif" if name.endswith("HEIC") else "rasterio")
    found = np.asarray(read(name).image)
    assert found.std() > 10
    assert np.percentile(found, 99) > 40


@pytest.mark.parametrize("name", [f"trap/orient__Landscape_{number}.jpg" for number in (3, 6, 8)])
def test_the_same_scene_looks_the_same_however_the_camera_was_held(name: str) -> None:
    """Each has its number drawn into it, so the scene around is compared, at a 20th of its size."""
    pictures = [read(it).image.resize((90, 60), Image.Resampling.BOX) for it in ("trap/orient__Landscape_1.jpg", name)]
    first, second = (np.asarray(it).astype(int) for it in pictures)
    assert np.median(np.abs(first - second)) <= 1
    assert apart(first, second) < 6


PNG_16 = ["pngsuite__basn0g16", "pngsuite__basn2c16", "pngsuite__basn6a16"]


@pytest.mark.parametrize("name", PNG_16)
def test_png_of_16_bits_shows_its_high_bytes(name: str) -> None:
    samples = unpacked((MESSY / f"trap/{name}.png").read_bytes())
    found = shown(f"trap/{name}.png")
    colours = np.repeat(samples, 3, axis=2) if samples.shape[2] == 1 else samples[..., :3]
    alpha = samples[..., 3:] / 65535 if samples.shape[2] == 4 else 1
    assert np.abs(found - ((colours >> 8) * alpha + 255 * (1 - alpha))).max() <= 2


def unpacked(data: bytes) -> NDArray[np.int64]:
    """The samples (H, W, C) of a PNG of 16 bits that is not interlaced, by the specification (clause 9)."""
    at, body = 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        body += data[at + 8 : at + 8 + length] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + length
    width, height, _, kind = struct.unpack(">IIBB", data[16:26])
    bands = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    step, line = 2 * bands, 1 + 2 * bands * width
    raw = zlib.decompress(body)
    above = bytearray(line - 1)
    rows = []
    for top in range(height):
        way, row = raw[top * line], bytearray(raw[top * line + 1 : (top + 1) * line])
        for index in range(len(row)):
            left = row[index - step] if index >= step else 0
            corner = above[index - step] if index >= step else 0
            guess = (0, left, above[index], (left + above[index]) // 2, paeth(left, above[index], corner))[way]
            row[index] = (row[index] + guess) % 256
        above = row
        rows.append(np.frombuffer(bytes(row), ">u2").reshape(width, bands))
    return np.stack(rows).astype(np.int64)


def paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda it: abs(guess - it))


def test_a_picture_in_xyb_looks_like_the_plain_one() -> None:
    plain, indexed = shown("trap/libvips__sample.png"), shown("trap/libvips__indexed.png")
    assert apart(shown("trap/libvips__sample-xyb.jpg"), plain) < 8
    assert apart(indexed, plain) < 8


HOPPERS = {
    "good/pillow__hopper.jpg": 4,
    "good/pillow__hopper.ppm": 2,
    "good/pillow__hopper.bmp": 1,
    "good/pillow__hopper.tif": 1,
    "good/pillow__hopper_bigtiff.tif": 1,
    "good/pillow__hopper.webp": 6,
    "good/pillow__hopper.avif": 6,
    "good/pillow__hopper_jpg.tif": 6,
    "trap/pillow__hopper_orientation_6.jpg": 6,
    "trap/pillow__hopper_orientation_3.webp": 6,
    "trap/pillow__hopper.Lab.tif": 8,
    "trap/pillow__hopper.gif": 12,
    "trap/pillow__hopper_idat_after_image_end.png": 1,
}


@pytest.mark.parametrize("name", HOPPERS)
def test_one_photograph_looks_the_same_in_every_container(name: str) -> None:
    plain = np.asarray(Image.open(MESSY / "good/pillow__hopper.png")).astype(np.int64)
    assert apart(shown(name), plain) <= HOPPERS[name]


def test_ink_of_a_jpeg_is_not_inverted() -> None:
    """Its paper is light and its ink is dark."""
    found = shown("trap/pillow__pil_sample_cmyk.jpg")
    with Image.open(MESSY / "trap/pillow__pil_sample_cmyk.jpg") as image:
        inks = 255 - np.asarray(image).astype(np.int64)
    expected = inks[..., :3] * inks[..., 3:] / 255
    assert np.abs(found - expected).max() <= 2


@pytest.mark.parametrize(("name", "shift"), [("12bit.cropped.tif", 0), ("cmx3g8_wv_1998.260_0745_mcidas.tiff", 6)])
def test_grey_of_12_and_16_bits_keeps_its_levels(name: str, shift: int) -> None:
    with Image.open(MESSY / f"trap/pillow__{name}") as image:
        values = np.asarray(image).astype(np.int64)
    assert shown(f"trap/pillow__{name}")[..., 0].tolist() == (values >> shift).tolist()


@pytest.mark.parametrize(
    "name", ["trap/riotiler__cog.tif", "trap/riotiler__cog_nodata_nan.tif", "trap/pillow__10ct_32bit_128.tiff"]
)
def test_measured_values_are_neither_black_nor_white(name: str) -> None:
    found = shown(name)[..., 0]
    assert found.std() > 10
    assert np.percentile(found, 99) > 40


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("trap/pillow__iss634.gif", 42),
        ("trap/pillow__iss634.webp", 42),
        ("trap/imageio__newtonscradle.gif", 36),
        ("trap/pillow__dispose_bgnd_transparency.gif", 10),
        ("trap/pillow__g4-multi.tiff", 3),
        ("trap/libvips__multi-channel-z-series.ome.tif", 15),
        ("trap/riotiler__cog.tif", 1),
        ("trap/riotiler__cog_hirise_mars.tif", 1),
        ("trap/riotiler__cog_rgb_mask.tif", 1),
        ("trap/libvips__ultra-hdr.jpg", 1),
        ("good/pillow__hopper_256x256.ico", 1),
        ("good/rasterio__cogeo.tif", 1),
    ],
)
def test_frames_and_pages_are_counted_and_overviews_are_not(name: str, count: int) -> None:
    data = (MESSY / name).read_bytes()
    assert sum(1 for _ in decode_frames(data, frames="all")) == count
    assert ("first of several pictures" in decode(data).changes) == (count > 1)


def test_gif_and_webp_of_one_animation_agree_frame_by_frame() -> None:
    pairs = zip(
        *(decode_frames((MESSY / f"trap/pillow__iss634.{it}").read_bytes(), frames="all") for it in ("gif", "webp")),
        strict=True,
    )
    for gif, webp in pairs:
        assert apart(np.asarray(gif.image).astype(int), np.asarray(webp.image).astype(int)) < 8


@pytest.mark.parametrize("name", ["m_4709963_se_14_1_20090818.tif", "m_4709963_se_14_1_20200831.tif"])
def test_an_aerial_image_with_near_infrared_keeps_its_colours(name: str) -> None:
    data = (SHARED / "geotiff" / name).read_bytes()
    found = decode(data)
    with Image.open(io.BytesIO(data)) as image:
        colours = np.asarray(image)[..., :3]
    assert found.changes == ("fourth band left out",)
    assert (np.asarray(found.image) == colours).all()


def test_a_georeferenced_picture_with_real_alpha_is_filled() -> None:
    found = read("trap/rasterio__alpha.tif")
    assert found.changes == ("transparency filled",)
    assert np.asarray(found.image)[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("smallest", [32, 64])
def test_photographs_are_decoded_smaller_without_visible_harm(smallest: int) -> None:
    names = ["orient__Landscape_1.jpg", "orient__Landscape_6.jpg", "signdigits__IMG_5874.JPG"]
    faces = sorted((SHARED / "faces").glob("*.jpg"))[::150]
    for path in [*(MESSY / "trap" / name for name in names), *faces]:
        data = path.read_bytes()
        full, small = decode(data), decode(data, smallest=smallest)
        edge = (smallest, smallest)
        reduced = [
            np.asarray(it.image.resize(edge, Image.Resampling.LANCZOS, it.region and tuple(it.region))).astype(int)
            for it in (full, small)
        ]
        assert apart(*reduced) < 0.5
        assert np.abs(reduced[0] - reduced[1]).max() <= 10
