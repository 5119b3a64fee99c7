"""Pictures as `data:` addresses, smaller the less is left of the page for each; none is left out."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from steadygan import cards
from steadygan.errors import reason

MOST_PIXELS = 50_000_000
"""Pixels beyond which a file is taken for a bomb; a grid of 64 pictures of 512 pixels has 17 million."""


class Encoding(NamedTuple):
    """How a picture is written: pixels of its longer side at most, and WebP's quality."""

    side: int
    quality: int


ONCE = Encoding(1100, 80)
SMALL = Encoding(240, 60)
ENCODINGS = (
    *(
        Encoding(1100, 80),
        Encoding(820, 75),
        Encoding(820, 55),
        Encoding(530, 65),
        Encoding(530, 45),
        Encoding(420, 45),
    ),
    *(Encoding(400, 30), Encoding(320, 30), Encoding(260, 25), Encoding(200, 20), Encoding(140, 15)),
)
"""From what nobody can tell from the file to what still shows a collapse."""
_PROBES = 5
_METHOD = 2  # WebP's effort: half the time of its default for a tenth more bytes


class Unreadable(Exception):
    """A picture that cannot be shown, with the reason."""


class Shown(NamedTuple):
    """Pictures, "" where one is unreadable; why, by file; and whether all fit into the bytes allowed."""

    pictures: list[str]
    problems: dict[Path, str]
    fit: bool


def shown(files: Sequence[Path], most: int, forms: Sequence[Encoding] = ENCODINGS) -> Shown:
    """Pictures in the first of these forms in which all together take `most` characters, else in the last."""
    places = range(0, len(files), max(1, len(files) // _PROBES))
    with warnings.catch_warnings(), ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # there is a limit of our own
        for number, form in enumerate(forms):
            last = number == len(forms) - 1
            if not last and len(places) < len(files):
                probes = list(pool.map(_address, [files[place] for place in places], [form] * len(places)))
                if sum(len(one) for one in probes if isinstance(one, str)) / len(places) * len(files) > most:
                    continue
            made = list(pool.map(_address, files, [form] * len(files)))
            pictures = [one if isinstance(one, str) else "" for one in made]
            problems = {file: str(one) for file, one in zip(files, made, strict=True) if isinstance(one, Unreadable)}
            if last or sum(map(len, pictures)) <= most:
                return Shown(pictures, problems, sum(map(len, pictures)) <= most)
    raise AssertionError("there is a last form")


def _address(file: Path, form: Encoding) -> str | Unreadable:
    """A picture in this form, or why there is none."""
    try:
        return address(opened(file), form)
    except Unreadable as problem:
        return problem


def opened(file: Path) -> Image.Image:
    """The picture in a file; Unreadable if it is missing, damaged or larger than is safe."""
    try:
        if not file.is_file():
            raise Unreadable("it is not there")
        with file.open("rb") as opened, Image.open(opened) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise Unreadable(f"its {picture.width:,} × {picture.height:,} pixels are more than is safe to open")
            picture.load()
            return picture if picture.mode == "RGB" else picture.convert("RGB")
    except Unreadable:
        raise
    except Image.DecompressionBombError as problem:
        raise Unreadable("it has more pixels than are safe to open") from problem
    except OSError as problem:
        why = reason(problem) if problem.errno else "it is damaged"
        raise Unreadable(why) from problem
    except Exception as problem:  # of Pillow's readers, which raise anything: struct.error, SyntaxError, ValueError
        raise Unreadable("it is damaged") from problem


def address(picture: Image.Image, form: Encoding) -> str:
    """A picture as a `data:` address."""
    ratio = min(1.0, form.side / max(picture.size))
    size = max(1, round(ratio * picture.width)), max(1, round(ratio * picture.height))
    small = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0) if ratio < 1 else picture
    file = io.BytesIO()
    small.save(file, "WEBP", quality=form.quality, method=_METHOD)
    return cards.address(file.getvalue())
