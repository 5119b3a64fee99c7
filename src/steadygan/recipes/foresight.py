"""What a run would be, before a step of it: its settings, its images, what it would take, and what is the matter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from steadygan.claim import check_folder
from steadygan.data import Dataset
from steadygan.doctor.audit.plan import DEFAULT_IMAGES
from steadygan.errors import SteadyganError, os_errors
from steadygan.recipes.start import PlannedRun, plan
from steadygan.records import Finding
from steadygan.spec import ImageSpec
from steadygan.training.audit import audit_config
from steadygan.training.budget import too_short
from steadygan.training.build import make_parts
from steadygan.training.config import RunConfig
from steadygan.training.console import Reporter
from steadygan.training.runtime import enough_memory
from steadygan.training.trial import try_out

_PLACE = re.compile(r"(\w+)([.\[][\w.\[\]]*)?(?=[=:])")
_ELSEWHERE = {
    "no recipe": "recipe",
    "--recipe": "recipe",
    "cannot read the recipe file": "recipe",
    "--from": "start.source",
    "this does not fit into memory": "batch",
}
"""Beginnings of complaints that name no setting, and the setting they are about."""


class Problem(BaseModel):
    """One line of what is wrong, and the place of the setting it is about, as behind `--set`; "out" is the folder."""

    setting: str
    problem: str


class ForeseenImages(BaseModel):
    """The images of the run: `count` of them, `held_out` not trained on, prepared in the folder `prepared`."""

    prepared: str
    digest: str
    count: int
    held_out: int
    rejected: int
    spec: ImageSpec
    advice: tuple[str, ...]


class RunEstimate(BaseModel):
    """What the run would take on this machine, measured in some steps; memory in MiB, of the whole process.

    `remark` is a word on a short run, or "".
    """

    seconds: float
    steps: int
    images_per_second: float
    images_per_step: float
    memory_mb: float
    device: str
    precision: str
    remark: str = ""
    sentence: str


class Foreseen(BaseModel):
    """The answer of `train --dry-run --json`. What could not be known because of the `problems` is None or empty.

    `config` has every setting, resolved; `changed` those that are not the recipe's, by their places behind `--set`:
    here and there. `findings` are those of the audit.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    config: dict[str, Any] = Field(default_factory=dict)
    changed: dict[str, tuple[Any, Any]] = Field(default_factory=dict)
    data: ForeseenImages | None = None
    estimate: RunEstimate | None = None
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    wrong: SteadyganError | None = Field(default=None, exclude=True)


def foresee(
    source: str | Path,
    recipe: str | RunConfig | None,
    settings: Mapping[str, Any],
    console: Reporter,
    out: Path | None = None,
) -> Foreseen:
    """What `train` would do with these: the images are prepared if need be, some steps are timed, nothing is trained.

    What is wrong is in the answer, and `wrong` is the error that a run would have ended with.
    """
    found = Foreseen()
    otherwise = "out"
    try:
        with os_errors(), enough_memory():
            if out:
                check_folder(out, str(source))
            otherwise = "data.source"
            planned = plan(source, recipe, settings, console)
            found = _planned(planned)
            otherwise = ""
            return _tried(found, planned, console)
    except SteadyganError as problem:
        lines = str(problem).splitlines()
        said = tuple(Problem(setting=_place(line, otherwise), problem=line) for line in lines)
        return found.model_copy(update={"problems": said, "wrong": problem})


def _planned(planned: PlannedRun) -> Foreseen:
    return Foreseen(config=planned.config.dump(), changed=planned.basis.changed, data=_images(planned.dataset))


def _images(dataset: Dataset) -> ForeseenImages:
    return ForeseenImages(
        prepared=str(dataset.path.absolute()),
        digest=dataset.digest,
        count=len(dataset),
        held_out=len(dataset.held_out),
        rejected=sum(not one.left_out for one in dataset.rejected()),
        spec=dataset.spec,
        advice=dataset.advice,
    )


def _tried(found: Foreseen, planned: PlannedRun, console: Reporter) -> Foreseen:
    """With the estimate and the findings; networks of the user's own that cannot be looked into are not audited."""
    config, dataset, _ = planned
    by_default = config.budget.is_open()
    if by_default:
        usual = config.budget.model_copy(update={"images": DEFAULT_IMAGES})
        config = config.model_copy(update={"budget": usual})
    parts, expected = try_out(make_parts(config, console, dataset), config.runtime.precision, console.say)
    try:
        findings = tuple(audit_config(planned.config, dataset, parts.pair))
    except SteadyganError as problem:
        console.say(f"not audited: {problem}")
        findings = ()
    estimate = RunEstimate(
        seconds=expected.seconds,
        steps=expected.steps,
        images_per_second=expected.images_per_second,
        images_per_step=expected.images_per_step,
        memory_mb=expected.memory_mb,
        device=parts.config.runtime.device,
        precision=parts.config.runtime.precision,
        remark=too_short(expected.steps) if by_default else "",
        sentence=expected.sentence(),
    )
    return found.model_copy(update={"estimate": estimate, "findings": findings})


def _place(line: str, otherwise: str) -> str:
    """The setting that a complaint is about."""
    named = _PLACE.match(line)
    if named and named[1] in RunConfig.model_fields:
        return named[0]
    return next((place for start, place in _ELSEWHERE.items() if line.startswith(start)), otherwise)
