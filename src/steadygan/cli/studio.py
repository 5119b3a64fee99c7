"""`studio`: the local web app."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steadygan.errors import ConfigError


def studio(
    folder: Annotated[Path, typer.Argument(help="Folder of runs.", metavar="[FOLDER]")] = Path("runs"),
    port: Annotated[int, typer.Option(help="Where it listens; the next free port if taken.", min=0, max=65535)] = 8765,
    share: Annotated[
        bool, typer.Option("--share", help="Let other machines in, by a link with a secret in it.")
    ] = False,
    open_it: Annotated[bool, typer.Option("--open/--no-open", help="Open it in a browser.")] = True,
) -> None:
    """Open a local web app on a folder of runs: watch, compare, explore, judge and start them."""
    open_studio(folder, port, share, open_it)


def open_studio(folder: Path, port: int, share: bool, open_it: bool, start: str = "/") -> None:
    """Serve the studio until it is interrupted, and open the page `start` of it."""
    try:
        from steadygan.web.serving import serve
    except ModuleNotFoundError as problem:
        if problem.name not in ("starlette", "uvicorn"):
            raise
        raise ConfigError('the studio needs starlette and uvicorn: pip install "steadygan[studio]"') from problem
    serve(folder, port, share, open_it, typer.echo, start)
