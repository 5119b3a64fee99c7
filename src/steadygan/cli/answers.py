"""What a command found, for people or as JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from steadygan.cli.options import PRINTED
from steadygan.names import to_json

if TYPE_CHECKING:
    from pydantic import BaseModel


def answer(found: BaseModel | Sequence[BaseModel], json: Path | None, show: Callable[[], None]) -> None:
    """Print what was found as JSON and nothing else, or `show` it and write it into a file if one is asked for."""
    if str(json) == PRINTED:
        print_json(found)
        return
    if json is not None:
        from steadygan.rundir import atomic_write

        atomic_write(json, _text(found))
    show()


def print_json(found: BaseModel | Sequence[BaseModel]) -> None:
    """Print a record, or several as a list, as JSON and nothing else."""
    print_exactly(_text(found))


def _text(found: BaseModel | Sequence[BaseModel]) -> str:
    if isinstance(found, Sequence):
        return "[" + ",\n".join(to_json(one, indent=2) for one in found) + "]\n"
    return to_json(found, indent=2) + "\n"


def print_exactly(text: str) -> None:
    """Print JSON or TOML that means the same in every encoding: where it lacks a character, all are escaped."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = re.sub(r"[^\x00-\x7f]+", lambda found: _escaped(found.group()), text)
    typer.echo(text, nl=False)


def _escaped(text: str) -> str:
    """Characters as JSON escapes them, two for one beyond U+FFFF."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
