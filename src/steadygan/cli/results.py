"""`sample`, `export`, `compare`, `report` and `note`: what is done with finished runs."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from steadygan.cli.answers import answer
from steadygan.cli.options import Checkpoint, Json, OwnRecipe, RunFolder, how_many, writable
from steadygan.errors import ConfigError
from steadygan.names import shown

if TYPE_CHECKING:
    from steadygan.export.forms import Saved
    from steadygan.export.model import TrainedGenerator
    from steadygan.export.page import SavedPage
    from steadygan.studies.compare import Comparison, ComparisonRow


def sample(
    run: Annotated[Path, typer.Argument(help="Folder of a run, an exported file or folder, or hub:USER/NAME.")],
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
    run: Annotated[Path, typer.Argument(help="Folder of a run, an exported file or hub:USER/NAME, or a prepared set.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="FILE.safetensors, .onnx, .pt2 or .html, or a new folder for pictures."),
    ] = None,
    hub_folder: Annotated[
        Path | None,
        typer.Option(help="A new folder for the Hugging Face Hub, with a model card.", metavar="DIR"),
    ] = None,
    checkpoint: Checkpoint = "best",
    recipe: OwnRecipe = "",
    output: Annotated[
        Literal["float32", "uint8"], typer.Option(help="What FILE.onnx and FILE.pt2 give: numbers in -1..1, or uint8.")
    ] = "float32",
    licence: Annotated[
        str, typer.Option("--license", help="Licence of images and model, to be told beside it.", metavar="TEXT")
    ] = "",
    images: Annotated[
        int | None,
        typer.Option(help="Write so many generated PNGs instead, with a manifest.", parser=how_many, metavar="N"),
    ] = None,
    seed: Annotated[int, typer.Option(help="With --images: seed of the latents.")] = 0,
) -> None:
    """Write a run's averaged generator for others to use, pictures of it, or a prepared data set as PNGs.

    What is written is loaded again, and must make the same pictures.
    """
    from steadygan.data import is_dataset, open_dataset, save_images

    if hub_folder is not None or (out is not None and images is None and not is_dataset(run)):
        written = _hand_over(run, out, hub_folder, output, {"license": licence} if licence else {}, checkpoint, recipe)
    elif out is None:
        raise ConfigError("say where to: -o FILE, -o FOLDER for pictures, or --hub-folder DIR")
    elif images is not None:
        from steadygan.export.generated import save_generated
        from steadygan.training.console import reporter

        with closing(reporter()) as console:
            made = partial(console.counting, "making images")
            written = save_generated(run, out, images, seed, checkpoint, made, recipe)
    else:
        written = save_images(open_dataset(run), out)
    typer.echo(shown(written))


def _hand_over(
    run: Path,
    out: Path | None,
    folder: Path | None,
    output: Literal["float32", "uint8"],
    told: dict[str, str],
    checkpoint: str,
    recipe: str,
) -> Path:
    """Write the generator into a file or a folder, say how like it is and how it is used, and give back where it is."""
    from steadygan.export import load
    from steadygan.export.forms import PAGE, check_page, form_of, save
    from steadygan.export.hub import check_folder, save_folder, upload
    from steadygan.export.page import save_page
    from steadygan.runs import run_at

    def model() -> TrainedGenerator:
        loaded = load(run, checkpoint, recipe)
        loaded.about |= told
        return loaded

    saved: Saved | SavedPage
    if folder is not None and out is None:
        check_folder(folder, output)
        saved, then = save_folder(model(), folder, run_at(run)), upload(folder)
    elif out is None or folder is not None:
        raise ConfigError("-o FILE and --hub-folder DIR are two things; give one at a time")
    elif out.suffix.lower() == PAGE:
        check_page(out, output)
        saved, then = save_page(model(), out, run_at(run)), "open it in a browser; it needs nothing beside it"
    else:
        form = form_of(out, output)
        found = model()
        saved, then = save(found, out, output), form.use(found, out)
    typer.echo(f"{saved}\n{then}", err=True)
    return saved.path


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
    runs: Annotated[list[Path], typer.Argument(help="Folder of a run, of several to lay side by side, or of a study.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            callback=writable,
            help="FILE.html. [default: report.html in the folder; of several runs, here]",
        ),
    ] = None,
) -> None:
    """Write one HTML file that shows what a run did, several runs side by side, or what a study found."""
    from steadygan.report.write import write_report

    typer.echo(shown(write_report(runs, out)))


def note(run: RunFolder, text: Annotated[str, typer.Argument(help="What you tried and saw.")]) -> None:
    """Add a line to the run's observation log."""
    from steadygan.runs import Run

    Run(run).note(text)
