"""`techniques` and `cite`: what can be chosen, and whose work a run stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from steadygan.cli.lines import row, say, table
from steadygan.cli.options import RunFolder

if TYPE_CHECKING:
    from steadygan.recipes.catalogue import Technique


def techniques(name: Annotated[str | None, typer.Argument(help="Explain this one.")] = None) -> None:
    """List the techniques, or explain one: what it does, when it helps, when it hurts, its source."""
    from steadygan.recipes.techniques import find
    from steadygan.recipes.techniques import techniques as all_techniques

    if name is None:
        _list(all_techniques())
        return
    for number, entry in enumerate(find(name)):
        typer.echo("\n" if number else "", nl=False)
        _explain(entry)


def cite(
    run: RunFolder,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="Print BibTeX entries and nothing else.")] = False,
) -> None:
    """Print the papers behind a run: of its recipe and of every technique in it."""
    from steadygan.recipes import papers
    from steadygan.recipes.citing import of_run

    sources = of_run(run)
    if bibtex:
        typer.echo(papers.bibtex(sources.papers), nl=False)
        return
    for paper, purposes in sources.papers.items():
        say(papers.cite([paper]), hanging=4)
        say(f"for {', '.join(purposes)}", indent=4, hanging=8)
    for place, kind in sources.own.items():
        say(f"{place}: {kind}, an object of your own; its sources are not known here")


def _list(entries: list[Technique]) -> None:
    """All of them, group by group."""
    column = max(len(_title(entry)) for entry in entries) + 4
    for number, entry in enumerate(entries):
        if not number or entries[number - 1].group is not entry.group:
            typer.echo("\n" if number else "", nl=False)
            say(f"{entry.group.title}: {entry.group.what} Setting: {' or '.join(entry.group.seams)}")
        row(_title(entry), entry.what, column)


def _explain(entry: Technique) -> None:
    from steadygan.recipes.papers import cite as reference
    from steadygan.recipes.techniques import families

    of = families(entry.group.seams[0])
    say(f"{_title(entry)}: {entry.what}")
    for paragraph in entry.details.split("\n\n") if entry.details else []:
        typer.echo("")
        say(paragraph)
    rows = {"group": entry.group.title + (f", of the networks {', '.join(of)}" if of else "")}
    table("", rows | {"helps": entry.helps, "hurts": entry.hurts})
    table("settings", {name: f"{default} ({kinds})" for name, default, kinds in entry.settings})
    typer.echo("\nswitch on")
    for switch in entry.switches:
        typer.echo(f"  {switch}")
    if entry.papers:
        typer.echo("\nsources")
    for source in entry.papers:
        say(reference([source]), indent=2, hanging=4)


def _title(entry: Technique) -> str:
    return f"{entry.name} (off)" if entry.off else entry.name
