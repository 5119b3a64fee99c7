"""Which pictures of a file stand for themselves: frames and pages, but no overviews, masks, thumbnails or layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PIL import Image

from steadygan.errors import DataError

MAX_FRAMES = 1000
"""No more pictures are taken from one file, and no more pages are looked at."""

MAX_FRAME_PIXELS = 2**30
"""No more pixels are decoded from one file."""

_MANY = frozenset({"AVIF", "DCX", "FLI", "GIF", "IM", "MPO", "PNG", "TIFF", "WEBP"})
_TAG_KIND, _TAG_OLD_KIND, _TAG_SUB_FILES, _TAG_WIDTH, _TAG_HEIGHT = 254, 255, 330, 256, 257
_REDUCED, _MASK = 1, 4
_RAW = "is a raw photograph of which only a thumbnail can be read; develop it and save it as JPEG, PNG or TIFF"


def first(image: Image.Image) -> int:
    """Go to the first picture of an opened file that stands for itself, and say its number from 0.

    Raises DataError for raw photographs: what Pillow sees of them is a thumbnail.
    """
    if image.format != "TIFF" or _stands(image, None):
        return 0
    for number in _further(image, None):
        return number
    if _TAG_SUB_FILES in getattr(image, "tag_v2", {}):
        raise DataError(_RAW)
    image.seek(0)
    return 0


def following(image: Image.Image, start: int) -> Iterator[int]:
    """Go to each further picture, and say its number from 0. `start` is what `first` gave.

    Raises DataError where it is cut off: after 1,000 pictures, or 2^30 pixels. Raises whatever damage leads to.
    """
    if not is_many(image):
        return
    size, pixels = image.size, image.width * image.height
    for taken, number in enumerate(_further(image, size, start), start=1):
        pixels += image.width * image.height
        if taken >= MAX_FRAMES or pixels > MAX_FRAME_PIXELS:
            raise DataError(f"holds more pictures than are taken from one file: only the first {taken} are used")
        yield number


def is_many(image: Image.Image) -> bool:
    """Whether the file may hold further pictures."""
    return image.format in _MANY and bool(getattr(image, "is_animated", False))


def has_more(image: Image.Image, start: int) -> bool:
    """Whether there is a further picture. It moves there, so ask when the first is done with."""
    try:
        return is_many(image) and any(True for _ in following(image, start))
    except Exception:  # noqa: BLE001  a damaged second picture is one, too
        return True


def _further(image: Image.Image, size: tuple[int, int] | None, start: int = 0) -> Iterator[int]:
    tiff = image.format == "TIFF"
    number = start
    while number <= 10 * MAX_FRAMES:
        number += 1
        try:
            image.seek(number)
        except EOFError:
            return
        except SyntaxError:
            if not tiff:
                raise
            continue  # a page of a kind that Pillow cannot read, such as a mask
        if _stands(image, size):
            yield number


def _stands(image: Any, size: tuple[int, int] | None) -> bool:
    """Whether the current page is no smaller version of the first, whose size is (width, height), nor its mask."""
    if image.format == "MPO":
        # the others are previews, depth and gain maps
        return size is None or image.size == size
    if image.format != "TIFF":
        return True
    tags = image.tag_v2
    kind = tags.get(_TAG_KIND, 0)
    if (isinstance(kind, int) and kind & (_REDUCED | _MASK)) or tags.get(_TAG_OLD_KIND) == 2:
        return False
    return size is None or not _is_overview(image.size, size)


def _is_overview(size: tuple[int, int], first_size: tuple[int, int]) -> bool:
    """Whether a page has the shape of the first and at most 3/4 of its width."""
    (width, height), (first_width, first_height) = size, first_size
    if width * 4 > first_width * 3 or height * 4 > first_height * 3:
        return False
    return abs(width * first_height - height * first_width) <= 2 * max(first_width, first_height)
