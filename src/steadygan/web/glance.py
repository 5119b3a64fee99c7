"""A run as the list of runs shows it: read from the ends of its files, and again only when one of them changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from steadygan.care.acts import ended
from steadygan.claim import LOCK, holder
from steadygan.errors import DataError, StorageError, os_errors
from steadygan.records import DatedScore, Finding, Note, Tick, close_to_best
from steadygan.report.scores import picks_the_best
from steadygan.rundir import RunDir
from steadygan.runs import RunInfo
from steadygan.runs.ending import Ending, ending_of
from steadygan.runs.info import read_info
from steadygan.web.lines import Stamp, last, stamp, tail
from steadygan.web.studio import Studio, id_of

State = Literal["running", "finished", "stopped", "diverged", "failed", "broken off", "broken"]

_STATES: dict[Ending, State] = {
    "started": "broken off",
    "resumed": "broken off",
    "finished": "finished",
    "stopped on request": "stopped",
    "training diverged": "diverged",
    "ended by an error": "failed",
}
MOST_OF_RUN_JSON = 16_000_000
"""Bytes; a resolved configuration has ten thousand."""


class BestScore(NamedTuple):
    """The score by which a run is judged: the best of those that pick the best checkpoint, else the last there is."""

    metric: str
    value: float
    better: str
    protocol: str


class Glance(NamedTuple):
    """What the list shows of a run; `wrong` says why one is broken."""

    id: str
    name: str
    state: State
    recipe: str = ""
    data: str = ""
    digest: str = ""
    size: int = 0
    created: str = ""
    images: int = 0
    share: float | None = None
    score: BestScore | None = None
    note: str = ""
    wrong: str = ""


class Glances:
    """All runs of a studio at a glance."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._kept: dict[Path, tuple[tuple[Stamp, ...], Glance]] = {}

    def all(self) -> list[Glance]:
        """Every run, the latest first."""
        runs = self.studio.runs()
        self._kept = {path: kept for path, kept in self._kept.items() if id_of(path) in runs}
        return sorted((self.of(path) for path in runs.values()), key=lambda one: one.created, reverse=True)

    def of(self, path: Path) -> Glance:
        """One run. Whether something writes into it is looked at each time, for no file says when that ends."""
        run = RunDir(path)
        files = (run.run_json, run.log, run.scores, run.notes, run.findings)
        stamps = tuple(map(stamp, files))
        kept = self._kept.get(path)
        if kept is None or kept[0] != stamps:
            kept = self._kept[path] = stamps, _read(self.studio, run)
        running = kept[1].state != "broken" and (path / LOCK).exists() and holder(path) is not None
        return kept[1]._replace(state="running") if running else kept[1]


def info_of(run: RunDir) -> RunInfo:
    """`run.json`, unless it is too large to be one; DataError says what is wrong."""
    with os_errors():
        if run.run_json.stat().st_size > MOST_OF_RUN_JSON:
            raise DataError(f"{run.run_json} has more than {MOST_OF_RUN_JSON // 1_000_000} MB; no run.json is so large")
    return read_info(run.run_json)


def _read(studio: Studio, run: RunDir) -> Glance:
    bare = Glance(id_of(run.path), studio.name_of(run.path), "broken")
    try:
        info = info_of(run)
    except (DataError, StorageError) as problem:
        return bare._replace(wrong=str(problem))
    tick, notes = last(run.log, Tick), tail(run.notes, Note)
    images = max(tick.images if tick else 0, notes[-1].images if notes else 0)
    state = _STATES[ending_of(notes)]
    return bare._replace(
        state="stopped" if ended(tail(run.findings, Finding), images) else state,
        recipe=info.recipe,
        data=Path(info.data.source).name or info.data.source,
        digest=info.data.digest,
        size=info.data.spec.size,
        created=info.created,
        images=images,
        share=share_of(info.config, tick),
        score=_best(tail(run.scores, DatedScore, 4_000_000)),
        note=next((note.text for note in reversed(notes) if note.author == "user"), ""),
    )


def share_of(config: dict[str, Any], tick: Tick | None) -> float | None:
    """How much of its budget a run has spent, from 0 to 1; None if that cannot be told."""
    budget = config.get("budget")
    if tick is None or not isinstance(budget, dict):
        return None
    spent = {"images": tick.images, "steps": tick.step, "minutes": tick.seconds / 60}
    shares = [spent[name] / most for name in spent if isinstance(most := budget.get(name), int | float) and most > 0]
    return min(1.0, max(shares)) if shares else None


def _best(scores: Sequence[DatedScore]) -> BestScore | None:
    picking = [score for score in scores if picks_the_best(score.protocol) and score.value == score.value]
    if picking:
        alike = [score for score in picking if score.protocol == picking[-1].protocol]
        best = close_to_best(alike)[-1]
    elif scores:
        best = scores[-1]
    else:
        return None
    return BestScore(best.metric, best.value, best.better, best.protocol)
