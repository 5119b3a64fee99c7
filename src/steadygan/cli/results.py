"""`sample`, `export`, `compare`, `report` and `note`: what is done with finished runs."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steadygan.cli.answers import answer
from steadygan.cli.options import Checkpoint, Json, OwnRecipe, RunFolder, how_many, writable
from steadygan.names import shown

if TYPE_CHECKING:
    from steadygan.studies.compare import Comparison, ComparisonRow


def sample(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or an exported .safetensors file.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="FILE.png: one grid. FOLDER: a PNG each. FILE.gif|.mp4: a latent walk.")
    ],
    count: Annotated[
        int | None,
        typer.Option(
            "-n", "--count", help="How many images, or stations of a walk. [default: 64]", parser=how_many, metavar="N"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the latents.")] = 0,
    pick: Annotated[
        str | None, typer.Option(help="Only these, numbered from 0, as 5,17,20-25.", metavar="NUMBERS")
    ] = None,
    latents: Annotated[
        Path | None, typer.Option(help="Take these: .npy or .safetensors, a row for each image.", metavar="FILE")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--class", help="Only this class, by name or number. [default: all in turn]")
    ] = None,
    checkpoint: Checkpoint = "best",
    recipe: OwnRecipe = "",
    frames: Annotated[int, typer.Option(help="Frames between two stations of a walk.", min=1)] = 24,
    fps: Annotated[float, typer.Option(help="Frames a second of a walk.", min=1)] = 24,
) -> None:
    """Generate images: a grid, a folder of PNGs, or a walk through latent space."""
    from steadygan.export.pictures import sample_to
    from steadygan.export.wanted import Wanted, parse_pick

    wanted = Wanted(count, seed, None if pick is None else parse_pick(pick), label, latents)
    written = sample_to(run, out, wanted, checkpoint, frames, fps, recipe)
    if written.is_file() or written.is_dir():  # nothing is added to what went into a pipe
        typer.echo(shown(written))


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or a prepared data set.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="FILE.safetensors, FILE.html, or a new folder for pictures.")
    ],
    checkpoint: Checkpoint = "best",
    recipe: OwnRecipe = "",
    images: Annotated[
        int | None,
        typer.Option(help="Write so many generated PNGs instead, with a manifest.", parser=how_many, metavar="N"),
    ] = None,
    seed: Annotated[int, typer.Option(help="With --images: seed of the latents.")] = 0,
) -> None:
    """Write the averaged generator of a run into one file, pictures of it, or a prepared data set as PNGs."""
    from steadygan.data import is_dataset, open_dataset, save_images

    if images is not None:
        from steadygan.export.generated import save_generated
        from steadygan.training.console import reporter

        with closing(reporter()) as console:
            made = partial(console.counting, "making images")
            written = save_generated(run, out, images, seed, checkpoint, made, recipe)
    elif is_dataset(run):
        written = save_images(open_dataset(run), out)
    elif out.suffix.lower() == ".html":
        from steadygan.export.page import export_page

        saved = export_page(run, out, checkpoint, recipe)
        typer.echo(str(saved), err=True)
        written = saved.path
    else:
        from steadygan.export import load

        written = load(run, checkpoint, recipe).save(out)
    typer.echo(shown(written))


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    json: Json = None,
) -> None:
    """Put runs side by side: the settings that differ, and their results."""
    from steadygan.studies.compare import compare as compare_runs

    found = compare_runs(runs)
    answer(found, json, lambda: _show(found))


def _show(found: Comparison) -> None:
    from rich.console import Console
    from rich.table import Table

    def rows(title: str, part: list[ComparisonRow]) -> None:
        table.add_row(title, style="bold")
        for row in part:
            table.add_row(row.name, *("" if value is None else shown(value) for value in row.values))
        table.add_section()

    table = Table("", *(shown(name) for name in found.runs))
    rows("settings that differ" if found.settings else "no settings differ", found.settings)
    rows("results", found.results)
    console = Console(markup=False, emoji=False)
    console.print(table)
    for sentence in found.refused:
        console.print(shown(sentence), soft_wrap=True, highlight=False)


def report(
    runs: Annotated[list[Path], typer.Argument(help="Folder of a run, or of several to lay side by side.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            callback=writable,
            help="FILE.html. [default: report.html in the run's folder; of several runs, here]",
        ),
    ] = None,
) -> None:
    """Write one HTML file that shows what a run did, or several runs side by side."""
    from steadygan.report.write import write_report

    typer.echo(shown(write_report(runs, out)))


def note(run: RunFolder, text: Annotated[str, typer.Argument(help="What you tried and saw.")]) -> None:
    """Add a line to the run's observation log."""
    from steadygan.runs import Run

    Run(run).note(text)
