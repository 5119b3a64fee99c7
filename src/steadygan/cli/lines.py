"""Texts for people, in lines no wider than their terminal."""

from __future__ import annotations

import typer

_TEXT = 40  # columns that a text beside a name needs


def table(title: str, rows: dict[str, str]) -> None:
    """Rows that have a text, under a title; nothing where none has."""
    kept = {name: text for name, text in rows.items() if text}
    if kept:
        typer.echo(f"\n{title}" if title else "")
    for name, text in kept.items():
        row(name, text, max(map(len, kept)) + 4)


def row(name: str, text: str, column: int) -> None:
    """A name and, from `column` on, a text; below the name on a narrow terminal."""
    if _width() < column + _TEXT:
        typer.echo(f"  {name}")
        say(text, indent=4, hanging=4)
    else:
        say(f"{f'  {name}':{column}}{text}", hanging=column)


def say(text: str, indent: int = 0, hanging: int = 0) -> None:
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
