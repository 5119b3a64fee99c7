from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence
from PIL.GifImagePlugin import GifImageFile

from steadygan.data.reading import frames as module
from steadygan.data.reading.decode import Decoded, decode, decode_frames
from steadygan.errors import DataError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def saved(images: list[Image.Image], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    images[0].save(buffer, kind, save_all=True, append_images=images[1:], **options)
    return buffer.getvalue()


def flat(*colours: tuple[int, int, int], size: tuple[int, int] = (32, 24)) -> list[Image.Image]:
    return [Image.new("RGB", size, colour) for colour in colours]


def every(data: bytes, **options: Any) -> list[Decoded]:
    return list(decode_frames(data, frames="all", **options))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO", "AVIF"])
def test_all_pictures_of_a_file_are_found_in_order(kind: str) -> None:
    options = {"WEBP": {"lossless": True}, "MPO": {"quality": 98}, "AVIF": {"quality": 98}}.get(kind, {})
    found = every(saved(flat(RED, GREEN, BLUE), kind, **options))
    assert [it.frame for it in found] == [0, 1, 2]
    for it, colour in zip(found, (RED, GREEN, BLUE), strict=True):
        assert np.abs(np.subtract(it.image.getpixel((5, 5)), colour)).max() <= 3
        assert it.size == (32, 24)
        assert "first of several pictures" not in it.changes


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "JPEG", "BMP", "AVIF"])
def test_a_single_picture_is_one_whatever_is_asked_for(kind: str) -> None:
    buffer = io.BytesIO()
    flat(RED)[0].save(buffer, kind)
    data = buffer.getvalue()
    assert [it.frame for it in every(data)] == [0]
    assert decode(data).changes == ()
    assert every(data)[0].image.tobytes() == decode(data).image.tobytes()


def test_frames_are_composed_as_a_viewer_shows_them() -> None:
    """A dot moves over a background of which every frame stores only what changed."""
    frames = []
    for step in range(4):
        frame = Image.new("RGB", (32, 24), (40, 80, 120))
        frame.paste((250, 250, 0), (4 + 6 * step, 8, 8 + 6 * step, 12))
        frames.append(frame)
    for kind in ("GIF", "PNG", "WEBP"):
        data = saved(frames, kind, **({"lossless": True} if kind == "WEBP" else {}))
        for it, frame in zip(every(data), frames, strict=True):
            assert np.abs(np.asarray(it.image, int) - np.asarray(frame)).max() <= 1


def test_transparent_frames_show_the_background() -> None:
    frames = [Image.new("RGBA", (8, 8), (255, 0, 0, 0)) for _ in range(2)]
    frames[1].putpixel((3, 3), (0, 0, 255, 255))
    for kind in ("GIF", "PNG", "WEBP"):
        data = saved(frames, kind, disposal=2, **({"lossless": True} if kind == "WEBP" else {}))
        second = every(data, background=(9, 99, 9))[-1].image
        assert second.getpixel((0, 0)) == (9, 99, 9)
        assert second.getpixel((3, 3)) == (0, 0, 255)


def test_a_picture_is_not_changed_by_going_on_to_the_next() -> None:
    data = saved(flat(RED, GREEN), "TIFF")
    iterator = decode_frames(data, frames="all")
    first = next(iterator)
    next(iterator)
    assert first.image.getpixel((0, 0)) == RED


def pages(*pages: tuple[tuple[int, int], int], mode: str = "RGB") -> bytes:
    """A TIFF of pages, each with a size and a NewSubfileType."""
    buffer = io.BytesIO()
    images = [Image.new(mode, size) for size, _ in pages]
    for image, (_, kind) in zip(images, pages, strict=True):
        image.encoderinfo = {"tiffinfo": {254: kind}}
    images[0].save(buffer, "TIFF", save_all=True, append_images=images[1:], tiffinfo={254: pages[0][1]})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([((50, 40), 1), ((25, 20), 1)], [0]),
        ([((50, 40), 0), ((25, 20), 0), ((13, 10), 0)], [0]),
        ([((100, 80), 4)], [0]),
        ([((100, 80), 2), ((100, 80), 2)], [0, 1, 2]),
        ([((60, 60), 0)], [0, 1]),
        ([((50, 40), 1), ((100, 80), 0), ((50, 40), 1)], [0, 2]),
    ],
)
def test_overviews_and_masks_are_no_pictures(others: list[tuple[tuple[int, int], int]], expected: list[int]) -> None:
    data = pages(((100, 80), 0), *others)
    assert [it.frame for it in every(data)] == expected
    assert (decode(data).changes == ()) == (len(expected) == 1)


def test_the_picture_may_stand_behind_its_thumbnail() -> None:
    found = decode(pages(((16, 12), 1), ((160, 120), 0)))
    assert (found.size, found.frame) == ((160, 120), 1)


def test_a_raw_photograph_is_not_taken_for_its_thumbnail() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 12)).save(buffer, "TIFF", tiffinfo={254: 1, 330: 8})
    with pytest.raises(DataError, match="raw photograph"):
        decode(buffer.getvalue())


def test_previews_and_gain_maps_in_a_jpeg_are_no_pictures() -> None:
    data = saved([*flat(RED), *flat(GREEN, size=(16, 12)), *flat(BLUE)], "MPO")
    assert [it.frame for it in every(data)] == [0, 2]


def test_of_an_icon_the_largest_picture_is_taken() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 64), (1, 2, 3, 255)).save(buffer, "ICO", sizes=[(16, 16), (64, 64), (32, 32)])
    found = every(buffer.getvalue())
    assert [it.size for it in found] == [(64, 64)]


def test_what_stands_in_for_an_animation_is_no_frame_of_it() -> None:
    data = saved(flat(RED, GREEN, BLUE), "PNG", default_image=True)
    assert [it.image.getpixel((0, 0)) for it in every(data)] == [GREEN, BLUE]
    assert decode(data).image.getpixel((0, 0)) == RED


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG", "WEBP"])
def test_pictures_before_the_damage_are_used_and_the_damage_is_told(kind: str) -> None:
    noise = [Image.effect_noise((64, 64), 30 + 10 * step) for step in range(4)]
    data = saved(noise, kind)
    found: list[Decoded] = []
    with pytest.raises(DataError, match=r"only the \d pictures before it are used|cut short|damaged"):
        found.extend(decode_frames(data[: len(data) * 5 // 8], frames="all"))
    assert len(found) < 4


def test_the_number_of_pictures_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved([Image.new("L", (4, 4), shade) for shade in range(20)], "GIF")
    monkeypatch.setattr(module, "MAX_FRAMES", 7)
    found = []
    with pytest.raises(DataError, match="only the first 7 are used"):
        found.extend(it.frame for it in decode_frames(data, frames="all"))
    assert found == list(range(7))


def test_the_pixels_of_all_pictures_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved([Image.new("L", (10, 10), shade) for shade in range(9)], "TIFF")
    monkeypatch.setattr(module, "MAX_FRAME_PIXELS", 450)
    found = []
    with pytest.raises(DataError, match="only the first 4 are used"):
        found.extend(it.frame for it in decode_frames(data, frames="all"))
    assert found == list(range(4))


def gif_of(count: int) -> bytes:
    """A GIF of many frames written by hand: each 1 × 1 in a screen of 300 × 300."""
    head = b"GIF89a" + (300).to_bytes(2, "little") * 2 + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    frame = b"!\xf9\4\0\0\0\0\0," + b"\0\0\0\0\1\0\1\0\0" + b"\2\2L\1\0"
    return head + frame * count + b";"


def test_of_an_animation_of_100_000_frames_no_more_are_looked_at_than_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = gif_of(100_000)
    seek, looked_at = GifImageFile._seek, set()
    monkeypatch.setattr(GifImageFile, "_seek", lambda self, at, *more: (looked_at.add(at), seek(self, at, *more))[1])
    assert decode(data).changes == ("first of several pictures",)
    assert len(looked_at) <= 3
    count = 0
    with pytest.raises(DataError, match="only the first 1000 are used"):
        for _ in decode_frames(data, frames="all"):
            count += 1
    assert count == 1000
    assert len(looked_at) <= 1003


def test_tiffs_whose_pages_go_round_in_a_circle_end() -> None:
    data = bytearray(saved(flat(RED, GREEN), "TIFF"))
    with Image.open(io.BytesIO(data)) as image:
        offsets = [page.tag_v2._offset for page in ImageSequence.Iterator(image)]  # type: ignore[attr-defined]
        count = len(image.tag_v2)  # type: ignore[attr-defined]
    at = offsets[1] + 2 + 12 * count
    data[at : at + 4] = offsets[0].to_bytes(4, "little")
    assert len(every(bytes(data))) == 2
