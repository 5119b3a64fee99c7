"""Options that say how many."""

from __future__ import annotations

import typer


def how_many(text: str) -> int:
    """What an option takes as a number of images or steps: 1 or more, as 200000, 200_000, 200k, 1.5M or 1e6."""
    from steadygan.schedule import whole_number

    try:
        found = int(whole_number(text))
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from problem
    if found < 1:
        raise typer.BadParameter(f"{text} is less than 1")
    return found
