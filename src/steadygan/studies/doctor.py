"""What the doctor is asked about: a run, another program's log, a recipe, images, networks.

A run and a log are read without torch; the rest is audited where it is asked for, which loads it.
"""

from __future__ import annotations

import mimetypes
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from steadygan.care.acts import ended
from steadygan.config import nearest
from steadygan.doctor import audit as audit_rules
from steadygan.doctor.answers import QUESTIONS, UNTOLD, Reply, answers, best_checkpoint, go_on
from steadygan.doctor.case import Case, case_of, score_columns
from steadygan.doctor.history import history_of
from steadygan.doctor.logs import read_log
from steadygan.doctor.rule import ranked, story
from steadygan.doctor.rules import RULES
from steadygan.errors import ConfigError, DataError, os_errors
from steadygan.names import path_of
from steadygan.records import Finding
from steadygan.runs import Run, run_at

__all__ = ["diagnose"]

Kind = Literal["run", "log", "recipe", "images", "function"]


class Examined(BaseModel):
    """What was looked at. `read` says which column of a log was taken for what, `remarks` how it was understood.

    `images` had been seen of `budget_images`, 0 if the latter is unknown; a log that counts none counts one a step.
    """

    kind: Kind
    path: str
    loss: str = ""
    step: int = 0
    images: int = 0
    budget_images: int = 0
    read: Mapping[str, str] = Field(default_factory=dict)
    remarks: tuple[str, ...] = ()


class Diagnosis(BaseModel):
    """What the doctor says: the verdict in one line, findings with the gravest first, answers about a run, and
    what care did with it, in its order; the remedy of such an act undoes it, and is "" if its checkpoint is gone.
    """

    target: Examined
    verdict: str
    findings: list[Finding]
    answers: list[Reply] = []
    acts: list[Finding] = []

    @property
    def serious(self) -> bool:
        """Whether anything serious was found."""
        return any(finding.severity == "serious" for finding in self.findings)


@os_errors()
def diagnose(path: str | os.PathLike[str], columns: Mapping[str, str] | None = None, loss: str = "") -> list[Finding]:
    """What the doctor finds in a run, be it still training, or in another program's log; the gravest first.

    `columns` names a log's columns by what they hold, as in {"loss_d": "errD"}, `loss` is its kind of loss.
    ConfigError if there is no such file, column or loss; DataError if it cannot be read or holds nothing yet.
    """
    return look(os.fspath(path), columns or {}, loss).findings


def look(text: str, columns: Mapping[str, str], loss: str = "", data: str | None = None) -> Diagnosis:
    """The diagnosis of what a user named on the command line; `data` are the images that a recipe is meant for.

    Errors as in `diagnose`, and those of what is looked into.
    """
    path = path_of(text)
    if run := _run(path):
        _refuse(text, {"column": columns, "loss": loss, "data": data})
        return _of_run(run)
    if _is_log(path):
        _refuse(text, {"data": data})
        return _of_log(path, columns, loss)
    _refuse(text, {"column": columns})
    return _audited(text, path, data, loss)


# -- records -----------------------------------------------------------------------------------------------------------


def _run(path: Path) -> Run | None:
    """The run of a folder, of one of its checkpoints, or of a file that it writes."""
    return run_at(path) or (run_at(path.parent) if path.is_file() and path.parent != path else None)


def _of_run(run: Run) -> Diagnosis:
    case, live = case_of(run), run.findings()
    if not case.series and not live:
        raise DataError(f"{run.path} has no ticks yet; ask again when it has trained for a while")
    stand, acts, past = history_of(live, [one.name for one in run.checkpoints()])
    known = {finding.rule for finding in stand}
    later = [finding for finding in story(case, RULES) if finding.rule not in known]
    target = _examined(case, kind="run", path=str(run.path))
    found = _diagnosis(target, [*stand, *later], _replies(run, case))
    if not acts:
        return found
    counts = Counter(one.act for one in acts)
    did = ", ".join(f"{act} {count}×" if count > 1 else act for act, count in counts.items())
    told = [*found.findings, *past]
    return found.model_copy(update={"verdict": f"{found.verdict}; care: {did}", "findings": told, "acts": acts})


def _replies(run: Run, case: Case) -> list[Reply]:
    """The answers, of the best among all pictures, as `best` is, and how to go on where care ended the run."""
    told = {best_checkpoint: best_checkpoint(replace(case, series={**case.series, **score_columns(run.scores())}))}
    if act := ended(run.findings(), case.images):
        way = act.remedy.partition(" (")[0]
        told[go_on] = f"care ended it after {act.images:,} images: {act.evidence}; to go on all the same: {way}"
    by_question = {question: told[answer] for question, answer in QUESTIONS.items() if answer in told}
    return [replace(one, text=by_question.get(one.question, one.text)) for one in answers(case)]


def _of_log(path: Path, columns: Mapping[str, str], loss: str) -> Diagnosis:
    log = read_log(path, columns, loss)
    target = _examined(log.case, kind="log", path=str(path), read=log.read, remarks=log.remarks)
    told = [reply for reply in answers(log.case) if not reply.text.startswith(UNTOLD)]
    return _diagnosis(target, map(_of_others, story(log.case, RULES)), told)


def _of_others(finding: Finding) -> Finding:
    """A finding without what can only be done with a run of our own."""
    remedies = [remedy for remedy in finding.remedy.split("; ") if not re.search(r"\bRUN\b", remedy)]
    return finding.model_copy(update={"remedy": "; ".join(remedies)})


def _examined(case: Case, **about: object) -> Examined:
    facts = {"loss": case.loss, "step": case.step, "images": case.images, "budget_images": case.budget_images}
    return Examined.model_validate({**facts, **about})


# -- audits ------------------------------------------------------------------------------------------------------------

_PACKS = {"application/zip", "application/x-tar", "application/vnd.apache.parquet"}


def _is_log(path: Path) -> bool:
    """Whether a file is to be read as a log: one whose name says that it is something else is none."""
    kind, packed = mimetypes.guess_type(path.name)
    other = packed or kind in _PACKS or (kind or "").startswith("image/")
    return path.is_file() and not other and path.suffix.lower() not in (".toml", ".py", ".parquet", ".arrow")


def _audited(text: str, path: Path, data: str | None, loss: str) -> Diagnosis:
    """The audit of what has not been trained: images, a recipe by name or file, or what a function gives."""
    if runs := sorted(path.glob("*/run.json")) if path.is_dir() else []:
        raise ConfigError(f"{text} holds runs; name one, as {runs[0].parent}")
    if path.suffix == ".py" and path.is_file():
        raise ConfigError(f"{text}: say which function of it, as {text}:FUNCTION")
    kind: Kind = "function" if ".py:" in text else "recipe" if text.endswith(".toml") or _is_recipe(text) else "images"
    _refuse(text, {"data": data if kind == "images" else None, "loss": loss if kind != "function" else ""})
    from steadygan.studies.audit import audit

    return _diagnosis(Examined(kind=kind, path=text, loss=loss), audit(text, data, loss=loss))


def _is_recipe(text: str) -> bool:
    """Whether a word that names no images is a recipe; ConfigError if it is nothing at all."""
    from steadygan.data.sources.opening import is_missing

    if not is_missing(text):
        return False
    from steadygan.recipes import RECIPES

    if text not in RECIPES:
        hint = nearest(text, RECIPES) or f"; there are: {', '.join(RECIPES)}"
        raise ConfigError(f"there is no file or folder {text}, and no recipe of that name{hint}")
    return True


_OF_OTHERS = {
    "column": "is of another program's log",
    "loss": "is of another program's log, or of networks",
    "data": "is of a recipe, or of a function that gives one",
}


def _refuse(text: str, options: Mapping[str, object]) -> None:
    """Say of an option that it would do nothing."""
    for name in (name for name, value in options.items() if value):
        raise ConfigError(f"{name}: {_OF_OTHERS[name]}, and {text} is none; leave it out")


# -- the verdict -------------------------------------------------------------------------------------------------------


def _diagnosis(target: Examined, findings: Iterable[Finding], replies: Sequence[Reply] = ()) -> Diagnosis:
    found = ranked(findings, (*RULES, *audit_rules.RULES))
    return Diagnosis(target=target, verdict=verdict(target.kind, found), findings=found, answers=[*replies])


def verdict(kind: Kind, findings: list[Finding]) -> str:
    """In one line: how many findings of which severity, and what the first says."""
    counts = {severity: sum(one.severity == severity for one in findings) for severity in ("serious", "warning")}
    if not any(counts.values()):
        return "healthy so far" if kind == "run" else "nothing wrong was seen"
    serious, warnings = counts.values()
    parts = [f"{serious} serious"] * (serious > 0) + [f"{warnings} warning{'s' * (warnings > 1)}"] * (warnings > 0)
    return f"{', '.join(parts)}: {findings[0].says or findings[0].evidence}"
