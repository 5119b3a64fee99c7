"""How fast images are prepared, against the loop that everyone writes."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import BaseModel

from steadygan.config import resolve
from steadygan.data import PrepareSettings, is_missing, prepare
from steadygan.data.builtin import Critters
from steadygan.data.pool import cores
from steadygan.data.sources.folder import Folder
from steadygan.data.sources.opening import list_items
from steadygan.errors import ConfigError, DataError

_DRAWN_SIDE = 112


class PrepareReport(BaseModel):
    """What `bench prepare` prints: medians of the rounds in seconds, and how many times faster prepare is.

    `largest_difference` and `mean_difference` are between the pixels of both, in levels of 255.
    """

    images: int
    processes: int
    plain_seconds: float
    prepare_seconds: float
    ratio: float
    ratios: list[float]
    largest_difference: int
    mean_difference: float


def plain_loop(paths: list[Path], size: int) -> np.ndarray:
    """What everyone writes, not ours: open, convert, cut the middle square, Lanczos; uint8 (N, S, S, 3)."""
    images = []
    for path in paths:
        image = Image.open(path).convert("RGB")
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
        images.append(np.asarray(square))
    return np.stack(images)


def bench_prepare(folder: Path | None, size: int, rounds: int, drawn: int) -> PrepareReport:
    """Time both on the files of a folder, or on `drawn` JPEGs of 112 pixels drawn for it, in turn.

    Both end with an array on disk. The plain loop checks nothing; prepare also hashes every file, looks for
    damage, duplicates and oddities, writes an index and a montage, and would survive a kill.
    """
    settings = resolve(PrepareSettings, {"size": size, "channels": "rgb"})
    if folder and is_missing(folder):
        raise ConfigError(f"there is no folder {folder}; check the path")
    with tempfile.TemporaryDirectory() as made:
        source = folder or _draw(Path(made) / "drawn", drawn)
        paths = [source / item.name for item in list_items([Folder(path=source)]).items]
        if len(paths) < 2:
            raise DataError(f"{source} holds fewer than two images; give a folder with some hundred")
        plain, ours = [], []
        for number in range(rounds):
            start = time.perf_counter()
            pixels = plain_loop(paths, size)
            np.save(Path(made) / "plain.npy", pixels)
            plain.append(time.perf_counter() - start)
            start = time.perf_counter()
            dataset = prepare(source, Path(made) / f"set-{number}", settings)
            ours.append(time.perf_counter() - start)
        if len(dataset) != len(pixels):
            raise DataError(f"{source} holds files that prepare refuses; give a folder with good images only")
        difference = np.abs(np.asarray(dataset.images, np.int16) - pixels)
    return PrepareReport(
        images=len(paths),
        processes=cores(),
        plain_seconds=round(statistics.median(plain), 3),
        prepare_seconds=round(statistics.median(ours), 3),
        ratio=round(statistics.median(plain) / statistics.median(ours), 3),
        ratios=[round(one / other, 3) for one, other in zip(plain, ours, strict=True)],
        largest_difference=int(difference.max()),
        mean_difference=round(float(difference.mean()), 4),
    )


def _draw(folder: Path, count: int) -> Path:
    folder.mkdir()
    for index in range(count):
        Image.fromarray(Critters().draw(index, _DRAWN_SIDE).image).save(folder / f"{index:05d}.jpg", quality=90)
    return folder
