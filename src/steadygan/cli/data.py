"""`prepare` and `inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from steadygan.data import Inspection, PrepareSettings

Size = Annotated[int | None, typer.Option(help="Pixels of a side. [default: 64]")]
Fit = Annotated[str, typer.Option(help="crop the middle, pad, or stretch to a square.")]
Channels = Annotated[str, typer.Option(help="auto, rgb or gray.")]


def prepare(
    source: Annotated[list[str], typer.Argument(help="Folders or zips of images, or builtin:NAME.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the data set.")],
    size: Size = None,
    fit: Fit = "crop",
    channels: Channels = "auto",
    limit: Annotated[int | None, typer.Option(help="Use no more than so many files, taken evenly.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes. [default: one per core]", min=0)] = None,
) -> None:
    """Check, convert and fit images once, into a data set that trains without delay."""
    from steadygan.data import open_source
    from steadygan.data import prepare as prepare_sources
    from steadygan.training.console import reporter

    settings = _settings(size, fit, channels, limit)
    console = reporter()
    dataset = prepare_sources([open_source(s) for s in source], out, settings, workers, console.preparing)
    console.close()
    rejected = dataset.rejected()
    typer.echo(f"{len(dataset):,} images, {dataset.spec}, in {dataset.path}")
    if rejected:
        typer.echo(f"{len(rejected):,} files rejected, see {dataset.path / 'rejected.jsonl'}; the first:")
        for rejection in rejected[:5]:
            typer.echo(f"  {rejection.file}: {rejection.reason}")
    for sentence in dataset.advice:
        typer.echo(sentence)
    typer.echo(f"look at {dataset.path / 'montage.png'}")


def inspect(
    path: Annotated[Path, typer.Argument(help="Prepared data set, folder or zip of images.")],
    size: Size = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Say what images there are, what is wrong with some, and what would be converted."""
    from steadygan.data import inspect as inspect_path
    from steadygan.data import is_dataset
    from steadygan.training.console import reporter

    console = reporter(quiet=json)
    found = inspect_path(path, _settings(size, "crop", "auto", None), progress=console.preparing)
    console.close()
    if json:
        typer.echo(found.model_dump_json(indent=2))
        return
    _show(found)
    if is_dataset(path):
        typer.echo(f"montage    {path / 'montage.png'}")


def _settings(size: int | None, fit: str, channels: str, limit: int | None) -> PrepareSettings:
    from steadygan.config import resolve
    from steadygan.data import PrepareSettings

    return resolve(PrepareSettings, {"size": size, "fit": fit, "channels": channels, "limit": limit})


def _show(found: Inspection) -> None:
    def counts(numbers: dict[str, int]) -> str:
        return ", ".join(f"{name} {number:,}" for name, number in numbers.items()) or "none"

    others = sum(found.passed_over.values())
    widths, heights = found.widths, found.heights
    lines = {
        "images": f"{found.images:,} usable, {len(found.rejected):,} rejected, {others:,} other files",
        "width": f"{widths.min} to {widths.max} pixels, median {widths.median:g}",
        "height": f"{heights.min} to {heights.max} pixels, median {heights.median:g}",
        "modes": counts(found.modes),
        "formats": counts(found.formats),
        "classes": counts(found.classes),
        "converted": found.converted or "nothing",
        "enlarged": f"{found.enlarged:,} are smaller than {found.size} pixels",
    }
    for name, text in lines.items():
        typer.echo(f"{name:10} {text}")
    for sentence in found.advice:
        typer.echo(f"advice     {sentence}")
    for rejection in found.rejected[:10]:
        typer.echo(f"rejected   {rejection.file}: {rejection.reason}")
    if len(found.rejected) > 10:
        typer.echo(f"           and {len(found.rejected) - 10:,} more; --json lists them all")
