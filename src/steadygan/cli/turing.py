"""`turing`: can people tell the pictures of a run from real ones?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steadygan.cli.answers import answer
from steadygan.cli.options import Checkpoint, Device, Json, OwnRecipe, RunFolder
from steadygan.errors import ConfigError, DataError
from steadygan.names import shown

if TYPE_CHECKING:
    from steadygan.turing.folder import Kind
    from steadygan.turing.outcome import Verdict


def turing(
    run: RunFolder,
    reals: Annotated[
        str | None,
        typer.Argument(metavar="DATASET", help="Real images, some of them held out. [default: the run's own]"),
    ] = None,
    pairs: Annotated[
        int | None, typer.Option(help="So many pairs of a real and a generated picture. [default: 40]", metavar="N")
    ] = None,
    sheets: Annotated[int | None, typer.Option(help="So many sheets of mixed pictures.", metavar="N")] = None,
    letters: Annotated[
        int | None, typer.Option(help="So many sheets whose generated pictures form a letter.", metavar="N")
    ] = None,
    count: Annotated[int, typer.Option(help="Pictures of a mixed sheet.", metavar="N")] = 16,
    seed: Annotated[int | None, typer.Option(help="Draws pictures and order. [default: a new one]")] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "auto",
    recipe: OwnRecipe = "",
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the test in the studio.")] = True,
    result: Annotated[bool, typer.Option("--result", help="Say what the answers to the run's tests show.")] = False,
    json: Json = None,
) -> None:
    """Test whether people can tell generated pictures from real ones, held out of training."""
    if result:
        found = _results(run)
        answer(found, json, lambda: _show(found))
        return
    from steadygan.studies.turing import make_turing_test
    from steadygan.training.console import reporter

    settings = {"count": count, "seed": seed, "checkpoint": checkpoint, "device": device}
    kind, number = _kind(pairs, sheets, letters)
    made = make_turing_test(run, reals, console=reporter(), recipe=recipe, kind=kind, screens=number, **settings)
    answer(made.summary(), json, lambda: typer.echo(f"test       {shown(made.path)}"))
    if open_:
        _open(made.path)
    elif json is None:
        typer.echo(f"next:      steadygan studio {shown(run)}")


def _open(test: Path) -> None:
    """Open a test in the studio, until that is interrupted."""
    from importlib.util import find_spec

    from steadygan.cli.studio import open_studio

    run = test.parents[1]
    if find_spec("starlette") is None:
        then = f"steadygan studio {run}"
        typer.echo(f'to answer it: pip install "steadygan[studio]", then {shown(then)}', err=True)
        return
    from steadygan.web.studio import id_of

    open_studio(run, 8765, share=False, open_it=True, start=f"/runs/{id_of(run)}/turing/{test.name}")


def _kind(pairs: int | None, sheets: int | None, letters: int | None) -> tuple[Kind, int | None]:
    asked: list[tuple[Kind, int | None]] = [("pairs", pairs), ("sheets", sheets), ("letters", letters)]
    given = [(kind, number) for kind, number in asked if number is not None]
    if len(given) > 1:
        raise ConfigError("--pairs, --sheets and --letters are three tests; make one at a time")
    return given[0] if given else ("pairs", None)


def _results(run: Path) -> list[Verdict]:
    from steadygan.runs import Run
    from steadygan.turing.folder import turing_folders
    from steadygan.turing.outcome import outcome

    Run(run).info()
    tests = [test for test in turing_folders(run) if test.given()]
    if not tests:
        raise DataError(f"nobody has answered a Turing test of {run} yet; make one with `steadygan turing {run}`")
    return [outcome(test) for test in tests]


def _show(found: list[Verdict]) -> None:
    for one in found:
        typer.echo(f"{one.name}  {one.run}, {one.checkpoint}, against {one.data}")
        for sentence in one.sentences:
            typer.echo(f"  {shown(sentence)}")
        for rater in one.result.raters:
            right = f"{rater.right} of {rater.answers} right ({rater.low:.0%} to {rater.high:.0%})"
            typer.echo(f"    {shown(rater.rater)}: {right}, {rater.seconds:.1f} s an answer")
