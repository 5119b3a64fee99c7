"""The folder of a search, and its trials as Optuna's storage has them."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from steadygan.config import difference
from steadygan.errors import ConfigError, DataError
from steadygan.names import from_json, to_json
from steadygan.part import Value
from steadygan.rundir import atomic_write
from steadygan.runs import Run
from steadygan.studies.tuning.ranges import SearchRange

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

NAME = "steadygan"
CHECKS = 12
"""Moments of a trial at which it may be found hopeless."""

_STARTUP_TRIALS = 5  # before any is ended early
_WARMUP_CHECKS = 3


class Search(Value):
    """What is searched, as search.json holds it: everything that decides what a trial is and how it is scored.

    `settings` are texts as behind `--set`, the same in all trials; `images` is the budget of each.
    """

    format: Literal[1] = 1
    source: str
    recipe: str
    ranges: tuple[SearchRange, ...]
    settings: tuple[str, ...] = ()
    images: int = Field(ge=1)
    metric: str
    better: Literal["lower", "higher"]
    prune: bool = True
    seed: int = 0

    def every_images(self) -> int:
        """Images between two checks."""
        return max(1, self.images // CHECKS)


class TrialRow(Value):
    """A trial as it stands: `value` is its score, None where there is none; `settings` are texts as behind `--set`."""

    number: int
    state: Literal["complete", "pruned", "failed", "running"]
    value: float | None
    settings: dict[str, str]
    reason: str = ""
    run: str


class SearchResult(Value):
    """What a search has found: its trials, the best first, those without a score last."""

    search: Search
    trials: tuple[TrialRow, ...]

    @property
    def best(self) -> TrialRow | None:
        """The best trial; None while none has a score."""
        return next((one for one in self.trials if one.state == "complete"), None)


@dataclass(frozen=True)
class SearchFolder:
    """Names of everything in the folder of a search, and Optuna's storage in it."""

    path: Path

    @property
    def search_json(self) -> Path:
        return self.path / "search.json"

    @property
    def storage(self) -> Path:
        """A journal to which any number of processes append, and which `optuna-dashboard` opens."""
        return self.path / "optuna.log"

    def run(self, number: int) -> Run:
        """The run of a trial."""
        return Run(self.path / "runs" / f"trial-{number:04d}")

    def job(self, number: int, suffix: str) -> Path:
        """What belongs to the job of a trial: its lock, what it said, its score."""
        return self.path / "jobs" / f"trial-{number:04d}.{suffix}"

    def begin(self, search: Search) -> None:
        """Write what is searched, or see that it is what the folder holds already; ConfigError names what differs."""
        if self.search_json.exists():
            before, now = self.read().model_dump(mode="json"), search.model_dump(mode="json")
            if changed := difference(before, now):
                place, (old, new) = next(iter(changed.items()))
                raise ConfigError(
                    f"{self.path} holds a search of other settings: {place} was {old} and is now {new}; choose another "
                    "folder with -o, or give what it was begun with"
                )
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ConfigError(f"{self.path} exists and holds no search; choose another folder with -o")
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            atomic_write(self.search_json, to_json(search, indent=1) + "\n")
        (self.path / "jobs").mkdir(exist_ok=True)
        (self.path / "runs").mkdir(exist_ok=True)

    def read(self) -> Search:
        """What is searched."""
        try:
            return from_json(Search, self.search_json.read_text(encoding="utf-8"))
        except ValueError as problem:
            raise DataError(f"{self.search_json} is damaged; choose another folder with -o") from problem

    def study(self, search: Search) -> Study:
        """Optuna's study; a sampler of another seed in each process, so that several do not try the same."""
        optuna = optuna_here()
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(logging.WARNING)
        storage = JournalStorage(JournalFileBackend(str(self.storage)))
        begun = NAME in optuna.get_all_study_names(storage)
        pruner = optuna.pruners.MedianPruner(_STARTUP_TRIALS, _WARMUP_CHECKS) if search.prune else None
        return optuna.create_study(
            storage=storage,
            study_name=NAME,
            direction="minimize" if search.better == "lower" else "maximize",
            # the first process is the one whose search can be repeated
            sampler=optuna.samplers.TPESampler(seed=None if begun else search.seed),
            pruner=pruner or optuna.pruners.NopPruner(),
            load_if_exists=True,
        )

    def found(self, search: Search, trials: Sequence[FrozenTrial]) -> SearchResult:
        """The trials as they stand, the best first."""
        rows = [self._row(search, trial) for trial in trials if trial.state.name != "WAITING"]
        sign = 1 if search.better == "lower" else -1
        ranked = sorted(rows, key=lambda row: (row.state != "complete", sign * (row.value or 0.0), row.number))
        return SearchResult(search=search, trials=tuple(ranked))

    def _row(self, search: Search, trial: FrozenTrial) -> TrialRow:
        state = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}.get(trial.state.name, "running")
        value = trial.value if state == "complete" and trial.value is not None else None
        return TrialRow.model_validate(
            {
                "number": trial.number,
                "state": state,
                "value": value if value is None or math.isfinite(value) else None,
                "settings": texts(search, trial.params),
                "reason": trial.user_attrs.get("reason", ""),
                "run": str(self.run(trial.number).path),
            }
        )


def texts(search: Search, parameters: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a trial as texts behind `--set`."""
    return {one.place: one.text(parameters[one.place]) for one in search.ranges if one.place in parameters}


def optuna_here() -> Any:
    """Optuna's module, which is an extra; ConfigError says how it is installed."""
    try:
        import optuna
        import optuna.storages.journal  # which a folder of that name, where one works, is not
    except ImportError as problem:
        raise ConfigError("tune searches with Optuna: pip install 'steadygan[tune]'") from problem
    return optuna
