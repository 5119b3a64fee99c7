from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from steadygan.data.reading.decode import decode, is_image
from steadygan.data.reading.fit import square
from steadygan.data.settings import PrepareSettings
from steadygan.errors import DataError


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes, mode: str | None = None, **options: object) -> NDArray[np.uint8]:
    return np.asarray(decode(data, mode, **options).image)  # type: ignore[arg-type]


def ramp(kind: type[np.generic], low: float, high: float) -> NDArray[np.generic]:
    return np.linspace(low, high, 256).reshape(16, 16).astype(kind)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F"])
def test_every_mode_becomes_grey_or_rgb(mode: str) -> None:
    image = Image.new("RGB", (9, 7), (200, 30, 40))
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.applyTransform(image, ImageCms.buildTransform(*profiles, "RGB", "LAB"))
    elif mode in ("P", "PA"):
        image = image.quantize(4).convert(mode)
    else:
        image = image.convert("L").convert(mode) if mode in ("I", "F") else image.convert(mode)
    data = encoded(image, "TIFF" if mode in ("PA", "CMYK", "YCbCr", "LAB", "F", "I") else "PNG")
    found = decode(data)
    assert found.mode == mode
    assert found.image.mode in ("L", "RGB")
    assert found.image.size == (9, 7)
    if mode not in ("1", "L", "LA", "I", "F"):
        assert np.abs(np.asarray(found.image.getpixel((3, 3))) - (200, 30, 40)).max() <= 3
    assert decode(data, "L").image.mode == "L"
    assert decode(data, "RGB").image.mode == "RGB"


def test_files_that_store_grey_stay_grey_and_all_others_become_rgb() -> None:
    for mode, natural in (("1", "L"), ("L", "L"), ("LA", "L"), ("I;16", "L"), ("P", "RGB"), ("RGBA", "RGB")):
        assert decode(encoded(Image.new(mode, (4, 4)))).image.mode == natural


def test_transparent_pixels_show_the_background() -> None:
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    assert pixels(encoded(image)).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert pixels(encoded(image), background=(1, 2, 3)).tolist() == [[[10, 20, 30], [1, 2, 3]]]
    half = Image.new("RGBA", (1, 1), (0, 0, 0, 51))
    assert pixels(encoded(half)).tolist() == [[[204, 204, 204]]]
    assert decode(encoded(half)).changes == ("transparency filled",)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_a_colour_declared_transparent_shows_the_background(mode: str) -> None:
    image = Image.new("RGB", (2, 1), (0, 0, 0))
    image.putpixel((1, 0), (255, 255, 255))
    image = image.convert(mode)
    key = image.getpixel((0, 0))
    found = pixels(encoded(image, transparency=key), "RGB", background=(9, 9, 9))
    assert found.tolist() == [[[9, 9, 9], [255, 255, 255]]]


def test_a_grey_level_of_16_bits_may_be_transparent() -> None:
    image = Image.fromarray(np.array([[0, 1000, 2000]], np.uint16))
    assert pixels(encoded(image, transparency=1000), background=(7, 7, 7)).tolist() == [[0, 7, 2000 >> 4]]


def test_an_opaque_alpha_channel_changes_nothing() -> None:
    found = decode(encoded(Image.new("RGBA", (4, 4), (1, 2, 3, 255))))
    assert found.changes == ()
    assert found.image.getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_as_exif_says(orientation: int) -> None:
    upright = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6) * 10)
    undo = [None, 0, 3, 1, 5, 2, 6, 4][orientation - 1]  # the transposition that the tag asks the reader to revert
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    found = decode(encoded(stored, exif=exif))
    assert found.size == (6, 4)
    assert (np.asarray(found.image) == np.asarray(upright)).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (ramp(np.float32, 0, 1), (0, 255)),
        (ramp(np.float32, 10, 200), (10, 200)),
        (ramp(np.float32, -3, 3), (0, 255)),
        (ramp(np.int32, -70_000, 70_000), (0, 255)),
        (ramp(np.int32, 0, 1), (0, 1)),
        (ramp(np.uint16, 3, 250), (3, 250)),
        (np.full((16, 16), 5000, np.uint16), (5000 >> 6, 5000 >> 6)),
        (np.full((16, 16), 0.001, np.float32) * 5e6, (0, 0)),
    ],
)
def test_wide_values_keep_their_place_only_if_they_fit_in_8_bits(
    values: NDArray[np.generic], expected: tuple[int, int]
) -> None:
    found = pixels(encoded(Image.fromarray(values), "TIFF"))
    assert (found.min(), found.max()) == expected


def test_what_is_not_a_number_becomes_black_and_nothing_but_it_is_refused() -> None:
    values = np.array([[np.nan, 100, np.inf, 300]], np.float32)
    assert pixels(encoded(Image.fromarray(values), "TIFF")).tolist() == [[0, 0, 0, 255]]
    with pytest.raises(DataError, match="no finite value"):
        decode(encoded(Image.fromarray(values * np.nan), "TIFF"))


def test_of_an_animation_the_first_picture_is_taken() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        found = decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True))
        assert found.image.getpixel((0, 0)) == (255, 0, 0)
        assert found.changes == ("first of several pictures",)


def swapped_profile() -> bytes:
    """An RGB profile in which the red and green primaries have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    names = [profile[i : i + 4] for i in range(132, 132 + 12 * 17, 12)]
    red, green = 132 + 12 * names.index(b"rXYZ"), 132 + 12 * names.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = profile[green : green + 4], profile[red : red + 4]
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


def test_an_embedded_colour_profile_is_applied() -> None:
    data = encoded(Image.new("RGB", (4, 4), (250, 5, 5)), icc_profile=swapped_profile())
    found = decode(data)
    assert found.changes == ("colour profile applied",)
    red, green, _ = np.asarray(found.image)[0, 0]
    assert (red < 30, green > 240) == (True, True)


@pytest.mark.parametrize("profile", [b"not a profile", b"", swapped_profile()[:200]])
def test_a_profile_that_does_not_work_is_left_out(profile: bytes) -> None:
    found = decode(encoded(Image.new("RGB", (4, 4), (250, 5, 5)), icc_profile=profile))
    assert found.image.getpixel((0, 0)) == (250, 5, 5)
    assert found.changes == ()


def test_the_common_srgb_profile_costs_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decode(encoded(Image.new("RGB", (4, 4), (250, 5, 5)), icc_profile=profile)).changes == ()


@pytest.mark.parametrize(("width", "height"), [(1600, 1200), (1601, 1203), (1597, 1199)])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_large_jpeg_may_be_decoded_smaller_without_visible_harm(width: int, height: int, orientation: int) -> None:
    wave = np.indices((height, width)).sum(axis=0)
    image = Image.fromarray((127 + 100 * np.sin(wave / 40) + wave % 7).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, "JPEG", quality=90, exif=exif)
    small, full = decode(data, smallest=64), decode(data)
    assert small.size == full.size == full.image.size
    assert max(small.image.size) in (width // 4, -(-width // 4))
    settings = PrepareSettings(size=64)
    reduced = [square(it, settings).astype(int) for it in (small, full)]
    assert np.abs(reduced[0] - reduced[1]).mean() < 0.3
    assert decode(data, smallest=180).image.size == full.size


@pytest.mark.parametrize("times", [2, 4, 8])
def test_the_part_that_a_reduced_jpeg_fills_is_known_to_the_pixel(times: int) -> None:
    """An edge that lies at a known place of the picture must not move, though 8k + 1 pixels are rounded up to k + 1."""
    side = 4 * times * 8 + 1
    pixels = np.zeros((side, side), np.uint8)
    pixels[:, side // 2 :] = 255
    data = encoded(Image.fromarray(pixels), "JPEG", quality=95)
    small, full = decode(data, smallest=8), decode(data)
    assert small.region == pytest.approx((0, 0, side / times, side / times))
    settings = PrepareSettings(size=8)
    assert np.abs(square(small, settings).astype(int) - square(full, settings)).max() <= 6


def png_claiming(width: int, height: int) -> bytes:
    chunks = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 99))
    parts = [struct.pack(">I", len(it)) + name + it + struct.pack(">I", zlib.crc32(name + it)) for name, it in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


JPEG = encoded(Image.effect_noise((64, 64), 50), "JPEG")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer.*git lfs pull"),
        (b"/annex/objects/SHA256E-s1--0.jpg", "git-annex pointer"),
        (b"\n<!DOCTYPE html><html><body>404", "web page"),
        (b"<?xml version='1.0'?><svg/>", "SVG drawing or other XML"),
        (b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>", "error message of a web server"),
        (b'{"message": "Not Found"}', "JSON text"),
        (b"[InternetShortcut]\r\nURL=https://example.org", "link to a web page"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\xd7\xcd\xc6\x9a" + b"\0" * 40, "Windows metafile"),
        (b"Salted__12345678", "encrypted"),
        (b"\0\0\0\x20ftypisom\0\0", "video"),
        (b"\0\0\0\x20ftypcrx \0\0", "raw photograph"),
        (b"\0" * 128 + b"DICM", "DICOM"),
        (b"%PDF-1.4", "PDF document"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"\x1f\x8b\x08", "gzip archive"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\xff\x0a\x00", "JPEG XL"),
        (b"\0" * 100, "zero bytes"),
        ("Grüße\n".encode() * 400, "text file"),
        (bytes(range(256)), "not an image that Pillow knows"),
        (JPEG[:900], "cut short or damaged.*truncated"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "damaged PNG"),
        (b"II*\0" + b"\xff" * 40, "TIFF that is damaged.*--tile"),
        (png_claiming(10_000, 10_000), r"claims to be too large \(10000×10000 pixels\).*--tile"),
        (png_claiming(100_000, 100_000), "claims to be too large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_usable_picture_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        decode(data)


def test_no_warning_reaches_the_user() -> None:
    odd = Image.new("P", (60, 60))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decode(encoded(odd, transparency=b"\x00\xff"))
        assert is_image(lambda: io.BytesIO(png_claiming(10_000, 10_000)))
    assert caught == []


def jpeg_claiming(width: int, height: int, kind: int = 0xC0) -> bytes:
    """A JPEG of which the frame header says another size than its data has."""
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[: at - 4] + bytes([kind]) + JPEG[at - 3 : at] + struct.pack(">HH", height, width) + JPEG[at + 4 :]


def test_a_jpeg_too_large_to_hold_may_be_decoded_at_a_fraction() -> None:
    image = Image.new("L", (16_000, 12_000), 99)
    data = encoded(image, "JPEG", quality=10)
    found = decode(data, smallest=64)
    assert (found.size, found.image.size) == ((16_000, 12_000), (2000, 1500))
    with pytest.raises(DataError, match=r"too large \(16000×12000 pixels\)|too large \(192000000 pixels\)"):
        decode(data)


@pytest.mark.parametrize(
    "data", [jpeg_claiming(65_500, 65_500), jpeg_claiming(40_000, 20_000), jpeg_claiming(12_000, 12_000, 0xC2)]
)
def test_a_bomb_takes_neither_time_nor_memory(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    monkeypatch.setattr("steadygan.data.reading.decode.load", lambda _: pytest.fail("its pixels are decoded"))
    with pytest.raises(DataError, match="too large"):
        decode(data, smallest=64)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < 2**14  # KB


def test_nothing_is_printed_about_damaged_files(capfd: pytest.CaptureFixture[str]) -> None:
    image = encoded(Image.effect_noise((64, 64), 50), "TIFF", compression="tiff_lzw")
    for data in (
        image[:60] + b"\xff" * 40 + image[100:],
        b"II*\0" + b"\x08\0\0\0\x01\0\x15\x01\x04\0\x01\0\0\0\xff\xff\xff\xff",
    ):
        with suppress(DataError):
            decode(data)
    assert capfd.readouterr() == ("", "")


def test_standard_error_is_there_again_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    decode(encoded(Image.new("L", (4, 4)), "TIFF", compression="tiff_lzw"))
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_a_drawing_is_refused_without_running_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    monkeypatch.setattr("subprocess.check_call", None)
    data = encoded(Image.new("RGB", (9, 9)), "EPS")
    assert not is_image(lambda: io.BytesIO(data))
    with pytest.raises(DataError, match="PostScript"):
        decode(data)


def test_without_memory_for_it_a_picture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("steadygan.data.reading.decode.load", none_left)
    with pytest.raises(DataError, match="more memory than there is"):
        decode(JPEG)


def test_what_pillow_logs_about_a_file_is_not_printed_by_a_program_without_logging() -> None:
    many_samples = b"II*\0\x08\0\0\0\x03\0" + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in ((256, 4), (257, 4), (277, 99_999))
    )
    program = f"from steadygan.data import decode\ntry: decode({many_samples + bytes(4)!r})\n"
    program += "except Exception as it: print(it)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "TIFF" in done.stdout
    assert done.stderr == ""
