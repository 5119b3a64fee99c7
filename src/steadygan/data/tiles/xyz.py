"""Map tiles from a server: fetched once, politely, into a cache, and images like any others from then on."""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from steadygan.data.reading.decode import quiet
from steadygan.data.reading.reasons import explain
from steadygan.data.sources.items import Found, Item, Rejection, open_file
from steadygan.data.tiles.fetch import Polite, Refused, Url, shown
from steadygan.data.tiles.mercator import MAX_LATITUDE, MAX_ZOOM, check_template, tile_place, tile_range, tile_url
from steadygan.errors import ConfigError, DataError
from steadygan.part import Value
from steadygan.places import cache_folder
from steadygan.rundir import storage_errors

ASK_FROM = 10_000
"""More tiles than this are only fetched when the user has said yes to their number."""

MOST = 2_000_000
"""More tiles than this, eleven days at the usual rate, are not fetched at all."""

MISSING = "tile the server does not have"
BLANK = "blank tile"

_AT_ONCE = 2
_TYPICAL_BYTES = 20_000
_LOOKED_AT = 20_000  # tiles that an estimate looks for in the cache
_ABSENT = frozenset({204, 404, 410})  # there is nothing at this place
_STOP = frozenset({401, 403, 407, 451})
_KINDS = {".none": MISSING, ".blank": BLANK}

Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Spot = tuple[int, int]
Progress = Callable[[int, int], None]


class Xyz(Value):
    """All map tiles of one zoom level that touch a box.

    - `url`: http(s) address with {z}, {x}, {y} (or {-y} with rows from the south, or {q}, a quadkey), and {s}.
    - `bbox`: west, south, east, north in degrees. A box across the antimeridian is given as two sources.
    - `zoom`: 0 to 24.
    - `rate`: requests a second, at most; two are under way at once.
    - `servers`: the letters that {s} stands for, in turn.
    - `attribution`: whose images they are; most terms of use want it named. It is written into the data set.
    """

    kind: Literal["xyz"] = "xyz"
    url: Url
    bbox: tuple[Longitude, Latitude, Longitude, Latitude]
    zoom: int = Field(ge=0, le=MAX_ZOOM)
    rate: float = Field(default=2.0, gt=0, le=50)
    servers: str = Field(default="abc", min_length=1)
    attribution: str = ""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("an address of tiles begins with http:// or https://")
        check_template(self.url)
        west, south, east, north = self.bbox
        if south >= north:
            raise ValueError(f"the box is west,south,east,north: its south {south:g} is not below its north {north:g}")
        if west >= east:
            raise ValueError(
                f"the box is west,south,east,north: its west {west:g} is not left of its east {east:g}; "
                f"one across the antimeridian is given as two: {west:g} to 180 and -180 to {east:g}"
            )
        if south >= MAX_LATITUDE or north <= -MAX_LATITUDE:
            raise ValueError(f"map tiles end at {MAX_LATITUDE:.2f} degrees north and south")
        return self

    @property
    def name(self) -> str:
        """What the source is called among others."""
        return f"{urlsplit(self.url).hostname or 'tiles'}-z{self.zoom}"

    @property
    def where(self) -> str:
        """What to call the source in messages."""
        return shown(self.url)

    @property
    def cache(self) -> Path:
        """Where tiles of this address are kept, for this box and any other."""
        return cache_folder() / "xyz" / hashlib.sha256(self.url.encode()).hexdigest()[:16]

    def spots(self) -> Iterator[Spot]:
        """Column and row of each tile, row by row from the north-west."""
        columns, rows = tile_range(self.bbox, self.zoom)
        return ((x, y) for y in rows for x in columns)

    def count(self) -> int:
        """Number of tiles in the box, whether the server has them or not."""
        columns, rows = tile_range(self.bbox, self.zoom)
        return len(columns) * len(rows)

    def estimate(self) -> str:
        """One sentence: how many tiles these are, about how many megabytes, and how many minutes it will take."""
        number = self.count()
        here = sum(self._kept(spot) is not None for spot in self.spots()) if number <= _LOOKED_AT else 0
        left = number - here
        minutes = left / self.rate / 60
        time = f"{minutes:,.0f} minutes" if minutes >= 1 else f"{left / self.rate:,.0f} seconds"
        already = f" ({here:,} of them are here already)" if here else ""
        size = f"some {left * _TYPICAL_BYTES / 1e6:,.1f} MB to fetch"
        return f"{number:,} tiles of zoom {self.zoom}{already}: {size}, at least {time} at {self.rate:g} a second"

    def download(self, progress: Progress | None = None, confirmed: bool = False) -> None:
        """Fetch what is not in the cache yet; an earlier attempt that was interrupted goes on where it ended.

        `progress` is called with (done, total). Raises ConfigError for more than 2,000,000 tiles, and for more than
        10,000 if the user has not `confirmed` it; DataError if the server refuses or gives up. What was fetched until
        then is kept.
        """
        total = self.count()
        if total > MOST:
            raise ConfigError(f"{self.estimate()}; more than {MOST:,} tiles are refused; choose a smaller box or zoom")
        if total > ASK_FROM and not confirmed:
            raise ConfigError(f"{self.estimate()}; that has to be confirmed, or choose a smaller box or zoom")
        missing = [spot for spot in self.spots() if self._kept(spot) is None]
        server = Polite(self.rate)
        with storage_errors(self.cache), ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="tiles") as threads:
            waiting = iter(missing)
            running: set[Future[None]] = {threads.submit(self._fetch, server, at) for at in islice(waiting, _AT_ONCE)}
            done = total - len(missing)
            while running:
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for one in finished:
                    self._check(one)
                done += len(finished)
                if progress:
                    progress(done, total)
                running |= {threads.submit(self._fetch, server, at) for at in islice(waiting, len(finished))}

    def entries(self) -> Iterator[Found]:
        """The fetched tiles as images with attributes z, x, y and their place; a word for each that is blank or absent.

        Raises DataError if they have not all been fetched.
        """
        for spot in self.spots():
            kept = self._kept(spot)
            if kept is None:
                reason = self._path(spot, ".refused")
                if not reason.exists():
                    raise DataError(f"{shown(self.url)}: not all tiles have been fetched; fetch them first")
                yield Rejection(self._file(spot), reason.read_text(encoding="utf-8"))
            elif kept.suffix in _KINDS:
                yield _KINDS[kept.suffix]
            else:
                data = kept.read_bytes()
                yield Item(
                    name=self._file(spot),
                    size=len(data),
                    stamp=zlib.crc32(data),
                    open=partial(open_file, str(kept)),
                    attributes={"z": self.zoom, "x": spot[0], "y": spot[1]},
                    in_folders=False,
                    place=tile_place(self.zoom, *spot),
                )

    def _check(self, finished: Future[None]) -> None:
        try:
            finished.result()
        except DataError as problem:
            raise DataError(f"{problem}; what was fetched is kept, the same command goes on from here") from problem

    def _fetch(self, server: Polite, spot: Spot) -> None:
        """Fetch one tile and write down what it is: an image, blank, absent, or something else and why."""
        url = tile_url(self.url, self.zoom, *spot, self.servers)
        try:
            kept = server.ask(url, _judged)
        except Refused as problem:
            if problem.code in _STOP:
                words = f"the server refuses (HTTP {problem.code}); check the address and your key"
                raise DataError(f"{shown(url)}: {words}") from problem
            kept = (".none", b"") if problem.code in _ABSENT else (".refused", str(problem).encode())
        self._keep(spot, *kept)

    def _keep(self, spot: Spot, suffix: str, data: bytes) -> None:
        path = self._path(spot, suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_bytes(data)
        part.replace(path)

    def _kept(self, spot: Spot) -> Path | None:
        """The file that settles a tile: its image, or the note that it is blank or absent; not a refusal."""
        found = (self._path(spot, suffix) for suffix in (".tile", *_KINDS))
        return next((path for path in found if path.exists()), None)

    def _path(self, spot: Spot, suffix: str) -> Path:
        return self.cache / str(self.zoom) / str(spot[0]) / f"{spot[1]}{suffix}"

    def _file(self, spot: Spot) -> str:
        return f"{self.zoom}/{spot[0]}/{spot[1]}"


def _judged(answer: Any) -> tuple[str, bytes]:
    """What an answer is, as the suffix and content of its file: an image, one of a single colour, or why it is none."""
    data: bytes = answer.read()
    if answer.status in _ABSENT:
        return ".none", b""
    try:
        with quiet(), Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image.convert("RGBA"))
    except Exception as problem:  # noqa: BLE001  whatever a plugin raises, it is not an image that can be used
        return ".refused", explain(data, problem).encode()
    visible = pixels[pixels[..., 3] > 0]
    blank = not len(visible) or bool((visible == visible[0]).all())
    return (".blank", b"") if blank else (".tile", data)
