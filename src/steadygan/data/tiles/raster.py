"""Any raster that GDAL reads, opened once per process and kept within little memory."""

from __future__ import annotations

import os
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steadygan.data.sources.archive import open_member
from steadygan.data.sources.items import Item, open_file
from steadygan.data.tiles.fetch import USER_AGENT, open_url
from steadygan.data.tiles.remote import open_start
from steadygan.data.tiles.scene import identity
from steadygan.errors import ConfigError, DataError
from steadygan.names import is_utf8
from steadygan.places import cache_folder
from steadygan.rundir import storage_errors

REMOTE = "/vsicurl/"
CACHE_BYTES = 64 * 2**20

_OPTIONS: dict[str, Any] = {
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",  # a JPEG that is cut short is an error, not grey
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_CONNECTTIMEOUT": "15",
    "GDAL_HTTP_LOW_SPEED_TIME": "30",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_USERAGENT": USER_AGENT,
}
_REMOTE_OPTIONS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_INGESTED_BYTES_AT_OPEN": "32768"}


class Location(NamedTuple):
    """Where an item is: what GDAL is to open for it, and a way to read its beginning without reading it all."""

    where: str
    start: Callable[[], IO[bytes]]


def locate(item: Item) -> Location:
    """A file, a member of a .zip or .tar in place, or a URL; anything else is unpacked into the cache first.

    So is what has a name that is no UTF-8, which GDAL does not take.
    """
    opener = item.open
    named = isinstance(opener, partial) and all(map(is_utf8, opener.args[:2]))
    function, arguments = (opener.func, opener.args) if isinstance(opener, partial) and named else (None, ())
    if function is open_file:
        return Location(os.path.abspath(os.fsdecode(arguments[0])), opener)
    if function is open_url:
        return Location(REMOTE + str(arguments[0]), partial(open_start, *arguments))
    if function is open_member:
        path, _, start, size = arguments
        return Location(f"/vsisubfile/{start}_{size},{Path(path).absolute()}", opener)
    if _is_member(arguments):
        path, member, *_ = arguments
        return Location(f"/vsizip/{{{path.absolute()}}}/{member}", partial(_member, path, member))
    file = _unpacked(item)
    return Location(str(file), partial(open_file, file))


def _is_member(arguments: tuple[Any, ...]) -> bool:
    """Whether what opens an item is given a .zip and the name of a member."""
    return (
        len(arguments) > 1
        and isinstance(arguments[0], Path)
        and isinstance(arguments[1], str)
        and zipfile.is_zipfile(arguments[0])
    )


def _member(path: Path, member: str) -> IO[bytes]:
    return zipfile.ZipFile(path).open(member)


def _unpacked(item: Item) -> Path:
    """A copy in a file of what can only be read from beginning to end; made once and kept in the cache."""
    place = cache_folder() / "scenes" / f"{identity(f'{item.name} {item.size} {item.stamp}'):014x}"
    if not place.exists():
        with storage_errors(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(f"{place.name}.{os.getpid()}.part")
            with item.open() as stream, part.open("wb") as file:
                shutil.copyfileobj(stream, file, 2**20)
            part.replace(place)
    return place


@contextmanager
def gdal(where: str = "", cache: int = CACHE_BYTES) -> Iterator[None]:
    """GDAL with our settings, for the opening and reading of `where`; what it raises becomes DataError.

    `cache` is how many bytes of decoded blocks are kept. Raises ConfigError if rasterio is not installed.
    """
    try:
        import rasterio
    except ImportError as problem:
        raise ConfigError('tiles need rasterio: pip install "steadygan[geo]"') from problem
    options = _OPTIONS | {"GDAL_CACHEMAX": cache} | (_REMOTE_OPTIONS if where.startswith(REMOTE) else {})
    with rasterio.Env(**options), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an image lies nowhere on earth is no fault
        try:
            yield
        except (ConfigError, DataError):
            raise
        except MemoryError as problem:
            raise DataError("needs more memory than there is; choose a smaller --tile") from problem
        except Exception as problem:
            raise DataError(f"cannot be read ({why(problem)})") from problem


def why(problem: BaseException) -> str:
    """What GDAL said first, on one line."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return " ".join(str(problem).split())[:300] or type(problem).__name__


@dataclass(frozen=True, eq=False)
class Raster:
    """An open image: `data` is the rasterio data set, `colours` uint8 (N, 4) its table of red, green, blue, alpha."""

    data: Any
    colours: NDArray[np.uint8] | None


def open_raster(where: str, stamp: int, driver: str, overview: int | None = None) -> Raster:
    """An image, or one of its overviews; opened once per process. To be called inside `gdal()`."""
    return _opened(where, stamp, driver, overview, os.getpid())


@lru_cache(maxsize=2)
def _opened(where: str, stamp: int, driver: str, overview: int | None, process: int) -> Raster:
    import rasterio

    options = {} if overview is None else {"overview_level": overview}
    data = rasterio.open(where, driver=driver, **options)
    return Raster(data, _colour_table(data))


def _colour_table(data: Any) -> NDArray[np.uint8] | None:
    from rasterio.enums import ColorInterp

    if data.count == 0 or data.colorinterp[0] is not ColorInterp.palette:
        return None
    table = data.colormap(1)
    colours = np.zeros((2 ** (np.dtype(data.dtypes[0]).itemsize * 8), 4), np.uint8)
    for number, colour in table.items():
        colours[number] = colour
    return colours
