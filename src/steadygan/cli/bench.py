"""`bench`: figures anyone can check on their own machine, as JSON."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from steadygan.cli.answers import answer, print_json
from steadygan.cli.options import Device, Json, how_many, writable

app = typer.Typer(help="Measure this machine and this program; prints JSON, `device` a table.")


@app.command()
def step(
    size: Annotated[int, typer.Option(help="Pixels of a side.")] = 64,
    batch: Annotated[int, typer.Option(help="Images a step.")] = 64,
    width: Annotated[int, typer.Option(help="Channels next to the image.")] = 64,
    rounds: Annotated[int, typer.Option(help="Timed steps of each kind, taken in turn.", min=3)] = 12,
    compile: Annotated[
        bool, typer.Option("--compile", help="Measure torch.compile as well (minutes of compiling).")
    ] = False,
    device: Device = "auto",
) -> None:
    """One update of both players: the textbook loop against steadygan's step, in one process, taken in turn."""
    from steadygan.studies.bench_step import bench_step

    print_json(bench_step(size, batch, width, rounds, compile, device))


@app.command()
def prepare(
    folder: Annotated[Path | None, typer.Argument(help="Folder of images. [default: JPEGs drawn for it]")] = None,
    size: Annotated[int, typer.Option(help="Pixels of a side.")] = 64,
    rounds: Annotated[int, typer.Option(help="Times that each is done, in turn.", min=1)] = 5,
    drawn: Annotated[int, typer.Option(help="How many JPEGs to draw.", min=2)] = 2000,
) -> None:
    """`steadygan prepare` against a plain loop with the same filter, in one process, taken in turn."""
    from steadygan.studies.bench_prepare import bench_prepare

    print_json(bench_prepare(folder, size, rounds, drawn))


@app.command()
def modes(
    data: Annotated[
        str, typer.Option(help="ring, stacked-glyphs, or labelled digits: an idx file of images beside its labels.")
    ] = "stacked-glyphs",
    recipes: Annotated[str, typer.Option(help="Names, with commas between.")] = "dcgan,steady",
    seeds: Annotated[int, typer.Option(help="Runs of each recipe.", min=1)] = 3,
    images: Annotated[
        int | None, typer.Option(help="Images each run is shown. [default: 200,000]", parser=how_many, metavar="N")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Or minutes each run may take.")] = None,
    samples: Annotated[
        int | None,
        typer.Option(help="Samples to count. [default: 25,600, of points 2,500]", parser=how_many, metavar="N"),
    ] = None,
    size: Annotated[int, typer.Option(help="Pixels of a side of stacked pictures.", min=8)] = 32,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=VALUE", help="A setting of every recipe; repeatable.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to keep the runs. [default: nowhere]")] = None,
) -> None:
    """Modes recovered, and their divergence from the data's, for each recipe over some seeds at one budget."""
    from steadygan.config import merge, parse_assignment, resolve
    from steadygan.studies.bench_modes import bench_modes
    from steadygan.training.config import Budget

    budget = resolve(Budget, {"images": images, "minutes": minutes}) if images or minutes else None
    settings = {**merge({}, *map(parse_assignment, set_ or [])), "size": size}
    say = partial(typer.echo, err=True)
    print_json(bench_modes(data, recipes.split(","), range(seeds), budget, samples, settings, folder, say))


@app.command()
def device(
    name: Device = "auto",
    minutes: Annotated[float, typer.Option(help="Longest time; what does not fit is left out and named.", max=600)] = 5,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE.png", callback=writable, help="Draw a picture of it, too."),
    ] = None,
    json: Json = None,
) -> None:
    """What a run chooses on this machine, whether every recipe and a resume work, how fast they are, what they take."""
    from steadygan.studies.bench_device import bench_device
    from steadygan.studies.device.picture import check_name, save_device_picture

    check_name(out)
    found = bench_device(name, minutes, partial(typer.echo, err=True))
    answer(found, json, lambda: typer.echo(found.table()))
    if out:
        save_device_picture(found, out)
