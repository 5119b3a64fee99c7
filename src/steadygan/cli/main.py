"""The program: its commands, its one printer of errors, its exit codes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import cache
from typing import NoReturn

import typer
from typer.main import get_command

from steadygan.cli import (
    ablation,
    bench,
    data,
    doctor,
    projecting,
    results,
    scores,
    serving,
    studio,
    techniques,
    training,
    tuning,
    turing,
)
from steadygan.cli.options import with_json_spelled_out
from steadygan.errors import ConfigError, Interrupted, SteadyganError, os_errors
from steadygan.terminal import interrupt, plain_streams, when_asked_to_stop
from steadygan.version import __version__

app = typer.Typer(
    name="steadygan",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
_DEBUG = "--debug"
_UsageError: type[typer.BadParameter] = typer.BadParameter.__mro__[1]  # typer moved it, but it stays the parent


@app.callback(invoke_without_command=True)
def steadygan(
    context: typer.Context,
    debug: bool = typer.Option(False, _DEBUG, help="Show the traceback of an error."),
    version: bool = typer.Option(False, "--version", help="Show the version and leave.", is_eager=True),
) -> None:
    """Train a GAN on a folder of images, steadily.

    Start with:  steadygan train photos/   or   steadygan train builtin:critters --minutes 3
    """
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(ConfigError.exit_code)


for command in (
    data.prepare,
    data.inspect,
    training.train,
    training.resume,
    results.sample,
    projecting.project,
    results.export,
    scores.evaluate,
    scores.probe,
    turing.turing,
    ablation.ablate,
    doctor.doctor,
    tuning.tune,
    results.compare,
    results.report,
    results.note,
    studio.studio,
    training.recipes,
    techniques.techniques,
    techniques.cite,
):
    app.command()(command)
app.command("serve-pictures", hidden=True)(serving.serve_pictures)
app.command("study-job", hidden=True)(ablation.study_job)
app.add_typer(bench.app, name="bench")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the contract's code; a traceback only with --debug."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = _DEBUG in arguments
    arguments = [_DEBUG, *(a for a in arguments if a != _DEBUG)] if debug else arguments
    with plain_streams():
        _run(with_json_spelled_out(arguments), debug)


@cache
def _program() -> Callable[..., int]:
    """What `app` makes anew of all commands, a twentieth of a second, whenever it is called; tests call it often."""
    return get_command(app)


def _run(arguments: list[str], debug: bool) -> NoReturn:
    try:
        with os_errors(), when_asked_to_stop(interrupt):
            code = _program()(args=arguments, prog_name="steadygan", standalone_mode=False)
            sys.stdout.flush()
        if code == Interrupted.exit_code:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
        raise SystemExit(code)
    except SteadyganError as problem:
        _fail(str(problem), problem.exit_code, debug)
    except _UsageError as problem:
        _fail(_usage(problem), ConfigError.exit_code, debug)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; what was saved before is kept", Interrupted.exit_code, debug)
    except Exception as problem:  # noqa: BLE001 - the last line of defence: a bug is said in one line, too
        _fail(f"{type(problem).__name__}: {problem} (this is a bug; --debug shows where)", 1, debug)


def _usage(problem: typer.BadParameter) -> str:
    """What typer has to say about the arguments, and where to read on."""
    text = problem.format_message()
    sentence = text[0].lower() + text[1:] + ("" if text.endswith((".", "?")) else ".")
    return f"{sentence} See `{problem.ctx.command_path if problem.ctx else 'steadygan'} --help`"


def _fail(text: str, code: int, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    for line in text.splitlines():
        print(f"steadygan: {line}", file=sys.stderr)
    raise SystemExit(code)
