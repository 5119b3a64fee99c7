"""`study.json`: all that decides what a study trains and how it is scored; and the folder it lies in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from steadygan.config import merge, nested, resolve
from steadygan.errors import ConfigError, DataError
from steadygan.features import AnyFeatures, Scattering
from steadygan.names import from_json, to_json
from steadygan.part import Value
from steadygan.recipes.choose import recipe_of
from steadygan.recipes.facts import Facts
from steadygan.records import Score
from steadygan.rundir import atomic_write
from steadygan.runs import LayerWay, Run
from steadygan.runs.study import run_name
from steadygan.studies.ablation.records import Outcome
from steadygan.training.config import Budget, RunConfig, own_parts
from steadygan.training.restoring import own_again

BASE = "base"


class StudyVariant(Value):
    """One way to train: `changes` are values by their places, as behind `--set`, laid over the base."""

    name: str
    title: str
    changes: dict[str, Any] = Field(default_factory=dict)


class LeftOut(Value):
    """What was asked for and cannot be tried with this recipe and these images."""

    name: str
    reason: str


class ScorePlan(Value):
    """What decides: a metric of `count` pictures against as many held-out images, of the `checkpoint` of each run."""

    metric: str = "kid"
    better: Literal["lower", "higher"] = "lower"
    features: AnyFeatures = Scattering()
    count: int = Field(ge=1)
    checkpoint: Literal["best", "latest"] = "best"


class StudyMachine(Value):
    """What the machine was found to be when the study began; all its runs are made alike, whenever they are.

    `threads` of each job, `memory_mb` and `images_per_second` of the base, `run_bytes` that a run leaves on the disk,
    `every_images` between two checkpoints, `look_images` between two looks of the doctor.
    """

    device: str
    precision: str
    layout: str
    threads: int
    convolutions: tuple[LayerWay, ...] = ()
    images_per_second: float
    images_per_step: float
    memory_mb: float
    run_bytes: int
    every_images: int
    look_images: int


class Study(Value):
    """A study. `base` are all settings of the recipe as it is, `facts` what the recipe was told.

    `digests` are those of the images by seed, which draws what is held out.
    """

    format: Literal[1] = 1
    source: str
    digest: str
    digests: dict[int, str]
    recipe: str
    facts: Facts
    base: dict[str, Any]
    variants: tuple[StudyVariant, ...]
    seeds: tuple[int, ...]
    budget: Budget
    score: ScorePlan
    halving: bool = False
    left_out: tuple[LeftOut, ...] = ()
    measured: StudyMachine
    versions: dict[str, str]

    def variant(self, name: str) -> StudyVariant:
        """By its name; ConfigError if there is none."""
        for one in self.variants:
            if one.name == name:
                return one
        raise ConfigError(f"the study has no variant '{name}'; it has {', '.join(one.name for one in self.variants)}")

    def runs(self) -> list[tuple[str, int]]:
        """All of them, seed by seed, so that a part of the study is a study of fewer seeds."""
        return [(variant.name, seed) for seed in self.seeds for variant in self.variants]

    def recipe_config(self) -> RunConfig | None:
        """What the recipe says, where only it can bring objects of the user's own back."""
        return recipe_of(self.recipe)(self.facts) if own_parts(self.base) else None

    def config(self, name: str, seed: int) -> RunConfig:
        """All settings of one run."""
        config = configured(self.base, self.variant(name).changes, self.recipe_config(), self.recipe)
        data = config.data.model_copy(update={"split_seed": seed})
        return config.model_copy(update={"seed": seed, "data": data})


def configured(
    base: dict[str, Any], changes: dict[str, Any], recipe: RunConfig | None = None, word: str = ""
) -> RunConfig:
    """Settings by their places laid over a configuration that was dumped; `recipe` has the user's own objects."""
    layers = (nested(place.split("."), value) for place, value in changes.items())
    return resolve(RunConfig, own_again(merge(base, *layers), recipe, Path(word or "the study"), word))


class Finished(Value):
    """What a job leaves in the folder of its run: the outcome, and how the score of it was measured."""

    outcome: Outcome
    score: Score | None = None


@dataclass(frozen=True)
class StudyFolder:
    """Names of everything in a study's folder."""

    path: Path

    @property
    def study_json(self) -> Path:
        return self.path / "study.json"

    @property
    def results(self) -> Path:
        return self.path / "results.jsonl"

    @property
    def table_md(self) -> Path:
        return self.path / "table.md"

    @property
    def effects(self) -> Path:
        return self.path / "effects.png"

    @property
    def halving(self) -> Path:
        return self.path / "halving.json"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def jobs(self) -> Path:
        """What the jobs said, and the locks by which no run is made twice at once."""
        return self.path / "jobs"

    def run(self, variant: str, seed: int) -> Run:
        """The run of a variant under a seed."""
        return Run(self.runs / run_name(variant, seed))

    def job_log(self, variant: str, seed: int) -> Path:
        return self.jobs / f"{run_name(variant, seed)}.log"

    def job_lock(self, variant: str, seed: int) -> Path:
        return self.jobs / f"{run_name(variant, seed)}.lock"

    def finished_json(self, variant: str, seed: int) -> Path:
        return self.run(variant, seed).path / "outcome.json"

    def read(self) -> Study | None:
        """The study; None if there is none yet. DataError if there is something else."""
        if not self.study_json.exists():
            return None
        try:
            return from_json(Study, self.study_json.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            missing = problem.errors()[0]["loc"] if isinstance(problem, ValidationError) else ()
            what = f" ({'.'.join(map(str, missing))})" if missing else ""
            raise DataError(
                f"{self.study_json} is not that of a study this steadygan can go on with{what}; choose another folder"
            ) from problem

    def write(self, study: Study) -> None:
        atomic_write(self.study_json, to_json(study, indent=1) + "\n")

    def finished(self, variant: str, seed: int) -> Finished | None:
        """What a run came to; None if it has not, or if what it left is damaged."""
        try:
            return from_json(Finished, self.finished_json(variant, seed).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def finish(self, done: Finished) -> None:
        atomic_write(self.finished_json(done.outcome.variant, done.outcome.seed), to_json(done, indent=1) + "\n")

    def write_results(self, outcomes: Sequence[Outcome]) -> None:
        atomic_write(self.results, "".join(to_json(one) + "\n" for one in outcomes))

    def stopped(self) -> dict[str, str] | None:
        """The variants that halving stopped, and why; None if it has not decided yet."""
        try:
            found = json.loads(self.halving.read_text(encoding="utf-8"))
            return {str(name): str(reason) for name, reason in found["stopped"].items()}
        except (OSError, ValueError, KeyError, AttributeError):
            return None

    def write_stopped(self, stopped: dict[str, str]) -> None:
        atomic_write(self.halving, json.dumps({"stopped": stopped}, indent=1) + "\n")
