"""Each mode against values worked out by hand from what the format says."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from steadygan.data.reading.decode import decode, decode_frames

COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[10, 20, 30], [200, 100, 50], [128, 128, 128]]], np.uint8)
GREYS = np.array([[0, 1, 50], [127, 128, 255]], np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def shown(data: bytes, **options: Any) -> NDArray[np.int64]:
    return np.asarray(decode(data, **options).image).astype(np.int64)


def png(pixels: NDArray[Any], depth: int, kind: int, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG written by hand: rows (height, width × channels) of samples of `depth` bits."""
    rows = pixels.reshape(len(pixels), -1)
    if depth == 16:
        lines = [row.astype(">u2").tobytes() for row in rows]
    elif depth == 8:
        lines = [row.astype(np.uint8).tobytes() for row in rows]
    else:
        bits = np.unpackbits(rows.astype(np.uint8)[..., None], axis=2)[..., 8 - depth :].reshape(len(rows), -1)
        lines = [np.packbits(line).tobytes() for line in bits]
    width = rows.shape[1] // {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    header = struct.pack(">IIBBBBB", width, len(rows), depth, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines)))]
    parts = [struct.pack(">I", len(it)) + name + it + struct.pack(">I", zlib.crc32(name + it)) for name, it in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + b"\0\0\0\0IEND\xaeB`\x82"


def tiff(pixels: NDArray[Any], photometric: int, *tags: tuple[int, int, tuple[int, ...]], big: bool = False) -> bytes:
    """An uncompressed TIFF written by hand from (height, width, bands); tags are (number, type 2, 3 or 4, values)."""
    order = ">" if big else "<"
    body = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    height, width, bands = pixels.shape
    bits = pixels.dtype.itemsize * 8
    kinds = {"u": 1, "i": 2, "f": 3}
    entries = {
        256: (3, (width,)), 257: (3, (height,)), 258: (3, (bits,) * bands), 259: (3, (1,)), 262: (3, (photometric,)),
        273: (4, (8,)), 277: (3, (bands,)), 278: (3, (height,)), 279: (4, (len(body),)),
        339: (3, (kinds[pixels.dtype.kind],) * bands),
    }  # fmt: skip
    entries |= {number: (kind, values) for number, kind, values in tags}
    start = 8 + len(body) + len(body) % 2
    behind = start + 2 + 12 * len(entries) + 4
    directory, far = struct.pack(order + "H", len(entries)), b""
    for number, (kind, values) in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(values)}{ {2: 'B', 3: 'H', 4: 'I'}[kind] }", *values)
        place = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack(order + "I", behind + len(far))
        far += packed + b"\0" * (len(packed) % 2) if len(packed) > 4 else b""
        directory += struct.pack(order + "HHI", number, kind, len(values)) + place
    head = (b"MM\0*" if big else b"II*\0") + struct.pack(order + "I", start)
    return head + body + b"\0" * (len(body) % 2) + directory + b"\0\0\0\0" + far


def text(words: str) -> tuple[int, ...]:
    return (*words.encode(), 0)


@pytest.mark.parametrize(("depth", "factor"), [(1, 255), (2, 85), (4, 17), (8, 1)])
def test_grey_of_few_bits_reaches_from_black_to_white(depth: int, factor: int) -> None:
    values = np.arange(2 ** min(depth, 4)).reshape(2, -1)
    assert shown(png(values, depth, 0)).tolist() == (values * factor).tolist()


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_the_grey_that_a_png_declares_transparent_is_filled_at_every_depth(depth: int) -> None:
    values = np.array([[0, 1]])
    found = shown(png(values, depth, 0, (b"tRNS", struct.pack(">H", 1))), background=(77, 77, 77))
    assert found.tolist() == [[0, 77]]


def test_the_colour_that_a_png_of_16_bits_declares_transparent_is_filled() -> None:
    values = np.array([[0x1234, 0x5678, 0x9ABC, 0xFFFF, 0, 0]])
    key = struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC)
    assert shown(png(values, 16, 2, (b"tRNS", key)), background=(7, 8, 9)).tolist() == [[[7, 8, 9], [255, 0, 0]]]


@pytest.mark.parametrize("kind", [0, 2, 4, 6])
def test_png_of_16_bits_keeps_the_high_byte(kind: int) -> None:
    bands = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    values = np.linspace(0, 65535, 24 * bands).astype(np.uint16).reshape(4, 6, bands)
    if kind in (4, 6):
        values[..., -1] = 65535
    found = decode(png(values, 16, kind))
    expected = values[..., : bands - (kind in (4, 6))] >> 8
    assert found.image.mode == ("L" if kind in (0, 4) else "RGB")
    assert np.asarray(found.image).reshape(expected.shape).tolist() == expected.tolist()


def test_partial_alpha_lets_the_background_through_in_proportion() -> None:
    values = np.array([[[200, 100, 50, alpha] for alpha in (0, 51, 128, 255)]])
    found = shown(png(values, 8, 6), background=(10, 20, 30))
    share = values[..., 3:] / 255
    assert np.abs(found - (values[..., :3] * share + np.array([10, 20, 30]) * (1 - share))).max() <= 1
    grey = np.array([[[200, alpha] for alpha in (0, 51, 128, 255)]])
    assert np.abs(shown(png(grey, 8, 4)) - (200 * share[..., 0] + 255 * (1 - share[..., 0]))).max() <= 1


def test_a_palette_may_have_any_alpha() -> None:
    palette = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255])
    data = png(np.array([[0, 1, 2]]), 8, 3, (b"PLTE", palette), (b"tRNS", bytes([255, 102, 0])))
    assert shown(data, background=(0, 0, 0)).tolist() == [[[255, 0, 0], [0, 102, 0], [0, 0, 0]]]


def test_gamma_and_primaries_of_a_png_are_left_out() -> None:
    extra = (b"gAMA", struct.pack(">I", 100_000)), (b"cHRM", struct.pack(">8I", *[31270, 32900] + [30000, 60000] * 3))
    assert shown(png(COLOURS, 8, 2, *extra)).tolist() == COLOURS.tolist()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("extra", [0, 1, 2, None])
def test_the_fourth_band_of_a_tiff_is_alpha_only_if_the_file_says_so(extra: int | None, big: bool) -> None:
    alpha = np.array([[255, 255, 102], [0, 255, 0]], np.uint8)
    held = COLOURS * (alpha[..., None] / 255) if extra == 1 else COLOURS  # 1: already multiplied by alpha
    pixels = np.dstack([np.rint(held).astype(np.uint8), alpha])
    tags = [] if extra is None else [(338, 3, (extra,))]
    found = decode(tiff(pixels, 2, *tags, big=big), background=(0, 0, 0))
    expected = COLOURS * (alpha[..., None] / 255) if extra != 0 else COLOURS
    assert np.abs(np.asarray(found.image) - expected).max() <= 2
    assert found.changes == (("fourth band left out",) if extra == 0 else ("transparency filled",))


GEO = (33550, 4, (1, 1, 0))
NEAR_INFRARED = np.linspace(9, 241, 6).reshape(2, 3, 1).astype(np.uint8)
ROLE = '<GDALMetadata><Item name="COLORINTERP" sample="3" role="colorinterp">{}</Item></GDALMetadata>'


@pytest.mark.parametrize("extra", [1, 2, None])
@pytest.mark.parametrize("role", ["", ROLE.format("Undefined"), ROLE.format("NIR")])
def test_near_infrared_that_passes_for_alpha_is_left_out(role: str, extra: int | None) -> None:
    colours = np.minimum(COLOURS, 60) if extra == 1 else COLOURS
    tags = [GEO] + [(42112, 2, text(role))] * bool(role) + ([] if extra is None else [(338, 3, (extra,))])
    found = decode(tiff(np.dstack([colours, NEAR_INFRARED]), 2, *tags))
    assert found.changes == ("fourth band left out",)
    if extra != 1:
        assert np.asarray(found.image).tolist() == COLOURS.tolist()


@pytest.mark.parametrize("role", ["", ROLE.format("Alpha")])
def test_a_georeferenced_picture_may_have_alpha(role: str) -> None:
    alpha = np.array([[0, 0, 255], [255, 255, 40]], np.uint8)
    tags = [GEO, (338, 3, (2,))] + [(42112, 2, text(role))] * bool(role)
    found = decode(tiff(np.dstack([COLOURS, alpha]), 2, *tags))
    assert found.changes == ("transparency filled",)
    assert np.asarray(found.image)[0, 0].tolist() == [255, 255, 255]


def test_further_bands_are_named() -> None:
    bands = np.dstack([COLOURS, COLOURS])
    assert decode(tiff(bands, 2, (338, 3, (0, 0, 0)))).changes == ("bands 4 to 6 left out",)


@pytest.mark.parametrize("kind", ["<u2", ">u2"])
@pytest.mark.parametrize(
    ("largest", "bits"), [(255, 8), (256, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16384, 16), (65535, 16)]
)
def test_grey_keeps_the_high_byte_of_the_bits_it_uses(kind: str, largest: int, bits: int) -> None:
    values = np.linspace(0, largest, 60).astype(np.uint16).reshape(6, 10, 1)
    found = shown(tiff(values, 1, big=kind == ">u2"))
    assert found.tolist() == (values[..., 0] >> (bits - 8)).tolist()


@pytest.mark.parametrize("largest", [255, 900, 4000, 9000, 40000])
@pytest.mark.parametrize("kind", [0, 2, 4, 6])
def test_png_and_tiff_grey_and_colour_have_the_same_levels(largest: int, kind: int) -> None:
    shift = next(bits for bits in (8, 10, 12, 14, 16) if largest < 2**bits) - 8
    values = np.linspace(0, largest, 60).astype(np.uint16).reshape(6, 10, 1)
    bands = np.repeat(values, 3 if kind in (2, 6) else 1, axis=2)
    opaque = [np.full_like(values, 65535)] if kind in (4, 6) else []
    found = decode(png(np.dstack([bands, *opaque]), 16, kind))
    assert (found.needed, found.bits) == (shift + 8, shift + 8)
    assert np.asarray(found.image).reshape(bands.shape).tolist() == (bands >> shift).tolist()
    if not opaque:
        for big in (False, True):
            again = shown(tiff(bands, 1 if kind == 0 else 2, big=big))
            assert again.reshape(bands.shape).tolist() == (bands >> shift).tolist()


def test_a_dim_photograph_of_16_bits_stays_dim_among_others() -> None:
    values = np.linspace(0, 9000, 60).astype(np.uint16).reshape(6, 10)
    (found,) = decode_frames(png(values, 16, 0), bits=16)
    assert np.asarray(found.image).tolist() == (values >> 8).tolist()
    assert (found.needed, found.bits) == (14, 16)


def test_pictures_of_one_scanner_stay_comparable() -> None:
    rows = np.full((4, 4, 1), 2000, np.uint16)
    bright, dark = rows.copy(), rows.copy()
    bright[0, 0], dark[0, 0] = 4000, 2100
    assert shown(tiff(bright, 1))[3, 3] == shown(tiff(dark, 1))[3, 3] == 2000 >> 4


def test_white_is_zero_where_the_tiff_says_so() -> None:
    assert shown(tiff(GREYS[..., None], 0)).tolist() == (255 - GREYS).tolist()
    values = GREYS[..., None].astype(np.uint16) * 257
    assert shown(tiff(values, 0)).tolist() == (255 - GREYS).tolist()
    assert shown(tiff(GREYS[..., None].astype(np.float32), 0)).tolist() == (255 - GREYS).tolist()


def test_what_stands_for_no_value_is_black_and_does_not_count() -> None:
    values = np.array([[[-32768], [100]], [[600], [1023]]], np.int16)
    assert shown(tiff(values, 1, (42113, 2, text("-32768")))).tolist() == [[0, 25], [150, 255]]
    floats = np.array([[[-9999], [-1]], [[0], [1]]], np.float32)
    assert shown(tiff(floats, 1, (42113, 2, text("-9999")))).tolist() == [[0, 0], [128, 255]]
    lowest = np.array([[[-3.4028235e38], [-1]], [[0], [1]]], np.float32)
    assert shown(tiff(lowest, 1)).tolist() == [[0, 0], [128, 255]]


def test_a_few_outliers_do_not_darken_a_picture_of_floats() -> None:
    values = np.random.default_rng(0).normal(0, 1, (100, 100, 1)).astype(np.float32)
    values[0, 0] = 1000
    found = shown(tiff(values, 1))
    assert found[0, 0] == 255
    assert 30 < found.std() < 60


def test_cmyk_without_a_profile_takes_ink_from_white() -> None:
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 255, 255, 0], [0, 0, 0, 100]]], np.uint8)
    expected = np.array([[[255, 255, 255], [0, 255, 255], [0, 0, 0], [255, 0, 0], [155, 155, 155]]])
    assert np.abs(shown(tiff(inks, 5)) - expected).max() <= 1
    flat = Image.fromarray(np.repeat(np.repeat(inks, 16, axis=0), 16, axis=1), "CMYK")
    centres = shown(encoded(flat, "JPEG", quality=100))[8::16, 8::16]  # Adobe writes the inks of a JPEG inverted
    assert np.abs(centres - expected).max() <= 4


def lab(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    """CIE L*a*b* (D50) of an sRGB colour, by IEC 61966-2-1 and the Bradford matrix."""
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(colour) / 255])
    matrix = [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
    x, y, z = (np.array(matrix) @ linear) / (0.96422, 1, 0.82521)
    fx, fy, fz = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def test_lab_has_the_colours_of_its_definition() -> None:
    colours = [[[180, 60, 70], [60, 160, 80], [70, 80, 190]], COLOURS[1].tolist()]
    held = [[[*np.rint(np.multiply(lab(tuple(it)), (2.55, 1, 1))).astype(int) % 256] for it in row] for row in colours]
    assert np.abs(shown(tiff(np.array(held, np.uint8), 8)) - colours).max() <= 4


def test_ycbcr_has_the_colours_of_its_definition() -> None:
    r, g, b = np.moveaxis(COLOURS.astype(float), -1, 0)
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    held = np.dstack([luma, 128 + (b - luma) * 0.564, 128 + (r - luma) * 0.713])
    image = Image.fromarray(np.clip(np.rint(held), 0, 255).astype(np.uint8), "YCbCr")
    assert np.abs(shown(encoded(image, "TIFF")) - COLOURS).max() <= 4


def test_a_grey_profile_keeps_a_picture_grey_and_changes_its_levels() -> None:
    profile = grey_profile(1.0)
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = decode(encoded(Image.fromarray(ramp), "PNG", icc_profile=profile))
    assert (found.image.mode, found.changes) == ("L", ("colour profile applied",))
    linear = ramp / 255
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert np.abs(np.asarray(found.image) - srgb).max() <= 2
    alpha = Image.merge("LA", (Image.fromarray(ramp), Image.new("L", (16, 16), 255)))
    again = decode(encoded(alpha, "PNG", icc_profile=profile))
    assert np.asarray(again.image).tolist() == np.asarray(found.image).tolist()


def grey_profile(gamma: float) -> bytes:
    """An ICC 2.4 profile for grey with one exponent, put together by hand (ICC.1:2001-12)."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(it * 65536) for it in (0.9642, 1, 0.8249)))
    name = b"test\0"
    words = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + b"\0" * (78 + 3 - len(name) % 4 + 2)
    words += b"\0" * (-len(words) % 4)
    tags, offset, table = [(b"desc", words), (b"wtpt", white), (b"kTRC", curve)], 128 + 4 + 12 * 3, b""
    for key, value in tags:
        table += key + struct.pack(">II", offset, len(value))
        offset += len(value)
    illuminant = struct.pack(">3i", 63190, 65536, 54061)
    head = struct.pack(">I4sI4s4s4s", offset, b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ") + b"\0" * 12 + b"acsp"
    head = (head + b"\0" * 28 + illuminant).ljust(128, b"\0")
    return head + struct.pack(">I", 3) + table + b"".join(value for _, value in tags)


def test_a_profile_counts_by_its_colours_and_not_by_its_name() -> None:
    linear = grey_profile(1.0).replace(b"test\0", b"sRGB\0")
    assert decode(encoded(Image.new("L", (4, 4), 100), "PNG", icc_profile=linear)).changes == (
        "colour profile applied",
    )
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    renamed = srgb.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    assert renamed != srgb
    assert decode(encoded(Image.new("RGB", (4, 4), (9, 99, 199)), "PNG", icc_profile=renamed)).changes == ()


def test_a_profile_for_colours_is_left_out_of_grey_and_ink() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode in ("L", "CMYK", "I;16"):
        data = encoded(Image.new(mode, (4, 4)), "TIFF", icc_profile=profile)
        assert "colour profile applied" not in decode(data).changes


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_a_large_picture_is_converted_in_strips_without_a_seam(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Image.effect_noise((61, 47), 80)
    image = {"P": noise.convert("P"), "I;16": Image.fromarray(np.asarray(noise).astype(np.uint16) * 250)}.get(mode)
    image = image or Image.merge("RGBA", (noise, noise.rotate(90), noise, noise)).convert(mode)
    data = encoded(image, "TIFF")
    whole = decode(data, background=(1, 2, 3))
    monkeypatch.setattr("steadygan.data.reading.colour._STRIP_PIXELS", 61 * 5)
    monkeypatch.setattr("steadygan.data.reading.levels._SAMPLES", 61 * 5)
    strips = decode(data, background=(1, 2, 3))
    assert strips.changes == whole.changes
    assert strips.image.mode == whole.image.mode
    if mode == "F":
        assert np.abs(np.asarray(strips.image, int) - np.asarray(whole.image)).max() <= 8  # of sampled percentiles
    else:
        assert strips.image.tobytes() == whole.image.tobytes()


ORIENTED = {
    2: lambda it: it[:, ::-1],
    3: lambda it: it[::-1, ::-1],
    4: lambda it: it[::-1],
    5: lambda it: it.transpose(1, 0, 2),
    6: lambda it: np.rot90(it, 1),
    7: lambda it: it[::-1, ::-1].transpose(1, 0, 2),
    8: lambda it: np.rot90(it, -1),
}
"""How the rows of the upright picture are stored for each value of the tag (EXIF 2.32, figure 8)."""


def oriented(kind: str, stored: NDArray[np.uint8], value: int) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = Image.Exif()
    exif[0x0112] = value
    xmp = f'<x:xmpmeta><rdf:Description tiff:Orientation="{value}"/></x:xmpmeta>'.encode()
    if kind == "XMP":
        return encoded(image, "JPEG", xmp=xmp, quality=100, subsampling=0)
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 100, "subsampling": 0},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    }
    return encoded(image, kind, exif=exif, **options.get(kind, {}))


@pytest.mark.parametrize("kind", ["JPEG", "XMP", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("value", ORIENTED)
def test_every_container_is_turned_upright_exactly_once(kind: str, value: int) -> None:
    corners = np.array([[[250, 20, 20], [20, 250, 20], [20, 20, 250]], [[240, 240, 20], [20, 20, 20], [235, 235, 235]]])
    upright = np.kron(corners, np.ones((16, 16, 1))).astype(np.uint8)
    found = decode(oriented(kind, ORIENTED[value](upright), value))
    assert found.size == (48, 32)
    assert np.abs(np.asarray(found.image, int)[8::16, 8::16] - corners).max() <= 8
    assert "turned upright" in found.changes
