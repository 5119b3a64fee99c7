"""`project`: photos put into a generator."""

from __future__ import annotations

import shlex
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steadygan.cli.options import Checkpoint, OwnRecipe, how_many
from steadygan.names import shown

if TYPE_CHECKING:
    from steadygan.export.projection import Projected


def project(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or an exported .safetensors file.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of them.", metavar="PHOTO...")],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", help="FOLDER for both: FILE.png of photos above pictures; FILE.safetensors of latents."
        ),
    ],
    label: Annotated[
        str | None, typer.Option("--class", help="Only this class, by name or number. [default: the nearest one]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    steps: Annotated[
        int | None, typer.Option(help="Steps of the search. [default: 300]", parser=how_many, metavar="N")
    ] = None,
    checkpoint: Checkpoint = "best",
    recipe: OwnRecipe = "",
) -> None:
    """Find the latents whose pictures are nearest to photos."""
    from steadygan.export.inversion import Inversion
    from steadygan.export.projection import check_out
    from steadygan.export.projection import project as find
    from steadygan.training.console import reporter

    check_out(out)
    how = Inversion() if steps is None else Inversion(steps=steps)
    with closing(reporter()) as console:
        looking = partial(console.counting, "looking for latents")
        found = find(run, photos, label, seed, how, progress=looking, which=checkpoint, recipe=recipe)
    found.save(out)
    _show(found, run, out, checkpoint, recipe)


def _show(found: Projected, run: Path, out: Path, checkpoint: str, recipe: str) -> None:
    """The distances, what was written, and how to go on with it."""
    from steadygan.export.projection import LATENTS

    for refused in found.refused:
        typer.echo(shown(f"{refused.file} {refused.reason}"), err=True)
    for sentence in found.said():
        typer.echo(shown(sentence))
    typer.echo(shown(out))
    latents = out / LATENTS if out.is_dir() else out
    if latents.suffix == ".safetensors":
        options = {"--checkpoint": checkpoint if checkpoint != "best" else "", "--recipe": recipe}
        words = ["steadygan", "sample", str(run), "--latents", str(latents)]
        words += [word for name, value in options.items() if value for word in (name, value)]
        for target in ("pictures/", *["walk.gif"] * (len(found.latents) > 1)):
            typer.echo(shown(shlex.join([*words, "-o", target])))
