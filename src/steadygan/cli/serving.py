"""`serve-pictures`: a generator at hand for another program."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from steadygan.cli.options import RunFolder


def serve_pictures(
    run: RunFolder,
    threads: Annotated[int, typer.Option(help="Processor threads.", min=1)] = 1,
) -> None:
    """Answer requests for pictures, one JSON object a line, until the input ends: for programs, as the studio is."""
    from steadygan.export.serving import serve

    answers = sys.stdout

    def write(line: str) -> None:
        answers.write(line)
        answers.flush()

    with redirect_stdout(sys.stderr):  # what a library says is no answer
        serve(Path(run), sys.stdin, write, threads)
