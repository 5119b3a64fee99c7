"""Thousands of damaged files, the same in every run: each gives images or a reason, in little memory."""

from __future__ import annotations

import io
import os
import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import psutil
import pytest
from PIL import Image, ImageCms, features

from steadygan.data.pool import run_tasks
from steadygan.data.settings import PrepareSettings
from steadygan.data.sources.items import Item, Rejection
from steadygan.data.work import ReadFile, Row

MOST_MEMORY = 500 * 2**20
PER_GROUP = 4


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def animated(kind: str) -> bytes:
    frames = [Image.effect_noise((24, 18), 40 + step).convert("RGB") for step in range(3)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


@cache
def seeds() -> tuple[bytes, ...]:
    """One file of each kind that can be written here."""
    grey = Image.effect_noise((40, 30), 60)
    colour = Image.merge("RGB", (grey, grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT), grey.point(lambda it: it // 2)))
    clear = Image.merge("RGBA", (*colour.split(), grey))
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    wide = Image.frombytes("I;16", (40, 30), bytes(range(240)) * 10)
    plain = {
        kind: saved(colour, kind)
        for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "PPM", "TGA", "PCX", "SGI", "QOI", "DDS", "ICNS", "DIB")
    }
    more = [
        saved(colour, "JPEG", progressive=True, exif=exif, icc_profile=profile),
        saved(colour.convert("CMYK"), "JPEG"),
        saved(clear, "PNG", icc_profile=profile, exif=exif),
        saved(colour.quantize(16), "PNG", transparency=3),
        saved(wide, "PNG"),
        saved(clear, "WEBP", lossless=True),
        saved(clear, "ICO", sizes=[(16, 16), (24, 24)]),
        saved(grey.convert("1"), "XBM"),
        saved(grey.convert("1"), "MSP"),
        saved(colour.quantize(16), "BLP", blp_version="BLP1"),
        *(saved(colour, "TIFF", compression=it) for it in (None, "tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits")),
        saved(grey.convert("1"), "TIFF", compression="group4"),
        saved(colour.convert("YCbCr"), "TIFF"),
        saved(wide, "TIFF"),
        saved(grey.convert("F"), "TIFF"),
        saved(clear, "TIFF", icc_profile=profile),
        *(animated(kind) for kind in ("GIF", "PNG", "WEBP", "TIFF", "MPO")),
        psd(),
    ]
    optional = {"JPEG2000": "jpg_2000", "AVIF": "avif"}
    more += [saved(colour, kind) for kind, feature in optional.items() if features.check(feature)]
    return (*plain.values(), *more)


def psd() -> bytes:
    """A Photoshop document without layers, written by hand."""
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 12, 16, 8, 3)
    return head + struct.pack(">III", 0, 0, 0) + b"\0\0" + bytes(range(192)) * 3


def mutant(number: int) -> bytes:
    """Damaged file `number`."""
    chance = random.Random(number)
    data = bytearray(seeds()[number % len(seeds())])
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        chance.choice(MUTATIONS)(data, chance)
    if chance.random() < 0.5:
        mend_checksums(data)
    return bytes(data)


def flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 2, 8, 64))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def cut_off(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(1, len(data)) :]


def edit_header(data: bytearray, chance: random.Random) -> None:
    """Extreme numbers where the header lies."""
    size = chance.choice((1, 2, 4))
    at = chance.randrange(max(1, min(len(data), 256) - size))
    value = chance.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**16, 65500, chance.randrange(2**32)))
    data[at : at + size] = (value % 256**size).to_bytes(size, chance.choice(("big", "little")))


def overwrite(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    length = min(chance.choice((4, 16, 64)), len(data) - at)
    data[at : at + length] = (
        chance.choice((b"\0", b"\xff")) * length if chance.random() < 0.5 else chance.randbytes(length)
    )


def insert(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = chance.choice((chance.randbytes(8), data[:64], b"\xff\xd8", b"\0\0\0\0IEND\xaeB`\x82", b"\0" * 300))


def repeat(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    part = data[at : at + 200]
    data[at:at] = part * chance.choice((1, 5, 50))


def remove(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.choice((1, 4, 50))]
    data += b"\0" * (not data)


def splice(data: bytearray, chance: random.Random) -> None:
    other = chance.choice(seeds())
    at = chance.randrange(len(data))
    data[at:] = other[min(at, len(other) - 1) :]


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip_bits, flip_bits, edit_header, edit_header, cut_off, overwrite, insert, repeat, remove, splice,
)  # fmt: skip


def mend_checksums(data: bytearray) -> None:
    """Right checksums let the damage in a PNG get further than its first chunk."""
    at = 8
    while data.startswith(b"\x89PNG") and at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            return
        data[at + 8 + length : at + 12 + length] = zlib.crc32(data[at + 4 : at + 8 + length]).to_bytes(4, "big")
        at += 12 + length


SETTINGS = (
    PrepareSettings(size=16),
    PrepareSettings(size=16, frames="all"),
    PrepareSettings(size=8, fit="pad", channels="grey", background=(1, 2, 3)),
    PrepareSettings(size=16, fit="random-crops", crops=2),
)


def tasks(start: int, count: int) -> Iterator[list[ReadFile]]:
    for first in range(start, start + count, PER_GROUP):
        numbers = range(first, min(first + PER_GROUP, start + count))
        made = [(number, mutant(number)) for number in numbers]
        yield [
            ReadFile(Item(str(number), len(data), 0, partial(io.BytesIO, data)), SETTINGS[number // 7 % len(SETTINGS)])
            for number, data in made
        ]


def peak_memory() -> int:
    """The most that a process started by this one ever held, in bytes."""
    held = [0]
    for child in psutil.Process().children():
        try:
            with open(f"/proc/{child.pid}/status", encoding="ascii") as file:
                held += [int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM")]
        except OSError:
            continue
    return max(held)


def check(start: int, count: int, workers: int) -> None:
    images = reasons = most = 0
    for group in run_tasks(tasks(start, count), workers):
        if sys.platform == "linux":
            most = max(most, peak_memory())
        for results in group:
            assert results
            for result in results:
                if isinstance(result, Row):
                    images += 1
                    assert result.pixels is not None
                    assert (
                        result.pixels.shape[0] == result.pixels.shape[1] == (8 if result.pixels.shape[0] == 8 else 16)
                    )
                else:
                    assert isinstance(result, Rejection)
                    reasons += 1
                    assert "crashed the decoder" not in result.reason, (
                        f"mutant {result.file} killed the process or held it up"
                    )
                    assert len(result.reason) > 10
    assert images > count / 20
    assert reasons > count / 20
    assert most < MOST_MEMORY


def test_damaged_files_give_images_or_reasons() -> None:
    check(0, 500, workers=1)


@pytest.mark.slow
def test_many_damaged_files_give_images_or_reasons() -> None:
    check(500, 20_000, workers=min(2, os.cpu_count() or 1))


def test_every_seed_is_a_good_picture_before_it_is_damaged() -> None:
    for number, data in enumerate(seeds()):
        results = ReadFile(Item(str(number), len(data), 0, partial(io.BytesIO, data)), SETTINGS[0]).run()
        assert isinstance(results[0], Row), (number, results)
