from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steadygan.errors import ConfigError, DataError
from steadygan.visual.gif import STRIP, save_animation, save_gif, save_mp4

COLOURS = [(220, 30, 30), (30, 200, 40), (20, 40, 210), (240, 220, 30)]


def flat(number: int, size: tuple[int, int] = (40, 30)) -> list[Image.Image]:
    return [Image.new("RGB", size, COLOURS[index % 4]) for index in range(number)]


def frames_of(path: Path) -> list[tuple[Image.Image, int]]:
    """Each frame in RGB with its duration in milliseconds."""
    with Image.open(path) as film:
        found = []
        for index in range(getattr(film, "n_frames", 1)):
            film.seek(index)
            found.append((film.convert("RGB"), int(film.info["duration"])))
        return found


def test_a_gif_holds_every_frame_in_its_colours_and_loops_for_ever(tmp_path: Path) -> None:
    save_gif(flat(4), tmp_path / "a.gif", seconds_per_frame=0.1, hold_last_seconds=1.5)
    frames = frames_of(tmp_path / "a.gif")
    assert [duration for _, duration in frames] == [100, 100, 100, 1500]
    for (frame, _), colour in zip(frames, COLOURS, strict=True):
        assert np.abs(np.asarray(frame, dtype=int) - colour).max() <= 4
    with Image.open(tmp_path / "a.gif") as film:
        assert film.info["loop"] == 0


def test_photographs_keep_their_look_in_the_common_palette(tmp_path: Path) -> None:
    y, x = np.mgrid[0:64, 0:64]
    photos = [
        Image.fromarray(np.stack([x * 3, y * 3, (x + y + 20 * i) % 256], axis=2).astype(np.uint8)) for i in range(5)
    ]
    save_gif(photos, tmp_path / "a.gif")
    for (frame, _), photo in zip(frames_of(tmp_path / "a.gif"), photos, strict=True):
        assert np.abs(np.asarray(frame, dtype=int) - np.asarray(photo, dtype=int)).mean() < 9


def test_of_many_frames_some_are_taken_evenly_with_first_and_last(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (index, index, index)) for index in range(201)]
    save_gif(frames, tmp_path / "a.gif", max_frames=5)
    shown = [int(np.asarray(frame)[0, 0, 0]) for frame, _ in frames_of(tmp_path / "a.gif")]
    assert shown == pytest.approx([0, 50, 100, 150, 200], abs=2)


def test_wide_pictures_shrink_to_512_pixels_and_keep_their_proportions(tmp_path: Path) -> None:
    save_gif(flat(2, (1024, 512)), tmp_path / "a.gif")
    assert frames_of(tmp_path / "a.gif")[0][0].size == (512, 256)


def test_a_long_gif_is_drawn_smaller_to_stay_of_sensible_size(tmp_path: Path) -> None:
    save_gif(flat(120, (512, 512)), tmp_path / "a.gif")
    assert frames_of(tmp_path / "a.gif")[0][0].size == (365, 365)


def test_captions_are_written_below_the_picture(tmp_path: Path) -> None:
    black = Image.new("RGB", (100, 40), "black")
    save_gif([black, black], tmp_path / "a.gif", captions=["0 images", "12.8k images"])
    frames = [np.asarray(frame) for frame, _ in frames_of(tmp_path / "a.gif")]
    assert [frame.shape for frame in frames] == [(40 + STRIP, 100, 3)] * 2
    assert all((frame[:40] == 0).all() for frame in frames)
    assert not np.array_equal(frames[0][40:], frames[1][40:])


def test_frames_may_be_files_of_different_sizes(tmp_path: Path) -> None:
    files = []
    for index, size in enumerate([(20, 20), (40, 30)]):
        files.append(tmp_path / f"{index}.png")
        Image.new("RGB", size, COLOURS[index]).save(files[-1])
    save_gif(files, tmp_path / "a.gif")
    assert [frame.size for frame, _ in frames_of(tmp_path / "a.gif")] == [(40, 30), (40, 30)]


def test_grey_frames_stay_grey(tmp_path: Path) -> None:
    save_gif([Image.new("L", (8, 8), 100), Image.new("L", (8, 8), 200)], tmp_path / "a.gif")
    assert [frame.getpixel((3, 3)) for frame, _ in frames_of(tmp_path / "a.gif")] == [(100,) * 3, (200,) * 3]


def test_no_frame_at_all_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no picture to animate"):
        save_gif([], tmp_path / "a.gif")


def test_a_damaged_frame_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    broken = tmp_path / "000000100.png"
    broken.write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"000000100\.png"):
        save_gif([broken], tmp_path / "a.gif")
    assert not (tmp_path / "a.gif").exists()


@pytest.mark.parametrize("size", [(40, 30), (41, 33)], ids=["even", "odd"])
def test_an_mp4_decodes_to_the_same_frames(tmp_path: Path, size: tuple[int, int]) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed")
    save_mp4(flat(7, size), tmp_path / "a.mp4", fps=12)
    with av.open(str(tmp_path / "a.mp4")) as film:
        stream = film.streams.video[0]
        assert stream.average_rate == 12
        assert stream.codec_context.pix_fmt == "yuv420p"
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
    assert len(frames) == 7
    assert frames[0].shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)
    for frame, colour in zip(frames, COLOURS + COLOURS, strict=False):
        assert np.abs(frame.astype(int) - colour).mean() < 6


def test_without_pyav_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r'pip install "steadygan\[video\]"'):
        save_mp4(flat(1), tmp_path / "a.mp4", fps=12)


def test_the_suffix_decides_the_kind_of_film(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    save_animation(flat(4), tmp_path / "walk.GIF", fps=20)
    save_animation(flat(4), tmp_path / "walk.mp4", fps=20)
    assert [duration for _, duration in frames_of(tmp_path / "walk.GIF")] == [50] * 4
    assert (tmp_path / "walk.mp4").read_bytes()[4:8] == b"ftyp"


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.gif or \.mp4"):
        save_animation(flat(2), tmp_path / "walk.avi", fps=20)
