"""`doctor`: what is wrong with a run, a log, a recipe, images or networks, and what to do about it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steadygan.cli.answers import answer
from steadygan.cli.lines import row, say
from steadygan.cli.options import Json
from steadygan.names import shown

if TYPE_CHECKING:
    from steadygan.doctor.rule import RuleOf
    from steadygan.records import Finding
    from steadygan.studies.doctor import Diagnosis, Examined

SERIOUS = 3
"""The exit code if something serious was found."""

_COLUMN = 12  # where the text beside "evidence" begins
_COLOURS = {"serious": "bold red", "warning": "bold yellow", "info": "bold"}
_WITH_REASON = re.compile(r"((?:--|steadygan )\w.*?) \((.+)\)")


def _list(wanted: bool) -> None:
    """Say what each rule sees and leave."""
    if not wanted:
        return
    from steadygan.doctor import audit
    from steadygan.doctor.rules import RULES

    rules: tuple[RuleOf[Any], ...] = (*RULES, *audit.RULES)
    for one in rules:
        say(f"{one.id} ({one.severity}): {one.says}", hanging=4)
        say(one.source, indent=4, hanging=4)
    raise typer.Exit


def doctor(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="A run, another program's log, a recipe, images, or FILE.py:FUNCTION with networks."
        ),
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Of a log: what its column NAME holds, as loss_d=NAME; several times if wished.", metavar="WHAT=NAME"
        ),
    ] = None,
    loss: Annotated[
        str, typer.Option(help="Of a log or of networks: the kind of loss, as hinge.", metavar="KIND")
    ] = "",
    data: Annotated[
        str | None, typer.Option(help="Of a recipe: the images it is to be trained on.", metavar="DATASET")
    ] = None,
    json: Json = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Say what each rule sees and leave.", callback=_list, is_eager=True)
    ] = False,
) -> None:
    """Say what goes wrong, on which evidence, and what to do; a run may still be training.

    Leaves with 3 if something serious was found.
    """
    from steadygan.studies.doctor import look

    found = look(target, dict(map(_parted, column or ())), loss, data)
    answer(found, json, lambda: _show(found))
    if found.serious:
        raise typer.Exit(SERIOUS)


def _parted(text: str) -> tuple[str, str]:
    """What a column holds, and its name."""
    from steadygan.errors import ConfigError

    place, equals, name = text.partition("=")
    if not (place and equals and name):
        raise ConfigError(f"column: '{text}' should be what it holds and its name, as in loss_d=NAME")
    return place, name


def _show(found: Diagnosis) -> None:
    say(found.verdict)
    for line in _about(found.target):
        say(shown(line), hanging=2)
    for finding in found.findings:
        _explain(finding, found.target)
    if found.acts:
        typer.echo("\nwhat care did, and how to undo it")
    for number, act in enumerate(found.acts, 1):
        say(shown(f"{number}. after {act.images:,} images {act.says}: {act.evidence}"), indent=2, hanging=5)
        undo = _copied(act.remedy) or "(the checkpoint before it is gone)"
        typer.echo(f"     {shown(_named(undo, found.target))}")
    if found.answers:
        typer.echo("\nwhat people ask")
    for one in found.answers:
        say(shown(one.question), indent=2, hanging=4)
        say(shown(_named(one.text, found.target)), indent=4, hanging=4)


def _about(target: Examined) -> list[str]:
    """What was looked at, and how it was understood."""
    seen = f", {target.images:,} images" if target.images and target.kind == "run" else ""
    of = f" of {target.budget_images:,}" if seen and target.budget_images else ""
    loss = f", loss {target.loss}" if target.loss else ""
    read = ", ".join(f"{place} = {name}" for place, name in target.read.items())
    return [f"{target.kind} {target.path}{seen}{of}{loss}", *([f"read {read}"] if read else []), *target.remarks]


def _explain(finding: Finding, target: Examined) -> None:
    """One finding: what, when, why, and what to do in lines that can be copied."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    typer.echo("")
    says = shown(finding.says or finding.evidence)
    console.print(Text(f"{finding.severity}:", _COLOURS[finding.severity]), Text(f"{says} [{finding.rule}]"))
    _row("seen", _when(finding, target))
    _row("evidence", finding.evidence)
    _row("cause", finding.causes)
    for number, remedy in enumerate(finding.remedy.split("; ") if finding.remedy else []):
        typer.echo(f"{'' if number else '  try':{_COLUMN}}{shown(_named(_copied(remedy), target))}")
    _row("unless", finding.unless)
    _row("source", finding.source)
    if finding.picture and target.kind == "run":
        _row("picture", str(Path(target.path) / finding.picture))


def _row(name: str, text: str) -> None:
    if text:
        row(name, shown(text), _COLUMN)


def _copied(remedy: str) -> str:
    """A setting with its reason as a comment, so that the line can be pasted as it is."""
    found = _WITH_REASON.fullmatch(remedy)
    return f"{found[1]}  # {found[2]}" if found else remedy


def _named(text: str, target: Examined) -> str:
    """A text in which the run is called by its name."""
    return re.sub(r"\bRUN\b", lambda _: shlex.quote(target.path), text) if target.kind == "run" else text


def _when(finding: Finding, target: Examined) -> str:
    """When something was first to be seen; nothing of what never ran."""
    whole = target.budget_images or target.images
    if target.kind not in ("run", "log") or not whole:
        return ""
    if target.kind == "run" and not finding.images:
        return "before the first step"
    at = f"{finding.images:,} images" if target.kind == "run" else f"step {finding.step:,}"
    return f"first at {at}, {finding.images / whole:.0%} of {'the run' if target.kind == 'run' else 'the log'}"
