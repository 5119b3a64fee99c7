"""`evaluate` and `probe`: how good generated pictures are, how sure that is, and what the networks know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steadygan.cli.answers import answer
from steadygan.cli.options import Checkpoint, Device, Json, OwnRecipe, RunFolder, how_many, writable
from steadygan.names import shown

if TYPE_CHECKING:
    from steadygan.studies.evaluate import Evaluation


Subject = Annotated[
    str,
    typer.Argument(
        metavar="SUBJECT", help="A run, an exported .safetensors, a folder of pictures or FILE.py:FUNCTION."
    ),
]


def _explain(wanted: bool) -> None:
    """Say what each metric means and leave."""
    if not wanted:
        return
    from rich.console import Console
    from rich.table import Table

    from steadygan.scoring.metrics import DEFAULT, InceptionScore

    table = Table("metric", "better", "what it says", "source")
    for metric in (*DEFAULT, InceptionScore()):
        table.add_row(metric.name, metric.better, metric.says, metric.paper)
    Console().print(table)
    raise typer.Exit


def evaluate(
    subject: Subject,
    reals: Annotated[
        str | None,
        typer.Argument(metavar="REALS", help="Folder or data set to compare with. [default: the run's own]"),
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Names with commas between, see --list. [default: all that need no download]")
    ] = None,
    features: Annotated[
        str, typer.Option(help="scattering, efficientnet, inception, dinov2, clip, or FILE.pt|.pt2.", metavar="NAME")
    ] = "scattering",
    weights: Annotated[
        Path | None, typer.Option(help="File of the features' weights. [default: the published ones]")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "-n", "--count", help="Pictures of each kind. [default: all, up to 10,000]", parser=how_many, metavar="N"
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Which reals: held-out, training or all.")] = "held-out",
    size: Annotated[int | None, typer.Option(help="Pixels of a side, where nothing else says it.")] = None,
    seed: Annotated[int, typer.Option(help="Draws the latents and the reals.")] = 0,
    checkpoint: Checkpoint = "best",
    device: Device = "auto",
    nearest: Annotated[
        Path | None,
        typer.Option(help="Draw those most like training images here. [default: RUN/nearest.png]", callback=writable),
    ] = None,
    recipe: OwnRecipe = "",
    json: Json = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Say what each metric means and leave.", callback=_explain, is_eager=True)
    ] = False,
) -> None:
    """Score pictures against real images that no training has seen, beside what other reals score."""
    from steadygan.studies.evaluate import evaluate as run_evaluation
    from steadygan.training.console import reporter

    settings: dict[str, Any] = {
        "features": _features(features, weights),
        "count": count,
        "split": split,
        "size": size,
        "seed": seed,
        "checkpoint": checkpoint,
        "device": device,
        "nearest": nearest,
        **({} if metrics is None else {"metrics": metrics}),
    }
    found = run_evaluation(subject, reals, console=reporter(), recipe=recipe, **settings)
    answer(found, json, lambda: _show(found))


def probe(
    run: RunFolder,
    reals: Annotated[
        str | None,
        typer.Argument(metavar="DATASET", help="Labelled images, some of them held out. [default: the run's own]"),
    ] = None,
    checkpoint: Checkpoint = "best",
    recipe: OwnRecipe = "",
    json: Json = None,
) -> None:
    """Ask what a run's discriminator, each layer of its generator, and its pictures know of classes."""
    from steadygan.networks import classes_of
    from steadygan.recipes import told_again
    from steadygan.runs import Run
    from steadygan.studies.augmentation import augmentation_gain
    from steadygan.studies.evaluate import open_reals
    from steadygan.studies.generator_probe import generator_probe
    from steadygan.studies.labelled import LabelledReport
    from steadygan.studies.probe import load_discriminator
    from steadygan.studies.probe import probe as discriminator_probe
    from steadygan.training.console import reporter

    own = told_again(recipe, Run(run))
    dataset, remarks = open_reals(run, reals, reporter(), trained_on=Run(run).info().data.digest)
    reports: list[LabelledReport] = [discriminator_probe(run, dataset, checkpoint=checkpoint, recipe=own)]
    reports.append(generator_probe(run, dataset, checkpoint=checkpoint, recipe=own))
    if classes_of(load_discriminator(run, checkpoint, own)):
        reports.append(augmentation_gain(run, dataset, checkpoint=checkpoint, recipe=own))
    answer(reports, json, lambda: typer.echo("\n\n".join([*remarks, *(report.table() for report in reports)])))


def _features(name: str, weights: Path | None) -> dict[str, Any]:
    """The features' settings: a kind, with a file of weights, or a file that is the extractor."""
    chosen: dict[str, Any] = {"kind": "exported", "path": name} if name.endswith((".pt", ".pt2")) else {"kind": name}
    return chosen | ({"weights": weights} if weights else {})


def _show(found: Evaluation) -> None:
    nearest = [f"nearest    {shown(found.nearest)}"] if found.nearest else []
    typer.echo("\n".join([str(found), *nearest, "what they mean: steadygan evaluate --list"]))
