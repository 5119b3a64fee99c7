"""`ablate`: the study from its plan to its answer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypedDict, Unpack

from steadygan.claim import LOCK, alone, check_folder, claimed
from steadygan.config import nearest
from steadygan.errors import ConfigError, StorageError, interruptible, os_errors
from steadygan.features import AnyFeatures
from steadygan.names import path_of
from steadygan.recipes.choose import DEFAULT
from steadygan.runs.study import StudyTable
from steadygan.studies.ablation.answer import so_far
from steadygan.studies.ablation.engines import Engine
from steadygan.studies.ablation.plan import Request, StudyPlan, make_plan
from steadygan.studies.ablation.records import Outcome
from steadygan.studies.ablation.runner import Runner, Standing, Watcher
from steadygan.studies.ablation.study import StudyFolder
from steadygan.studies.ablation.table import save_table
from steadygan.studies.ablation.view import board
from steadygan.training.config import Budget
from steadygan.training.console import reporter

__all__ = ["ablate"]


class StudyOptions(TypedDict, total=False):
    """What a study may be told besides."""

    vary: Sequence[str]
    sets: Sequence[str]
    settings: Mapping[str, Any]
    pairs: bool
    seeds: int
    metric: str
    features: AnyFeatures | str
    halving: bool
    jobs: int


@interruptible()
def ablate(
    source: str | Path,
    out: str | os.PathLike[str],
    recipe: str = DEFAULT,
    *,
    images: int | None = None,
    minutes: float | None = None,
    **options: Unpack[StudyOptions],
) -> StudyTable:
    """Find out which technique helps on these images: the same training with and without it, in pairs, over seeds.

    `out` is the folder of the study; the same call goes on with it. `recipe` is a name or a file, and each run has so
    many `images` or `minutes`. `vary` names techniques (["all"] is all of them), each switched on alone, or off where
    the recipe has it; `sets` are texts as behind `--set`: "networks.width=16,32" is a variant for each value, one value
    is for all runs, as `settings` are, a nested dict. `seeds` runs of each variant, 3 if not said otherwise; `pairs`
    adds all pairs of what is varied, `halving` stops after a third of the budget what clearly loses, `metric` of
    `features` decides, and `jobs` runs stand side by side, 0 as many as the machine bears. Printed, the table is a
    sentence for each variant. Raises ConfigError and DataError before any work, Interrupted when asked to stop.
    """
    known = StudyOptions.__annotations__
    for name in options.keys() - known.keys():
        raise ConfigError(f"ablate takes no {name}{nearest(name, known) or '.'} It takes {', '.join(known)}")
    request = Request(str(source), recipe, budget=Budget(images=images, minutes=minutes), **options)
    return run_study(request, Path(out))


@os_errors()
def run_study(request: Request, out: Path) -> StudyTable:
    """Train, score and compare all runs that the folder `out` lacks; the same request goes on with it.

    Raises ConfigError and DataError before any work, Interrupted when asked to stop.
    """
    home = StudyFolder(out)
    with _held(home, request.source):
        found = make_plan(request, home, reporter())
        view = board()
        try:
            for line in found.lines():
                view.say(line)
            home.write(found.study)
            outcomes = _runner(found, home, request.engine, view).run()
        finally:
            view.close()
        table = so_far(found.study, outcomes)
        home.write_results(outcomes)
        save_table(table, home.path)
    return table


def _runner(found: StudyPlan, home: StudyFolder, engine: Engine, view: Watcher) -> Runner:
    it = found.estimate
    rounds = max(1, -(-(it.runs - it.done) // it.jobs))
    return Runner(found.study, home, engine, it.jobs, it.seconds / rounds, _Saving(view, home))


class _Saving(Watcher):
    """A view that also writes the table so far after each run."""

    def __init__(self, view: Watcher, home: StudyFolder) -> None:
        self.view, self.home = view, home

    def say(self, text: str) -> None:
        self.view.say(text)

    def look(self, state: Standing) -> None:
        self.view.look(state)

    def ended(self, outcome: Outcome, state: Standing) -> None:
        with suppress(StorageError):  # it is made of what is there, at the end again
            save_table(so_far(state.study, state.outcomes), self.home.path)
        self.view.ended(outcome, state)


@contextmanager
def _held(home: StudyFolder, source: str) -> Iterator[None]:
    """Be the one who runs the study; a new folder is made, and goes again if nothing is written into it."""
    folder = home.path
    if home.study_json.exists():
        with alone(folder / LOCK, f"running the study {folder}", "wait for it, or stop it, and it saves its state"):
            yield
        return
    if folder.is_dir() and any(entry.name != LOCK for entry in folder.iterdir()):
        raise ConfigError(f"{folder} exists and holds no study; choose another folder with -o")
    check_folder(folder, str(path_of(source)))
    with claimed(folder, str(path_of(source))):
        yield
