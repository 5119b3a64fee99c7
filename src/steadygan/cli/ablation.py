"""`ablate`, and the hidden command that is one run of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from steadygan.cli.answers import answer
from steadygan.cli.options import Json
from steadygan.cli.training import Images, Minutes
from steadygan.errors import ConfigError

Vary = Annotated[
    str,
    typer.Option(
        metavar="NAME,NAME|all",
        help="Techniques, each switched on alone, or off where the recipe has it. See `steadygan techniques`.",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="A.B=V1,V2",
        help="Vary a setting: a variant for each value. With one value, change it in all runs. Repeatable.",
    ),
]


def ablate(
    source: Annotated[str, typer.Argument(metavar="DATA", help="Images, as for `train`, some of them held out.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder of the study. The same command again goes on with it.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="NAME, FILE.toml or FILE.py:FUNCTION: the base.")] = "steady",
    vary: Vary = "",
    set_: Sets = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="Also all pairs of what is varied.")] = False,
    seeds: Annotated[int, typer.Option(help="Runs of each variant; five and more can decide.")] = 3,
    images: Images = None,
    minutes: Minutes = None,
    batch: Annotated[int | None, typer.Option(help="Images a step.")] = None,
    size: Annotated[int | None, typer.Option(help="Pixels of a side.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    jobs: Annotated[int, typer.Option(help="Runs side by side. [default: by processors, GPUs and memory]", min=0)] = 0,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Where runs are made: processes here, or the machines of a Ray cluster."),
    ] = "local",
    halving: Annotated[
        bool, typer.Option("--halving", help="After a third of the budget stop what clearly loses, at most half.")
    ] = False,
    metric: Annotated[str, typer.Option(help="The score that decides; see `evaluate --list`.")] = "kid",
    features: Annotated[str, typer.Option(help="Features of the score, as for `evaluate`.")] = "scattering",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and leave.")] = False,
    json: Json = None,
) -> None:
    """Find out which technique helps: the same training with and without it, in pairs, over several seeds."""
    from steadygan.recipes.start import placed
    from steadygan.studies.ablation.ablate import run_study
    from steadygan.studies.ablation.engines import LocalProcesses, RayCluster
    from steadygan.studies.ablation.plan import Request, make_plan
    from steadygan.studies.ablation.study import StudyFolder
    from steadygan.training.config import Budget
    from steadygan.training.console import reporter

    request = Request(
        source,
        recipe,
        vary=[word.strip() for word in vary.split(",") if word.strip()],
        sets=set_ or [],
        settings=placed(batch=batch, size=size, device=device),
        pairs=pairs,
        seeds=seeds,
        budget=Budget(images=images, minutes=minutes),
        metric=metric,
        features=features,
        halving=halving,
        jobs=jobs,
        engine=RayCluster() if engine == "ray" else LocalProcesses(),
    )
    if dry_run:
        plan = make_plan(request, StudyFolder(out) if out else None, reporter())
        answer(plan, json, lambda: typer.echo("\n".join(plan.lines())))
        return
    if out is None:
        raise ConfigError("say where to: -o STUDY, a new folder; --dry-run needs none")
    table = run_study(request, out)
    answer(table, json, lambda: _show(table, out))


def study_job(
    study: Path,
    variant: str,
    seed: int,
    rung: Annotated[bool, typer.Option("--rung")] = False,
    tied: Annotated[bool, typer.Option("--tied")] = False,
) -> None:
    """Make one run of a study, or its first third."""
    from steadygan.studies.ablation.job import run_job

    run_job(study, variant, seed, rung, tied)


def _show(table: object, out: Path) -> None:
    from typing import TextIO, cast

    from rich.console import Console

    from steadygan.runs.study import StudyTable
    from steadygan.studies.ablation.study import StudyFolder
    from steadygan.studies.ablation.table import print_table
    from steadygan.terminal import Stream

    home = StudyFolder(out)
    print_table(cast(StudyTable, table), Console(file=cast(TextIO, Stream(sys.stdout)), markup=False, emoji=False))
    typer.echo(f"table     {home.table_md}\npicture   {home.effects}")
