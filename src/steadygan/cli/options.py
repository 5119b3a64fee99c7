"""Arguments and options that several commands share, and mean the same in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

RunFolder = Annotated[Path, typer.Argument(help="Folder of a run.")]
Checkpoint = Annotated[str, typer.Option(help="best, latest or the name of a checkpoint.")]
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


def with_json_spelled_out(words: Sequence[str]) -> list[str]:
    """The words of a command line in which `--json` has a value: the next word if its name ends in `.json`, or `-`.

    So `--json` may stand anywhere; a file of another name is given as `--json=FILE`.
    """
    end = words.index("--") if "--" in words else len(words)
    pairs = zip(words[:end], [*words[1:end], ""], strict=False)
    alone = [word == "--json" and then != PRINTED and not then.lower().endswith(".json") for word, then in pairs]
    return [f"--json={PRINTED}" if bare else word for word, bare in zip(words, alone, strict=False)] + [*words[end:]]
