"""`techniques` and `cite`: what can be chosen, and whose work a run stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from steadygan.cli.options import RunFolder

if TYPE_CHECKING:
    from steadygan.recipes.catalogue import Technique

_TEXT = 40  # columns that a text beside a name needs


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
        _say(papers.cite([paper]), hanging=4)
        _say(f"for {', '.join(purposes)}", indent=4, hanging=8)
    for place, kind in sources.own.items():
        _say(f"{place}: {kind}, an object of your own; its sources are not known here")


def _list(entries: list[Technique]) -> None:
    """All of them, group by group."""
    column = max(len(_title(entry)) for entry in entries) + 4
    for number, entry in enumerate(entries):
        if not number or entries[number - 1].group is not entry.group:
            typer.echo("\n" if number else "", nl=False)
            _say(f"{entry.group.title}: {entry.group.what} Setting: {' or '.join(entry.group.seams)}")
        _row(_title(entry), entry.what, column)


def _explain(entry: Technique) -> None:
    from steadygan.recipes.papers import cite as reference
    from steadygan.recipes.techniques import families

    of = families(entry.group.seams[0])
    _say(f"{_title(entry)}: {entry.what}")
    for paragraph in entry.details.split("\n\n") if entry.details else []:
        typer.echo("")
        _say(paragraph)
    rows = {"group": entry.group.title + (f", of the networks {', '.join(of)}" if of else "")}
    _table("", rows | {"helps": entry.helps, "hurts": entry.hurts})
    _table("settings", {name: f"{default} ({kinds})" for name, default, kinds in entry.settings})
    typer.echo("\nswitch on")
    for switch in entry.switches:
        typer.echo(f"  {switch}")
    if entry.papers:
        typer.echo("\nsources")
    for source in entry.papers:
        _say(reference([source]), indent=2, hanging=4)


def _title(entry: Technique) -> str:
    return f"{entry.name} (off)" if entry.off else entry.name


def _table(title: str, rows: dict[str, str]) -> None:
    """Rows that have a text, under a title; nothing where none has."""
    kept = {name: text for name, text in rows.items() if text}
    if kept:
        typer.echo(f"\n{title}" if title else "")
    for name, text in kept.items():
        _row(name, text, max(map(len, kept)) + 4)


def _row(name: str, text: str, column: int) -> None:
    """A name and, from `column` on, a text; below the name on a narrow terminal."""
    if _width() < column + _TEXT:
        typer.echo(f"  {name}")
        _say(text, indent=4, hanging=4)
    else:
        _say(f"{f'  {name}':{column}}{text}", hanging=column)


def _say(text: str, indent: int = 0, hanging: int = 0) -> None:
    """A text in lines no wider than the terminal; addresses stay whole."""
    import textwrap

    typer.echo(
        textwrap.fill(
            text,
            _width(),
            initial_indent=" " * indent,
            subsequent_indent=" " * hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _width() -> int:
    import shutil

    return max(20, min(110, shutil.get_terminal_size().columns))
