"""`prepare` and `inspect`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steadygan.cli.answers import answer
from steadygan.cli.options import Json, how_many, writable
from steadygan.names import shown

if TYPE_CHECKING:
    from steadygan.data import Dataset, PrepareSettings
    from steadygan.data.sources.opening import AnySource
    from steadygan.training.console import Reporter

Sources = Annotated[
    list[str] | None,
    typer.Argument(help="Folders, archives, tables, idx, parquet, hub:USER/NAME, builtin:NAME, one or several."),
]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the data set.")]
Size = Annotated[int | None, typer.Option(help="Pixels of a side. [default: 64, or that of the tiles]")]
Fit = Annotated[
    str, typer.Option(help="crop the middle, pad, stretch, or take random-crops, to get a square.", metavar="HOW")
]
Crop = Annotated[str, typer.Option(help="middle, or faces: the square around the largest face.")]
Crops = Annotated[int | None, typer.Option(help="How many random-crops of each image. [default: 4]")]
Channels = Annotated[str, typer.Option(help="auto, rgb or grey.")]
Frames = Annotated[str, typer.Option(help="first or all, of animations and files of several pages.")]
Background = Annotated[str, typer.Option(help="R,G,B behind transparency and padding.")]
Duplicates = Annotated[str, typer.Option(help="keep or remove files with the same bytes.")]
Labels = Annotated[
    str, typer.Option(help="auto: of tables, or class folders; folders: of those alone; none: no classes.")
]
HeldOut = Annotated[float, typer.Option(help="Share that training never sees, at most 5,000 images.")]
Limit = Annotated[
    int | None, typer.Option(help="Use no more than so many files, taken evenly.", parser=how_many, metavar="N")
]
Tile = Annotated[int | None, typer.Option(help="Cut huge images, GeoTIFF too, into tiles of so many pixels.")]
Stride = Annotated[int | None, typer.Option(help="With --tile: pixels from tile to tile. [default: those of a tile]")]
Content = Annotated[float | None, typer.Option(help="With --tile: share of a tile that must be data. [default: 0.5]")]
Bands = Annotated[str | None, typer.Option(help="With --tile: bands for grey or R,G,B, from 1, as 4,3,2.")]
Map = Annotated[
    str | None, typer.Option(help="Map tiles from a server: its address with {z}, {x} and {y}.", metavar="URL")
]
Box = Annotated[str | None, typer.Option(help="With --xyz: west,south,east,north in degrees.", metavar="BOX")]
Zoom = Annotated[int | None, typer.Option(help="With --xyz: level of the tiles.")]
Rate = Annotated[float | None, typer.Option(help="With --xyz: requests a second, at most. [default: 2]")]
Attribution = Annotated[str | None, typer.Option(help="With --xyz: whose images these are.")]
Yes = Annotated[bool, typer.Option("--yes", help="With --xyz: fetch more than 10,000 tiles without asking.")]
Workers = Annotated[int | None, typer.Option(help="Processes. [default: one per core]", min=0)]


def prepare(
    source: Sources = None,
    out: Out = ...,  # type: ignore[assignment]
    size: Size = None,
    fit: Fit = "crop",
    crop: Crop = "middle",
    crops: Crops = None,
    channels: Channels = "auto",
    frames: Frames = "first",
    background: Background = "255,255,255",
    duplicates: Duplicates = "keep",
    labels: Labels = "auto",
    held_out: HeldOut = 0.1,
    limit: Limit = None,
    tile: Tile = None,
    stride: Stride = None,
    min_content: Content = None,
    bands: Bands = None,
    xyz: Map = None,
    bbox: Box = None,
    zoom: Zoom = None,
    rate: Rate = None,
    attribution: Attribution = None,
    yes: Yes = False,
    workers: Workers = None,
) -> None:
    """Check, convert and fit images once, into a data set that trains without delay.

    Called again it takes up only what is new or changed; interrupted, it goes on where it stopped.
    """
    from steadygan.data import prepare as prepare_sources
    from steadygan.training.console import reporter

    settings = _settings(
        size=size,
        fit=_fit(fit, crop, crops),
        crops=crops or 4,
        channels=channels,
        frames=frames,
        background=_numbers("background", background, "R,G,B"),
        duplicates=duplicates,
        labels=labels,
        held_out=held_out,
        limit=limit,
        tiles=_tiles(tile, stride, min_content, bands),
    )
    maps = {"bbox": bbox and _numbers("bbox", bbox, "west,south,east,north"), "zoom": zoom, "rate": rate}
    given = {name: it for name, it in {**maps, "attribution": attribution}.items() if it is not None}
    with closing(reporter()) as console:
        fetched = _fetched(xyz, given, yes, console)
        dataset = prepare_sources([*(source or ()), *fetched], out, settings, workers, console.preparing)
    for line in _said(dataset):
        typer.echo(shown(line))


def inspect(
    path: Annotated[Path, typer.Argument(help="Prepared data set, or what `prepare` takes.")],
    size: Size = None,
    fit: Fit = "crop",
    tile: Tile = None,
    bands: Bands = None,
    labels: Labels = "auto",
    html: Annotated[
        Path | None, typer.Option(help="Write a page with pictures into this file.", callback=writable)
    ] = None,
    json: Json = None,
) -> None:
    """Say what images there are, what is wrong with some, and what would be converted."""
    from steadygan.data import inspect as inspect_path
    from steadygan.training.console import reporter

    settings = _settings(size=size, fit=fit, labels=labels, tiles=_tiles(tile, None, None, bands))
    with closing(reporter()) as console:
        found = inspect_path(path, settings, progress=console.preparing, page=html)
    answer(found, json, lambda: typer.echo(found))
    if not found.images:
        from steadygan.errors import DataError

        raise DataError(f"there is no image in {path} that can be used")


def _settings(**given: Any) -> PrepareSettings:
    from steadygan.config import resolve
    from steadygan.data import PrepareSettings

    return resolve(PrepareSettings, given)


def _fit(fit: str, crop: str, crops: int | None) -> str:
    """One setting of the two options: `--crop faces` is a way to crop."""
    from steadygan.errors import ConfigError

    if crop not in ("middle", "faces"):
        raise ConfigError(f"crop: '{crop}' is neither middle nor faces")
    if crop == "faces" and fit != "crop":
        raise ConfigError(f"crop: faces are cropped; leave --fit {fit} out")
    if crops is not None and fit != "random-crops":
        raise ConfigError("crops: only random crops are several of each image; add --fit random-crops")
    return "faces" if crop == "faces" else fit


def _numbers(option: str, text: str, form: str = "") -> tuple[float, ...]:
    """The numbers of an option that takes several, as many as `form` shows."""
    from steadygan.errors import ConfigError

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as problem:
        raise ConfigError(f"{option}: '{text}' should be numbers with commas between them") from problem
    if form and len(numbers) != len(form.split(",")):
        raise ConfigError(f"{option}: '{text}' should be {len(form.split(','))} numbers: {form}")
    return tuple(int(number) if number.is_integer() else number for number in numbers)


def _tiles(side: int | None, stride: int | None, min_content: float | None, bands: str | None) -> dict[str, Any] | None:
    chosen = {"stride": stride, "min_content": min_content, "bands": bands and _numbers("bands", bands)}
    given = {name: value for name, value in chosen.items() if value is not None}
    if side is None:
        _refuse(given, "only tiles have it; give --tile with the pixels of a tile, too")
        return None
    return {"side": side, **given}


def _refuse(given: dict[str, Any], why: str) -> None:
    """Say of an option that it would do nothing."""
    from steadygan.errors import ConfigError

    for option in given:
        raise ConfigError(f"{option}: {why}")


def _fetched(url: str | None, given: dict[str, Any], yes: bool, console: Reporter) -> list[AnySource]:
    """Map tiles, all fetched; before many are, the user is asked."""
    from steadygan.config import resolve
    from steadygan.data.tiles.xyz import ASK_FROM, Xyz
    from steadygan.errors import ConfigError

    if url is None:
        _refuse(given | ({"yes": yes} if yes else {}), "is of map tiles from a server; give its address with --xyz")
        return []
    missing = [name for name in ("bbox", "zoom") if name not in given]
    if missing:
        raise ConfigError(f"xyz: say which tiles with --{' and --'.join(missing)}")
    tiles = resolve(Xyz, {"url": url, **given})
    console.say(tiles.estimate())
    if tiles.count() > ASK_FROM and not yes:
        if not sys.stdin.isatty():
            raise ConfigError(
                "xyz: so many tiles are not fetched unasked; choose a smaller --bbox or --zoom, or add --yes"
            )
        typer.confirm("Fetch them?", abort=True)
    tiles.download(console.preparing, confirmed=True)
    return [tiles]


def _said(dataset: Dataset) -> Iterator[str]:
    """What `prepare` says of the set that it made."""
    held = len(dataset.held_out)
    yield f"{len(dataset):,} images, {dataset.spec}, {held:,} of them held out, in {dataset.path}"
    yield dataset.meta["converted"]
    passed = dataset.meta["counts"]["passed_over"]
    if passed:
        yield "passed over: " + ", ".join(f"{number:,} {kind}" for kind, number in passed.items())
    yield from dataset.on_rejected()
    yield from dataset.advice
    yield f"look at {dataset.path / 'montage.png'}"
