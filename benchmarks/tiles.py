"""Time and memory of cutting a huge GeoTIFF into tiles, beside GDAL's own way of doing it.

    python benchmarks/tiles.py make IMAGE.jpg big.tif [--layout tiled|striped] [--compress deflate|jpeg]
    python benchmarks/tiles.py cut big.tif [--tile 256] [--size S] [--workers 2]
    python benchmarks/tiles.py gdal big.tif [--tile 256] [--workers 2] [--out tif|raw]

`make` repeats a real picture, each time mirrored, turned or shifted in brightness, so that no two parts are equal.
`cut` runs our tasks and appends the tiles to one array, as `prepare` does. `gdal` reads each window with GDAL and
writes it as an uncompressed GeoTIFF of its own (what gdal_retile.py does) or as raw bytes into one file per process.
Both print seconds, tiles, and the peak of the memory of all processes together and of the largest one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from steadygan.data.pool import run_tasks
from steadygan.data.settings import PrepareSettings, Tiles
from steadygan.data.sources.items import Item, open_file
from steadygan.data.tiles.scene import Scene
from steadygan.data.tiles.strips import cut
from steadygan.data.tiles.survey import Survey
from steadygan.data.work import Row, groups

Image.MAX_IMAGE_PIXELS = None


class Memory(threading.Thread):
    """Watches the resident memory, shared pages counted once, of this process and its children."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.together = self.largest = 0
        self.running = True

    def run(self) -> None:
        me = psutil.Process()
        while self.running:
            sizes = []
            for process in [me, *me.children(recursive=True)]:
                try:
                    sizes.append(process.memory_full_info().pss)
                except psutil.Error:
                    continue
            self.together, self.largest = max(self.together, sum(sizes)), max(self.largest, *sizes)
            time.sleep(0.02)


def measured(work: Callable[[], dict[str, object]]) -> None:
    memory = Memory()
    memory.start()
    start = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - start
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    memory.running = False
    memory.join()
    peaks = {"peak_all_mb": round(memory.together / 1e6), "peak_one_mb": round(memory.largest / 1e6)}
    print(
        json.dumps(
            {
                "seconds": round(seconds, 2),
                "cpu_seconds": round(sum(u.ru_utime + u.ru_stime for u in usage), 2),
                **peaks,
                **found,
            }
        )
    )


def make(options: argparse.Namespace) -> None:
    picture = np.asarray(Image.open(options.image).convert("RGB"))
    side = min(picture.shape[:2])
    picture = picture[:side, :side]
    layouts = {
        "tiled": {"tiled": True, "blockxsize": options.block, "blockysize": options.block},
        "striped": {"blockysize": 16},
    }
    compress = {"compress": options.compress} | ({"photometric": "ycbcr"} if options.compress == "jpeg" else {})
    profile = {
        "driver": "GTiff", "width": options.width, "height": options.height, "count": 3, "dtype": "uint8",
        "interleave": "pixel", "crs": "EPSG:32618", "transform": from_origin(500000, 4500000, 0.5, 0.5),
        "BIGTIFF": "IF_SAFER", **layouts[options.layout], **compress,
    }  # fmt: skip
    with rasterio.open(options.file, "w", **profile) as file:
        for row, top in enumerate(range(0, options.height, 512)):
            high = min(512, options.height - top)
            at = (row * 512) % side
            line = np.concatenate([picture, picture])[at : at + high]
            parts = [
                np.clip(
                    np.rot90(line, 2 * ((row + n) % 2), (0, 1)).astype(np.int16) + 3 * ((row * 7 + n) % 9) - 12, 0, 255
                )
                for n in range(options.width // side + 1)
            ]
            lines = np.concatenate(parts, axis=1)[:, : options.width].astype(np.uint8)
            file.write(lines.transpose(2, 0, 1), window=((top, top + high), (0, options.width)))


def ours(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    path = Path(options.file)
    item = Item(path.name, path.stat().st_size, path.stat().st_mtime_ns, partial(open_file, str(path)))
    tiles, settings = Tiles(side=options.tile), PrepareSettings(size=options.size)
    scene = next(run_tasks([[Survey(item, tiles)]], options.workers))[0][0]
    if not isinstance(scene, Scene):
        raise SystemExit(str(scene))
    found: Counter[str] = Counter()
    with (folder / "images.npy").open("wb") as file:
        for results in run_tasks(groups(cut(scene, tiles, settings), settings.size or tiles.side), options.workers):
            for result in (one for some in results for one in some):
                found["tiles" if isinstance(result, Row) else str(result)] += 1
                if isinstance(result, Row):
                    file.write(result.pixels.tobytes())
    return dict(found)


def gdal_rows(path: str, side: int, rows: list[int], folder: Path, out: str, number: int) -> int:
    tiles = 0
    with rasterio.open(path) as source, (folder / f"{number}.raw").open("wb") as raw:
        for top in rows:
            for left in range(0, source.width - side + 1, side):
                pixels = source.read(window=((top, top + side), (left, left + side)))
                tiles += 1
                if out == "raw":
                    raw.write(np.ascontiguousarray(pixels.transpose(1, 2, 0)).tobytes())
                    continue
                profile = {"driver": "GTiff", "width": side, "height": side, "count": source.count, "dtype": "uint8"}
                profile |= {"crs": source.crs, "transform": source.transform}
                with rasterio.open(folder / f"{top}_{left}.tif", "w", **profile) as target:
                    target.write(pixels)
    return tiles


def gdals(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    with rasterio.open(options.file) as source:
        tops = list(range(0, source.height - options.tile + 1, options.tile))
    # neighbouring rows stay together, so that GDAL's cache of blocks helps as much as it can
    shares = np.array_split(tops, options.workers)
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        jobs = [
            (options.file, options.tile, share.tolist(), folder, options.out, number)
            for number, share in enumerate(shares)
        ]
        return {"tiles": sum(pool.starmap(gdal_rows, jobs)), "out": options.out}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    making = commands.add_parser("make")
    making.add_argument("image")
    making.add_argument("file")
    making.add_argument("--layout", choices=("tiled", "striped"), default="tiled")
    making.add_argument("--compress", choices=("deflate", "jpeg"), default="deflate")
    making.add_argument("--block", type=int, default=256)
    making.add_argument("--width", type=int, default=23_000)
    making.add_argument("--height", type=int, default=12_000)
    making.set_defaults(run=make)
    for name, work in (("cut", ours), ("gdal", gdals)):
        command = commands.add_parser(name)
        command.add_argument("file")
        command.add_argument("--tile", type=int, default=256)
        command.add_argument("--size", type=int)
        command.add_argument("--workers", type=int, default=2)
        command.add_argument("--out", choices=("tif", "raw"), default="tif")
        command.add_argument("--folder", type=Path, help="where the tiles are written for a moment")
        command.set_defaults(run=partial(timed, work))
    options = parser.parse_args()
    options.run(options)


def timed(work: Callable[[argparse.Namespace, Path], dict[str, object]], options: argparse.Namespace) -> None:
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        measured(lambda: work(options, folder))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
