"""A first look at a huge image: can it be cut, from which bands, and how do they become 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from steadygan.data.settings import Tiles
from steadygan.data.sources.items import Item, Rejection
from steadygan.data.tiles.bands import BandChoice, Header, choose, is_mask
from steadygan.data.tiles.layout import MAX_WHOLE, bytes_at_once, find_driver
from steadygan.data.tiles.pixels import read_values
from steadygan.data.tiles.raster import REMOTE, Location, Raster, gdal, locate, open_raster
from steadygan.data.tiles.scene import Limits, Scene
from steadygan.data.tiles.stretch import MAX_SAMPLES, limits, pieces, spacing
from steadygan.errors import DataError

MAX_PIECE = 192 * 2**20
"""Bytes of a line of tiles of a file that stores whole lines, or of one block, that are held in memory at most."""

_MASK_SAMPLES = 250_000
_REMOTE_PIECES = 64


@dataclass(frozen=True)
class Survey:
    """Look at one image: its header, and a sample of its values if they are to be stretched to 8 bits."""

    item: Item
    tiles: Tiles

    def run(self) -> list[Scene | Rejection]:
        """The scene, or why the image cannot be cut.

        Raises ConfigError if rasterio is missing or a band is asked for that the image lacks, DataError if a server
        gives up.
        """
        where = ""
        try:
            place = locate(self.item)
            where = place.where
            with gdal(where):
                return [_survey(self.item, self.tiles, place)]
        except DataError as problem:
            if where.startswith(REMOTE) and isinstance(problem.__cause__, OSError):
                raise DataError(f"{self.item.name} {problem}") from problem
            return [Rejection(self.item.name, str(problem))]

    def lost(self) -> list[Scene | Rejection]:
        """What to say if the process died of it."""
        return [Rejection(self.item.name, "crashed GDAL, or needed more memory than there is; convert or remove it")]


def _survey(item: Item, tiles: Tiles, place: Location) -> Scene:
    where = place.where
    raster = open_raster(where, item.stamp, find_driver(place.start))
    data = raster.data
    _check(data, tiles)
    header = Header(tuple(it.name for it in data.colorinterp), tuple(data.descriptions))
    alpha, remark = _alpha(data, header, where, item)
    choice = choose(item.name, header, tiles.bands, alpha)
    scene = _scene(item, where, raster, choice, alpha)
    _check_memory(scene, tiles, place.start)
    notes = tuple(sentence for sentence in (remark, choice.note) if sentence)
    return scene.model_copy(update={"stretch": _stretch(raster, scene, tiles), "notes": notes})


def _check(data: Any, tiles: Tiles) -> None:
    if data.count == 0:
        raise DataError("holds several images and none of its own; save the one you want as GeoTIFF")
    if len(set(data.dtypes)) > 1:
        raise DataError(f"has bands of different kinds ({', '.join(data.dtypes)}); save those you want as GeoTIFF")
    if "complex" in data.dtypes[0]:
        raise DataError("holds complex numbers; save what you want to see of them (the magnitude) as GeoTIFF")
    if data.width < tiles.side or data.height < tiles.side:
        raise DataError(
            f"is {data.width}×{data.height} pixels, smaller than a tile of {tiles.side}×{tiles.side}; "
            "choose a smaller --tile"
        )


def _alpha(data: Any, header: Header, where: str, item: Item) -> tuple[int | None, str]:
    """The band that is a mask, and a sentence if one only claims to be."""
    number = header.alpha
    if number is None or header.count == 1:
        return None, ""
    raster, step = _small_enough(where, item.stamp, data, _MASK_SAMPLES)
    found = [
        raster.data.read(number, window=((top, bottom), (left, right)))[-top % step :: step, -left % step :: step]
        for left, top, right, bottom in _pieces(raster, header.count, where)
    ]
    if is_mask(np.concatenate([part.ravel() for part in found])):
        return number, ""
    return None, f"band {number} of {item.name} is marked as transparency but is no mask; it is left out"


def _scene(item: Item, where: str, raster: Raster, choice: BandChoice, alpha: int | None) -> Scene:
    from rasterio.enums import MaskFlags

    data = raster.data
    bands = choice.bands
    flags = {flag for band in bands for flag in data.mask_flag_enums[band - 1]}
    structure = data.tags(ns="IMAGE_STRUCTURE")
    palette = raster.colours is not None and bands == (1,)
    return Scene(
        name=item.name,
        address=where,
        stamp=item.stamp,
        driver=data.driver,
        width=data.width,
        height=data.height,
        block=data.block_shapes[0][::-1],
        dtype=data.dtypes[0],
        layers=data.count,
        bands=bands,
        alpha=None if alpha in bands else alpha,
        masked=bool(flags - {MaskFlags.all_valid}) and MaskFlags.alpha not in flags,
        palette=palette,
        inverted=structure.get("MINISWHITE") == "YES" and not palette,
        crs=_crs(data),
        transform=tuple(data.transform)[:6],
        label=item.label,
        attributes=dict(item.attributes),
    )


def _crs(data: Any) -> str | None:
    """EPSG code or WKT; None where the image lies nowhere."""
    if not data.crs or data.transform.is_identity:
        return None
    code = data.crs.to_epsg()
    return f"EPSG:{code}" if code else str(data.crs.to_wkt())


def _check_memory(scene: Scene, tiles: Tiles, start: Callable[[], IO[bytes]]) -> None:
    """Refuse what would have to be held in memory as a whole."""
    needed, kind = bytes_at_once(scene.driver, (scene.width, scene.height), start)
    if needed > MAX_WHOLE:
        raise DataError(
            f"is {kind}, which cannot be read in parts and needs {needed / 1e6:,.0f} MB; "
            "save it as a tiled GeoTIFF, or as an ordinary PNG or JPEG"
        )
    block = scene.line_bytes(1) // scene.width * scene.block[0] * scene.block[1]
    if block > MAX_PIECE:
        raise DataError(
            f"is stored in blocks of {block / 1e6:,.0f} MB, each of which must be read as a whole; "
            "save it as a tiled GeoTIFF (gdal_translate -co TILED=YES)"
        )
    if scene.sequential and scene.line_bytes(tiles.side) > MAX_PIECE:
        raise DataError(
            f"stores whole lines, and a row of tiles takes {scene.line_bytes(tiles.side) / 1e6:,.0f} MB; "
            "choose a smaller --tile or save it as a tiled GeoTIFF (gdal_translate -co TILED=YES)"
        )


def _stretch(raster: Raster, scene: Scene, tiles: Tiles) -> tuple[Limits, ...] | None:
    """Limits of each band: none for 8 bits, the range of the type for fewer, percentiles of a sample for more."""
    if scene.palette:
        return None
    if scene.dtype == "uint8":
        bits = int(raster.data.tags(scene.bands[0], ns="IMAGE_STRUCTURE").get("NBITS", 8))
        return None if bits >= 8 else ((0.0, 2.0**bits - 1),) * len(scene.bands)
    small, step = _small_enough(scene.address, scene.stamp, raster.data, MAX_SAMPLES)
    found: list[list[Any]] = [[] for _ in scene.bands]
    for piece in _pieces(small, scene.layers, scene.address):
        values, valid = read_values(small, scene, piece, step)
        for kept, band, is_data in zip(found, values, valid, strict=True):
            kept.append(band[is_data])
    stretch = tuple(limits(np.concatenate(parts), tiles.percentiles) for parts in found)
    if not any(part.size for parts in found for part in parts):
        raise DataError('holds no valid value: all of it is "no data"')
    return stretch


def _small_enough(where: str, stamp: int, data: Any, at_most: int) -> tuple[Raster, int]:
    """The smallest overview that still has so many pixels, or the image itself, and every how many to look at."""
    step = spacing((data.width, data.height), at_most)
    factors = data.overviews(1)
    fitting = [index for index, factor in enumerate(factors) if factor <= step]
    if not fitting:
        return open_raster(where, stamp, data.driver), step
    level = max(fitting, key=lambda index: factors[index])
    return open_raster(where, stamp, data.driver, level), max(1, step // factors[level])


def _pieces(raster: Raster, layers: int, where: str) -> list[tuple[int, int, int, int]]:
    """The parts of an image to look at: all, but of one on a server that has no overviews only some."""
    far = where.startswith(REMOTE) and not raster.data.overviews(1) and raster.data.width * raster.data.height > 2**22
    return pieces(raster.data, layers, _REMOTE_PIECES if far else None)
