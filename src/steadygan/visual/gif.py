"""Animations: the samples of a run in order, and latent walks. GIF by Pillow, MP4 by PyAV (an optional extra)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from steadygan.errors import ConfigError, DataError
from steadygan.names import in_utf8
from steadygan.rundir import atomic_path

Frame = Image.Image | Path

MAX_FRAMES = 120
MAX_WIDTH = 512
MAX_PIXELS = 16_000_000
"""Pixels of a whole GIF; photographs take up to half a byte each, so that it stays below some 8 MB."""
PALETTE_SAMPLE = 40_000
"""Pixels the palette of a GIF is chosen from; ten times as many take 4 s instead of 0.3 and look the same."""
WALK_FRAMES = 600
STRIP = 22
INK = (70, 74, 82)


def save_gif(
    frames: Sequence[Frame],
    path: Path,
    seconds_per_frame: float = 0.15,
    hold_last_seconds: float = 2.0,
    captions: Sequence[str] | None = None,
    max_frames: int = MAX_FRAMES,
) -> None:
    """Write pictures (or picture files) as an endless GIF, all at the size of the last one.

    Of more than `max_frames` frames that many are taken, evenly, the first and the last among them.
    Pictures wider than 512 pixels are made smaller, many pictures smaller still. `captions`, one per
    frame, stand in a strip below the picture. Frames equal to the one before prolong it instead.
    Raises DataError if there is no frame or one cannot be read.
    """
    chosen = _evenly(len(frames), max_frames)
    size = _gif_size(_opened(frames, chosen[-1]).size, len(chosen))
    pictures = [_opened(frames, index).resize(size, Image.Resampling.HAMMING) for index in chosen]
    if captions is not None:
        pictures = [_captioned(picture, captions[index]) for picture, index in zip(pictures, chosen, strict=True)]
    palette = _palette(pictures)
    flat = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    durations = [_milliseconds(seconds_per_frame)] * (len(flat) - 1) + [_milliseconds(hold_last_seconds)]
    with atomic_path(path) as part:
        flat[0].save(part, save_all=True, append_images=flat[1:], duration=durations, loop=0)


def save_mp4(frames: Sequence[Frame], path: Path, fps: float) -> None:
    """Write pictures (or picture files) as H.264 video that browsers play; odd sizes grow by one pixel.

    Raises ConfigError if PyAV is not installed, DataError if there is no frame or one cannot be read.
    """
    try:
        import av
    except ImportError as problem:
        raise ConfigError(
            'MP4 needs PyAV: pip install "steadygan[video]", or choose a name ending in .gif'
        ) from problem
    size = _opened(frames, -1).size
    options = {"movflags": "+faststart"}
    with (
        atomic_path(path) as part,
        in_utf8(part, "w+b") as named,
        av.open(str(named), "w", format="mp4", options=options) as film,
    ):
        stream = film.add_stream("libx264", Fraction(fps).limit_denominator(1000), {"crf": "18"})
        stream.width, stream.height = (length + length % 2 for length in size)
        stream.pix_fmt = "yuv420p"
        for index in range(len(frames)):
            picture = np.asarray(_opened(frames, index).resize(size))
            even = np.pad(picture, ((0, size[1] % 2), (0, size[0] % 2), (0, 0)), mode="edge")
            film.mux(stream.encode(av.VideoFrame.from_ndarray(even, "rgb24")))
        film.mux(stream.encode())


def save_animation(frames: Sequence[Frame], path: Path, fps: float) -> None:
    """Write a film at `fps` frames per second: an endless GIF or an MP4, by the suffix of `path`.

    Raises ConfigError for any other suffix. A GIF keeps at most 600 frames and at most 50 per second.
    """
    writers: dict[str, Callable[[], None]] = {
        ".gif": lambda: save_gif(frames, path, 1 / fps, 1 / fps, max_frames=WALK_FRAMES),
        ".mp4": lambda: save_mp4(frames, path, fps),
    }
    if path.suffix.lower() not in writers:
        raise ConfigError(f"{path}: a film is written as .gif or .mp4; choose a name with one of these endings")
    writers[path.suffix.lower()]()


def _opened(frames: Sequence[Frame], index: int) -> Image.Image:
    """One frame in RGB, read from its file if need be."""
    if not frames:
        raise DataError("there is no picture to animate; let the run reach its first sample, then try again")
    frame = frames[index]
    if isinstance(frame, Image.Image):
        return frame.convert("RGB")
    try:
        with Image.open(frame) as picture:
            return picture.convert("RGB")
    except OSError as problem:
        raise DataError(f"cannot read the picture {frame}; delete it and try again") from problem


def _evenly(number: int, most: int) -> list[int]:
    """Indices of at most `most` of `number` things, evenly apart, first and last included."""
    return [round(x) for x in np.linspace(0, number - 1, min(number, most))] if number > 1 else [0]


def _gif_size(size: tuple[int, int], frames: int) -> tuple[int, int]:
    width, height = size
    factor = min(1, MAX_WIDTH / width, math.sqrt(MAX_PIXELS / (frames * width * height)))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _milliseconds(seconds: float) -> int:
    """GIF counts hundredths; below 0.02 s browsers fall back to a tenth."""
    return max(20, round(seconds * 100) * 10)


def _palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """One palette for all frames, from a sample of their pixels.

    A palette of its own for each frame makes still parts flicker, and so does dithering. 255 colours
    leave one index free, with which Pillow leaves out unchanged pixels: a third of the file.
    """
    side = max(8, math.isqrt(PALETTE_SAMPLE // len(pictures)))
    sample = Image.new("RGB", (side, side * len(pictures)))
    for index, picture in enumerate(pictures):
        sample.paste(picture.resize((side, side), Image.Resampling.NEAREST), (0, side * index))
    return sample.quantize(255, Image.Quantize.MEDIANCUT, kmeans=1)


def _captioned(picture: Image.Image, caption: str) -> Image.Image:
    """The picture with a strip of text below it."""
    sheet = Image.new("RGB", (picture.width, picture.height + STRIP), "white")
    sheet.paste(picture)
    font = ImageFont.load_default(size=13)
    ImageDraw.Draw(sheet).text((6, picture.height + STRIP // 2), caption, INK, font, anchor="lm")
    return sheet
