"""`tune`: which settings are best for these images."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steadygan.cli.answers import answer
from steadygan.cli.lines import say
from steadygan.cli.options import Json, how_many
from steadygan.names import shown

if TYPE_CHECKING:
    from steadygan.studies.tuning.search import SearchFolder, SearchResult

_SHOWN = 10


def tune(
    source: Annotated[str, typer.Argument(help="Folder or zip of images, prepared data set, or builtin:NAME.")],
    over: Annotated[
        list[str],
        typer.Option(
            metavar="SETTING=RANGE", help="What to search: A.B=1e-4..1e-3:log, =2..8 or =16|32|64; repeatable."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the search; the same one goes on with it.")],
    images: Annotated[
        int | None, typer.Option(help="Real images that each trial sees: 200000 or 200k.", parser=how_many, metavar="N")
    ] = None,
    trials: Annotated[int, typer.Option(help="How many trials, with those there are.", min=1)] = 20,
    recipe: Annotated[str, typer.Option(help="NAME, FILE.toml or FILE.py:FUNCTION.")] = "steady",
    metric: Annotated[str, typer.Option(help="The score that decides, of held-out images.")] = "kid",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=VALUE", help="A setting of all trials; repeatable.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Trials side by side; they share the processors.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the search.", min=0)] = 0,
    prune: Annotated[bool, typer.Option(help="End trials early that are worse than most were by then.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be searched, and leave.")] = False,
    json: Json = None,
) -> None:
    """Search for the settings that score best on these images, with Optuna, by trials that are ordinary runs.

    It stops and goes on at any moment; started again in the same folder beside the first, it is a second worker.
    """
    from steadygan.data.pool import cores
    from steadygan.studies.tuning.plan import SearchRequest, plan_search
    from steadygan.studies.tuning.search import SearchFolder, optuna_here
    from steadygan.studies.tuning.tune import tune as run_search
    from steadygan.training.console import reporter

    optuna_here()
    request = SearchRequest(source, over, images, recipe, tuple(set_ or ()), metric, seed, prune)
    search = plan_search(request, reporter())
    home, threads = SearchFolder(out), max(1, cores() // jobs)
    told = (
        f"{trials} trials of {search.images:,} images, {jobs} at once with {threads} thread{'s' * (threads > 1)} each: "
        f"{', '.join(shown(one) for one in search.ranges)}; {search.metric} of held-out images decides"
    )
    if dry_run:
        answer(search, json, lambda: typer.echo(told))
        return
    typer.echo(told, err=True)
    found = run_search(search, home, trials, jobs, threads, lambda text: print(text, file=sys.stderr, flush=True))
    answer(found, json, lambda: _show(found, home))


def _show(found: SearchResult, home: SearchFolder) -> None:
    from rich.console import Console
    from rich.table import Table

    places = [one.place for one in found.search.ranges]
    table = Table("trial", found.search.metric, *map(shown, places))
    for row in found.trials[:_SHOWN]:
        value = row.state if row.value is None else f"{row.value:.4g}"
        table.add_row(str(row.number), value, *(shown(row.settings.get(place, "")) for place in places))
    Console(markup=False, emoji=False).print(table)
    if len(found.trials) > _SHOWN:
        typer.echo(f"and {len(found.trials) - _SHOWN} more")
    typer.echo(f"all trials: optuna-dashboard {shlex.quote(str(home.storage))}")
    if going := [str(row.number) for row in found.trials if row.state == "running"]:
        say(f"still at work in other processes: trial {', '.join(going)}; the same command sees to what is left")
    if found.best is None:
        typer.echo("no trial has a score yet")
        return
    search = found.search
    chosen = (f"{place}={text}" for place, text in found.best.settings.items())
    sets = [word for text in (*search.settings, *chosen) for word in ("--set", text)]
    line = shlex.join(["steadygan", "train", search.source, "--recipe", search.recipe, *sets, "--seed", "1"])
    typer.echo(
        f"As the best of {len(found.trials)}, its score flatters: see what another seed makes of it, and train\nlonger:"
    )
    typer.echo(shown(line))  # on one line, to be copied
