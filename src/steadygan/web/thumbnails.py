"""Small pictures of grids, made when they are first looked at and kept in memory."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from hashlib import sha256
from pathlib import Path
from threading import Lock

from PIL import Image
from starlette.exceptions import HTTPException
from starlette.responses import Response

from steadygan.report.pictures import Unreadable, opened
from steadygan.rundir import RunDir

_SIDE = 360  # pixels
_KEPT = 600  # of about 15 kB each
_LONGEST_NUMBER = 15  # digits of images seen that a browser still counts exactly


class GridThumbnails:
    """The newest grids of runs."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Path, int, int], bytes] = OrderedDict()
        self._lock = Lock()

    def newest(self, run: RunDir, known: str | None) -> Response:
        """The newest grid of a run; nothing if it has none yet, 404 if it cannot be shown."""
        file = newest_sample(run)
        if file is None:
            return Response(status_code=204)  # as every run begins; a browser counts a 404 as an error
        there = file.stat()
        key = file, there.st_mtime_ns, there.st_size
        digest = f'"{sha256(repr(key).encode(errors="backslashreplace")).hexdigest()[:20]}"'
        headers = {"etag": digest, "cache-control": "no-cache"}
        if known == digest:
            return Response(status_code=304, headers=headers)
        with self._lock:
            content = self._kept.get(key)
        if content is None:
            content = small(file)
            with self._lock:
                self._kept[key] = content
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return Response(content, headers=headers, media_type="image/webp")


def small(file: Path) -> bytes:
    """A grid as a small picture, in WebP."""
    try:
        picture = opened(file)
    except Unreadable as problem:
        raise HTTPException(404, f"{file.name} cannot be shown: {problem}") from problem
    ratio = min(1.0, _SIDE / max(picture.size))
    size = max(1, round(ratio * picture.width)), max(1, round(ratio * picture.height))
    made = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0) if ratio < 1 else picture
    out = io.BytesIO()
    made.save(out, "WEBP", quality=70, method=2)
    return out.getvalue()


def numbers_of(run: RunDir, prefix: str = "") -> list[int]:
    """Images seen at each grid that lies in the run itself, ascending; `prefix` is that of the file names."""
    try:
        with os.scandir(run.samples) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError:
        return []
    stems = (name[len(prefix) : -4] for name in names if name.startswith(prefix) and name.endswith(".png"))
    return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdecimal() and len(stem) <= _LONGEST_NUMBER)


def newest_sample(run: RunDir) -> Path | None:
    """The newest grid from the fixed latents."""
    numbers = numbers_of(run)
    file = run.sample(numbers[-1]) if numbers else None
    return file if file and inside(file, run.path) and file.is_file() else None


def inside(file: Path, folder: Path) -> bool:
    """Whether a file really lies in a folder, whatever links there are."""
    return file.resolve().is_relative_to(folder.resolve())
