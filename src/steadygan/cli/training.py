"""`train`, `resume` and `recipes`."""

from __future__ import annotations

import shlex
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from steadygan.cli.answers import answer, print_exactly
from steadygan.cli.options import Json, OwnRecipe, how_many
from steadygan.names import shown

Images = Annotated[
    int | None,
    typer.Option(help="Stop after so many real images seen: 200000, 200k or 1.5M.", parser=how_many, metavar="N"),
]
Steps = Annotated[int | None, typer.Option(help="Stop after so many steps.", parser=how_many, metavar="N")]
Minutes = Annotated[float | None, typer.Option(help="Stop after so many minutes.")]

_CARE = (
    "What a run may do by itself. watch: only say what goes wrong. keep: go on from the last good checkpoint when it "
    "diverges, end when long past its best. treat: also try the doctor's remedies."
)
Care = Annotated[str | None, typer.Option(help=f"{_CARE} [default: keep, or as --from]", metavar="watch|keep|treat")]
CareNow = Annotated[str | None, typer.Option(help=f"{_CARE} [default: as so far]", metavar="watch|keep|treat")]

Recipe = Annotated[
    str | None,
    typer.Option(help="NAME (see `steadygan recipes`), FILE.toml or FILE.py:FUNCTION. [default: steady, or as --from]"),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="RUN|CHECKPOINT|FILE|HUB",
        help="Start from a run's networks (of its best checkpoint, or of the folder of one), an exported "
        "FILE.safetensors or model folder, or hub:USER/NAME.",
    ),
]


DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print the resolved configuration and leave; with --json also images, time, memory, the audit's findings "
        "and, setting by setting, what is wrong.",
    ),
]


def train(
    source: Annotated[
        str, typer.Argument(help="Folder or zip of images, prepared data set, or builtin:critters|glyphs|ring.")
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="New folder for the run. [default: next in runs/]")
    ] = None,
    recipe: Recipe = None,
    start: Start = None,
    images: Images = None,
    steps: Steps = None,
    minutes: Minutes = None,
    batch: Annotated[int | None, typer.Option(help="Images a step, over all processes.")] = None,
    size: Annotated[int | None, typer.Option(help="Pixels of a side.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="auto (what is faster here, if its gradients are right), float32 or bfloat16.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Processor threads. [default: OMP_NUM_THREADS, or as many as other programs leave free]"),
    ] = None,
    care: Care = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=VALUE", help="Change any setting; repeatable.")
    ] = None,
    dry_run: DryRun = False,
    json: Json = None,
) -> None:
    """Train a GAN on images; the run folder holds grids, curves, records and checkpoints."""
    from steadygan.config import merge, parse_assignment
    from steadygan.recipes.start import begin, placed

    given = placed(
        images=images,
        steps=steps,
        minutes=minutes,
        batch=batch,
        size=size,
        seed=seed,
        device=device,
        precision=precision,
        threads=threads,
        care=care,
        start=start,
    )
    settings = merge(given, *map(parse_assignment, set_ or []))
    if dry_run:
        _say_what(source, recipe, settings, out, json)
    else:
        _refuse_json(json)
        _say_where(begin(source, recipe, settings, out).path)


def _say_what(source: str, recipe: str | None, settings: dict[str, Any], out: Path | None, json: Path | None) -> None:
    """The resolved configuration; as JSON with what the run would take, what is the matter, and all that is wrong."""
    from steadygan.claim import check_folder
    from steadygan.config import to_toml
    from steadygan.recipes.foresight import foresee
    from steadygan.recipes.start import plan
    from steadygan.training.console import reporter

    if json is None:
        if out:
            check_folder(out, source)
        print_exactly(to_toml(plan(source, recipe, settings)[0].dump()))
        return
    with closing(reporter()) as console:
        found = foresee(source, recipe, settings, console, out)
    answer(found, json, lambda: print_exactly(to_toml(found.config)))
    if found.wrong:
        raise found.wrong


def _refuse_json(json: Path | None) -> None:
    from steadygan.errors import ConfigError

    if json is not None:
        raise ConfigError("json: a run writes run.json and its records itself; --json goes with --dry-run")


def resume(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    images: Images = None,
    steps: Steps = None,
    minutes: Minutes = None,
    data: Annotated[str, typer.Option(help="Where the images are now, if they moved.")] = "",
    care: CareNow = None,
    checkpoint: Annotated[
        str,
        typer.Option(
            "--from-checkpoint",
            metavar="NAME",
            help="Go on from this one, as from before an act of care, and remove what came after it.",
        ),
    ] = "latest",
    recipe: OwnRecipe = "",
) -> None:
    """Continue a run from its last checkpoint. Limits count from the beginning of the run."""
    from steadygan.config import resolve
    from steadygan.recipes import resume as resume_run
    from steadygan.training.config import Budget

    budget = resolve(Budget, {"images": images, "steps": steps, "minutes": minutes})
    _say_where(resume_run(run, budget, data, recipe=recipe, care=care or "", checkpoint=checkpoint).path)


def _say_where(path: Path) -> None:
    from steadygan.care.acts import ended
    from steadygan.claim import first_process
    from steadygan.rundir import RunDir
    from steadygan.runs import Run
    from steadygan.terminal import Stream

    if not first_process():
        return
    files = RunDir(path)
    last = files.fixed_samples()[-1]
    for name, file in (
        ("grid", last),
        ("animation", files.progress),
        ("curves", files.curves),
        ("report", files.report),
        ("run", path),
    ):
        if file.exists():  # a report may have failed
            print(f"{name:10} {shown(file)}", file=Stream(sys.stdout), flush=True)
    run, quoted = Run(path), shlex.quote(str(path))
    hints = [f"next:      steadygan sample {quoted} -n 64 -o samples.png"]
    if act := ended(run.findings(), run.checkpoint("latest").images):
        hints = [f"ended      early, by care, after {act.images:,} images; the best pictures are kept", *hints,
                 f"go on:     steadygan resume {quoted} --care watch"]  # fmt: skip
    for hint in hints:
        print(shown(hint), file=Stream(sys.stdout), flush=True)


def recipes(
    name: Annotated[str | None, typer.Argument(help="Show this one as TOML.")] = None, json: Json = None
) -> None:
    """List the recipes, or show one with its source and all its settings.

    As JSON with a schema of all settings: their descriptions, ranges and defaults.
    """
    from steadygan.recipes.schema import all_recipes, one_recipe

    show = _list_recipes if name is None else partial(_show_recipe, name)
    if json is None:
        show()
    else:
        answer(all_recipes() if name is None else one_recipe(name), json, show)


def _list_recipes() -> None:
    from steadygan.recipes import RECIPES, describe

    for known in RECIPES:
        typer.echo(f"{known:13} {describe(known)}")


def _show_recipe(name: str) -> None:
    import inspect

    from steadygan.config import to_toml
    from steadygan.recipes import RECIPES, choose_recipe

    config = choose_recipe(name)
    text = inspect.getdoc(RECIPES[name]) if name in RECIPES else ""
    typer.echo(
        "".join(f"# {line}\n" if line else "#\n" for line in (text or "").splitlines()) + to_toml(config.dump()),
        nl=False,
    )
