"""Any file that Pillow reads, brought to 8-bit grey or RGB."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from types import TracebackType
from typing import IO, Literal, NamedTuple

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from steadygan.data.reading.bands import false_alpha, left_out
from steadygan.data.reading.colour import GREY, Colour, Mode, conversion, transparent_key
from steadygan.data.reading.frames import first, following, has_more, is_many
from steadygan.data.reading.levels import Levels, Values, find_levels, narrowed
from steadygan.data.reading.opening import MAX_PIXELS, Opened, check_size, load, open_image, open_known, quiet
from steadygan.data.reading.reasons import explain, is_readable_elsewhere
from steadygan.data.reading.tiff import Tiff, known
from steadygan.data.reading.wide import first_tile, values_of
from steadygan.errors import DataError

__all__ = ["MAX_PIXELS", "WHITE", "Colour", "Decoded", "Frames", "Mode", "decode", "decode_frames", "is_image", "quiet"]

Frames = Literal["first", "all"]
Region = tuple[float, float, float, float]

WHITE: Colour = (255, 255, 255)
"""What transparent pixels show unless told otherwise: most cut-outs, logos and drawings are made for a light page."""

EIGHT_BITS = "brought to 8 bits"

_DRAFT_MARGIN = 4
_ORIENTED = frozenset({"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Decoded:
    """A picture as "L" or "RGB", upright, with what was found in the file and done to it.

    `size` is (width, height) of the upright picture at full resolution; `image` itself may be smaller if it
    was decoded so, and fills `region` then (left, top, right, bottom in its pixels; the whole of it if None).
    `mode` is the mode stored in the file, `frame` its number in the file from 0. `changes` lists what was converted.
    `needed` is the number of bits, 8 to 16, that its values need, where the file holds more than 8 and does not say how
    many it uses, and `bits` the number of which the highest 8 are shown; both are 0 elsewhere.
    """

    image: Image.Image
    size: tuple[int, int]
    mode: str
    format: str
    changes: tuple[str, ...] = ()
    frame: int = 0
    region: Region | None = None
    needed: int = 0
    bits: int = 0


def is_image(open_file: Callable[[], IO[bytes]]) -> bool:
    """Whether the beginning of a file is that of a picture; a damaged or huge one is one, too."""
    try:
        with quiet(), open_file() as stream:
            open_known(stream).close()
    except UnidentifiedImageError:
        with open_file() as stream:
            return is_readable_elsewhere(stream.read(12))
    except Exception:  # noqa: BLE001  whatever a plugin raises, it took the file for its own
        return True
    return True


def decode(data: bytes, mode: Mode | None = None, background: Colour = WHITE, smallest: int | None = None) -> Decoded:
    """The first picture in the bytes of an image file, upright, as 8-bit grey or RGB.

    - Rotated as EXIF, XMP or the container says; of an animation or several pages the first.
    - Colours are those of sRGB, gamma-encoded. Colour profiles are converted to it; one that does not work is
      left out, and so are gAMA and cHRM of PNG: hardly any program that makes data sets heeds them.
    - Transparent pixels show `background`. The fourth band of a satellite or aerial image is no transparency.
    - Values of more than 8 bits keep their high byte; `find_levels` says which that is, and what becomes of floats.

    Without `mode`, files that store grey come as "L" and all others as "RGB". `smallest` allows large JPEGs
    to be decoded at a half, a quarter or an eighth of their size, at least 4 times `smallest` pixels along the
    shorter side: after reduction to that size 0.3 of 255 levels on average and 10 at most over 59 photographs.
    Raises DataError with the reason if there is no usable picture.
    """
    return next(decode_frames(data, mode, background, smallest))


def decode_frames(
    data: bytes,
    mode: Mode | None = None,
    background: Colour = WHITE,
    smallest: int | None = None,
    frames: Frames = "first",
    bits: int = 0,
) -> Iterator[Decoded]:
    """The pictures of a file one after the other, each as `decode` gives the first; at least one.

    Values that need fewer than `bits` bits are shown on the scale of so many, as those of another picture are.

    Frames of animations come as a viewer shows them, composed with those before. Overviews, thumbnails, masks,
    layers and the smaller sizes of an icon are no pictures.
    Raises DataError with the reason where there is nothing usable; what came before is good. A file may give
    1,000 pictures and 2^30 pixels.
    """
    with _Explained(data):
        data = known(data)
        opened = open_image(data, smallest and smallest * _DRAFT_MARGIN, frames == "first")
        image = opened.image
        number = first(image)
        if frames == "all" and image.info.get("default_image"):  # what programs show that know no animated PNG
            image.seek(number := number + 1)
        wanted = _Wanted(mode, background, bits)
        decoded = _finished(opened, data, number, wanted)
        if frames == "first" and has_more(image, number):
            decoded = replace(decoded, changes=("first of several pictures", *decoded.changes))
    yield decoded
    further = following(image, number) if frames == "all" else iter(())
    for taken in count(1):
        with _Explained(data, taken):
            now = next(further, None)
            if now is None:
                return
            decoded = _finished(Opened(image, image.size, 1), data, now, wanted)
        yield decoded


class _Wanted(NamedTuple):
    """How pictures are to be shown."""

    mode: Mode | None
    background: Colour
    bits: int


class _Explained(quiet):
    """Turns whatever goes wrong into a DataError with the reason; `taken` pictures of the file were good.

    Like `quiet` a class and no generator: it is entered for every file.
    """

    def __init__(self, data: bytes, taken: int = 0) -> None:
        super().__init__()
        self._data, self._taken = data, taken

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        super().__exit__(kind, problem, at)
        if isinstance(problem, Exception):
            reason = str(problem) if isinstance(problem, DataError) else explain(self._data, problem)
            after = f"; only the {self._taken} pictures before it are used" if self._taken else ""
            raise DataError(reason + after) from problem


class _Found(NamedTuple):
    """A picture of 8 bits, what its file held, and what is left to do.

    `grey` says that it held no colour, `opaque` that its last band is no alpha, `orientation` how it is to be turned.
    """

    image: Image.Image
    stored: str
    grey: bool
    opaque: bool
    orientation: int
    changes: list[str]
    levels: Levels = Levels()


def _found(opened: Opened, data: bytes, number: int, bits: int) -> _Found:
    """Decode the picture that the opened file is positioned at, and bring its values to 8 bits."""
    image, stored = opened.image, opened.image.mode
    check_size(image)
    orientation, tile = _orientation(image), first_tile(image)
    page = load(image, data, number)
    if not isinstance(image, Tiff) and orientation == 1:
        orientation = _orientation(image)  # a PNG may say it after the pixels
    turned = orientation > 1 or (image.info.get("original_orientation") or 1) > 1  # pillow-heif has done it
    changes, opaque = ["turned upright"] if turned else [], False
    values: Values | None
    if page:
        values, words = page
        stored = f"{values.colours.shape[2]} × {values.colours.dtype}"
    else:
        words = None
        if isinstance(image, Tiff):
            orientation, opaque = 1, _is_opaque(image)  # Pillow has turned it
            words = left_out(image.tag_v2, len(image.getbands()) - opaque)
        values = values_of(image, tile, data, partial(_again, data, number))
    changes += [words] if words else []
    if values is None:
        return _Found(image, stored, _holds_grey(image, data), opaque, orientation, changes)
    levels = find_levels(values, bits)
    small = narrowed(replace(values, alpha=None) if opaque else values, levels)
    small.info = {name: image.info[name] for name in ("icc_profile",) if name in image.info}
    changes += [] if values.colours.dtype == np.uint8 else [EIGHT_BITS]
    return _Found(small, stored, small.mode in ("L", "LA"), False, orientation, changes, levels)


def _is_opaque(image: Tiff) -> bool:
    """Whether what Pillow decoded as alpha is some other band."""
    if image.mode not in ("LA", "RGBA"):
        return False
    return false_alpha(image.tag_v2, len(image.mode) - 1, np.asarray(image.getchannel("A")))


def _again(data: bytes, number: int) -> Image.Image:
    image = open_known(io.BytesIO(data))
    image.seek(number)
    return image


def _finished(opened: Opened, data: bytes, number: int, wanted: _Wanted) -> Decoded:
    """The picture that the opened file is positioned at."""
    found = _found(opened, data, number, wanted.bits)
    image, orientation = found.image, found.orientation
    how = conversion(image, wanted.mode, wanted.background, found.grey, found.opaque)
    done, filled = how.apply(image)
    more = ("colour profile applied", how.transform is not None), ("transparency filled", filled)
    changes = (*found.changes, *(words for words, is_so in more if is_so))
    size, region = image.size, None
    if opened.times > 1:
        size = opened.size
        region = _turned(size[0] / opened.times, size[1] / opened.times, image.size, orientation)
    if orientation > 1:
        done = done.transpose(_TURNS[orientation])
        size = size if orientation < 5 else size[::-1]
    elif done is image and is_many(image):  # moving on to the next picture would change this one
        done = image.copy()
    needed, bits = found.levels.needed, found.levels.bits
    return Decoded(done, size, found.stored, opened.image.format or "", changes, number, region, needed, bits)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where it is damaged or missing. From 5 on, width and height change places."""
    if image.format == "TIFF" or not _ORIENTED.isdisjoint(image.info):
        with suppress(Exception):
            value = image.getexif().get(ExifTags.Base.Orientation, 1)
            return value if value in _TURNS else 1
    return 1


def _turned(width: float, height: float, size: tuple[int, int], orientation: int) -> Region:
    """Where the picture (width × height, from the corner of a decoded image of `size`) lies after turning.

    A JPEG of 1001 pixels is decoded at a half as 501, of which the last is half empty.
    """
    across, down = size
    if orientation > 4:
        width, height, across, down = height, width, down, across
    left = across - width if orientation in (2, 3, 6, 7) else 0.0
    top = down - height if orientation in (3, 4, 7, 8) else 0.0
    return left, top, left + width, top + height


def _holds_grey(image: Image.Image, data: bytes) -> bool:
    """Whether the file holds no colour. Pillow decodes some grey PNGs with alpha as RGBA."""
    if image.format != "PNG":
        return image.mode in GREY
    depth, kind = data[24:26]
    transparent_key(image.info, image.mode, depth)
    return kind in (0, 4)
