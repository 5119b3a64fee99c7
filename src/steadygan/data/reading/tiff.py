"""TIFF pages: which of them Pillow reads as their header says, and how GDAL reads the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from steadygan.data.reading.bands import false_alpha, left_out
from steadygan.data.reading.levels import Values, hole_of
from steadygan.errors import DataError

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _STRIPS = 256, 257, 258, 262, 274, 277, 279
_PLANES, _TILES, _EXTRA, _FORMAT, _NODATA = 284, 325, 338, 339, 42113

_WHITE_IS_ZERO, _RGB, _PALETTE, _INKS, _LAB = 0, 2, 3, 5, (8, 9)
_PICTURES = frozenset({_WHITE_IS_ZERO, 1, _RGB, _PALETTE, _INKS, 6, *_LAB})
"""Photometric interpretations of finished pictures. Others are raw photographs, masks and depth maps."""

_BIG_BIG = b"MM\0+"
_PREMULTIPLIED, _STRAIGHT = 1, 2
_CACHE_BYTES = 64 * 2**20
_NEEDS = "which only rasterio reads rightly: pip install 'steadygan[geo]', or save it as 8-bit RGB"


class Tiff(TiffImagePlugin.TiffImageFile):
    """A TIFF as Pillow opens it; but pages that Pillow would misread, or does not know, are opened, too.

    `foreign` says in words why the current page must not be loaded by Pillow; it is empty where it may.
    """

    foreign = ""

    def _setup(self) -> None:
        tags = self.tag_v2
        if tags.get(_SAMPLES, 1) == 1:
            tags[_PLANES] = 1  # one band is one plane, but Pillow decodes it in another way if there are "planes"
        self.foreign = misread(tags)
        if not self.foreign:
            try:
                super()._setup()
                return
            except (SyntaxError, LookupError):
                self.foreign = "a kind of values or a compression that is rare"
        width, height = tags.get(_WIDTH), tags.get(_HEIGHT)
        if tags.get(_PHOTOMETRIC, 0) not in _PICTURES or not isinstance(width, int) or not isinstance(height, int):
            raise SyntaxError("no picture of a known kind")
        self._size = (height, width) if tags.get(_ORIENTATION) in (5, 6, 7, 8) else (width, height)
        self._mode = "RGB" if tags.get(_SAMPLES, 1) > 2 else "L"
        self.tile = []


def misread(tags: Mapping[int, Any]) -> str:
    """What a page holds that Pillow would read as other pixels, in words; empty if there is nothing of the kind.

    Seen with Pillow 10.3 to 13: it heeds neither the planes of anything but 8-bit RGB nor some types of values, and
    takes pieces that a file leaves out, because they hold nothing, from the beginning of the file.
    """
    bits, kinds, extra = set(_each(tags, _BITS, 1)), set(_each(tags, _FORMAT, 1)), tags.get(_EXTRA, ())
    colours = tags.get(_PHOTOMETRIC) == _RGB and bits == {8} and kinds == {1}
    cases = {
        "bands in separate planes": tags.get(_PLANES) == 2 and not (colours and len(extra) < 2),
        "signed values of 8 bits": (bits, kinds) == ({8}, {2}),
        "whole numbers of 32 bits without sign": (bits, kinds) == ({32}, {1}),
        "16 bits multiplied by alpha": bits == {16} and _PREMULTIPLIED in extra,
        "parts that are left out": 0 in (*_each(tags, _STRIPS, 1), *_each(tags, _TILES, 1)),
    }
    return next((words for words, is_so in cases.items() if is_so), "")


def known(data: bytes) -> bytes:
    """The same TIFF, or the first page of one whose header Pillow cannot parse, with another header.

    Raises DataError if rasterio, which writes that, is missing; or what it raises.
    """
    if not data.startswith(_BIG_BIG):
        return data
    rasterio = _rasterio("64-bit offsets in big-endian order")
    from rasterio.shutil import copy

    with rasterio.io.MemoryFile(data) as given, given.open(driver="GTiff") as opened, rasterio.io.MemoryFile() as made:
        copy(opened, made.name, driver="GTiff", BIGTIFF="NO", ENDIANNESS="LITTLE")
        return bytes(made.read())


def _rasterio(what: str) -> Any:
    try:
        import rasterio
        import rasterio.io
    except ImportError as problem:
        raise DataError(f"is a TIFF with {what}, {_NEEDS}") from problem
    return rasterio


class TiffPage(NamedTuple):
    """What GDAL read, and a word about bands that are left out."""

    values: Values
    left_out: str | None = None


def read_page(data: bytes, number: int, tiff: Tiff) -> TiffPage:
    """The page that the file is positioned at, from 0, as GDAL reads it; not turned upright.

    Raises DataError if rasterio is missing or the values are none of a picture, or whatever rasterio raises.
    """
    rasterio = _rasterio(tiff.foreign)
    # inks of 8 bits are made red, green, blue and alpha unless asked for as they are, which is possible in page 0 only
    as_it_is = tiff.tag_v2.get(_PHOTOMETRIC) == _INKS and number == 0
    prefix = "GTIFF_RAW" if as_it_is else f"GTIFF_DIR:{number + 1}"
    with (
        rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING="YES", GDAL_CACHEMAX=_CACHE_BYTES),
        rasterio.io.MemoryFile(data) as file,
        rasterio.open(f"{prefix}:{file.name}", driver="GTiff") as opened,
    ):
        return _page(opened, tiff.tag_v2)


def _page(opened: Any, tags: Mapping[int, Any]) -> TiffPage:
    photometric, kinds = tags.get(_PHOTOMETRIC, 0), set(opened.dtypes)
    if len(kinds) != 1 or "complex" in opened.dtypes[0]:
        raise DataError(f"holds values of the types {', '.join(sorted(kinds))}; save what you want to see as 8-bit RGB")
    if photometric in _LAB:
        raise DataError("holds Lab colours in a form that cannot be read; save it as RGB")
    if photometric == _PALETTE:
        return TiffPage(_looked_up(opened))
    colours, alpha = _roles(tags, opened.count)
    values = np.moveaxis(opened.read([band + 1 for band in colours]), 0, -1)
    opacity: NDArray[Any] | None = None
    if alpha is not None:
        band = opened.read(alpha + 1)
        opacity = None if false_alpha(tags, alpha, band) else band
    if _PREMULTIPLIED in tags.get(_EXTRA, ()) and opacity is not None:
        values = _divided(values, opacity)
    bits = _each(tags, _BITS, 1)[0]
    found = Values(
        colours=values,
        alpha=opacity,
        bits=bits if bits < 16 else 0,
        hole=None if values.dtype == np.uint8 else hole_of(tags.get(_NODATA)),
        inverted=photometric == _WHITE_IS_ZERO,
    )
    return TiffPage(found, left_out(tags, len(colours) + (opacity is not None)))


def _roles(tags: Mapping[int, Any], count: int) -> tuple[list[int], int | None]:
    """The bands, from 0, that are colours, and the one that claims to be alpha."""
    extra = tags.get(_EXTRA, ())
    claims = [count - len(extra) + place for place, kind in enumerate(extra) if kind in (_PREMULTIPLIED, _STRAIGHT)]
    if not extra and count == 4 and tags.get(_PHOTOMETRIC) == _RGB:
        claims = [3]
    alpha = claims[0] if claims and count > 1 else None
    others = [band for band in range(count) if band != alpha]
    if tags.get(_PHOTOMETRIC) == _INKS:
        if len(others) < 4:
            raise DataError(f"holds {len(others)} printing inks where four are wanted; save it as RGB")
        return others[:4], None
    return others[: 3 if len(others) > 2 else 1], alpha


def _divided(values: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Colours that were multiplied by alpha as they were before."""
    top = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1.0
    restored: NDArray[Any] = values * (top / np.maximum(alpha, top * 1e-6)[..., None].astype(np.float32))
    if values.dtype.kind in "iu":
        restored = np.rint(np.clip(restored, 0, np.iinfo(values.dtype).max))
    return restored.astype(values.dtype, copy=False)


def _looked_up(opened: Any) -> Values:
    """The colours that the numbers of a palette stand for."""
    numbers, table = opened.read(1), opened.colormap(1)
    colours = np.zeros((max(table) + 1, 4), np.uint8)
    colours[list(table)] = list(table.values())
    found = colours[np.minimum(numbers, len(colours) - 1)]
    return Values(found[..., :3], found[..., 3] if (found[..., 3] < 255).any() else None, bits=8)


def _each(tags: Mapping[int, Any], tag: int, default: int) -> tuple[int, ...]:
    """The values of a tag that has one for each band or piece; Pillow may give a single one without its tuple."""
    found = tags.get(tag, default)
    return found if isinstance(found, tuple) else (found,)
