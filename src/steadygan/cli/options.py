"""Arguments and options that several commands share, and mean the same in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

RunFolder = Annotated[Path, typer.Argument(help="Folder of a run.")]
Checkpoint = Annotated[str, typer.Option(help="best, latest or the name of a checkpoint.")]
OwnRecipe = Annotated[
    str, typer.Option("--recipe", help="FILE.py:FUNCTION it was trained with, if that made objects of your own.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]

PRINTED = "-"


def writable(path: Path | None) -> Path | None:
    """The file of an option, refused before the work if it could not be written after it."""
    from steadygan.rundir import check_output

    if path is not None and str(path) != PRINTED:
        check_output(path)
    return path


Json = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="[FILE.json]", callback=writable, help="Print JSON and nothing else; or write it into a file."
    ),
]


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


def with_json_spelled_out(words: Sequence[str]) -> list[str]:
    """The words of a command line in which `--json` has a value: the next word if its name ends in `.json`, or `-`.

    So `--json` may stand anywhere; a file of another name is given as `--json=FILE`.
    """
    end = words.index("--") if "--" in words else len(words)
    pairs = zip(words[:end], [*words[1:end], ""], strict=False)
    alone = [word == "--json" and then != PRINTED and not then.lower().endswith(".json") for word, then in pairs]
    return [f"--json={PRINTED}" if bare else word for word, bare in zip(words, alone, strict=False)] + [*words[end:]]
