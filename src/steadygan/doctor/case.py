"""What rules read: everything a run has written so far, as columns of numbers by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from steadygan.records import DatedScore, Finding, Record, Signals, Tick
from steadygan.runs import Run, RunInfo

SIGNALS = "signals."
SCORES = "scores."


@dataclass(frozen=True)
class Series:
    """A quantity over the run: step, images seen and value (all of length N, oldest first, NaN as written)."""

    steps: NDArray[np.int64]
    images: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def last(self) -> float:
        """The newest value; NaN if there is none."""
        return float(self.values[-1]) if len(self) else float("nan")

    def until(self, images: int) -> Series:
        """What there was after so many images."""
        return self.part(0, int(np.searchsorted(self.images, images, side="right")))

    def since(self, images: float) -> Series:
        """What came after so many images."""
        return self.part(int(np.searchsorted(self.images, images, side="right")), len(self))

    def part(self, start: int, end: int) -> Series:
        """From one place to before another, counted as slices count."""
        return Series(self.steps[start:end], self.images[start:end], self.values[start:end])

    def finite(self) -> Series:
        """Without the values that are no numbers."""
        return self._only(np.isfinite(self.values))

    def without(self, back_to: int, images: int) -> Series:
        """What is not of the stretch that begins after `back_to` images and ends with `images`."""
        return self._only((self.images <= back_to) | (self.images > images))

    def _only(self, good: NDArray[np.bool_]) -> Series:
        return Series(self.steps[good], self.images[good], self.values[good])


_NONE = Series(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


class Configured:
    """Something with the settings of a run, as `run.json` has them."""

    config: Mapping[str, Any]

    def setting(self, place: str, default: Any = None) -> Any:
        """A setting by its place, as in "optimizer.generator.lr"; `default` if it is not there."""
        value: Any = self.config
        for name in place.split("."):
            if not isinstance(value, Mapping) or name not in value:
                return default
            value = value[name]
        return value


@dataclass(frozen=True)
class Case(Configured):
    """A run as far as it has come, or another program's log.

    `series` has the fields of ticks by their names, those of signals with "signals." before, scores by their metric
    with "scores." before; what stands in groups has the names with dots between, as in "shares.penalty.r1" and
    "signals.gradients.generator.LAYER". One that was never written is empty: a rule that needs it says nothing.
    `config` is that of `run.json`, `loss` the kind of its loss ("" if unknown), `training` and `held_out` count images
    (0 if unknown), `budget_images` is how long the run was to be (0 if unknown), `size` the side of its pictures in
    pixels (0 if unknown). `began_images` and `began_step` are when its weights began: later than the run where it was
    set back to fresh ones.
    """

    series: Mapping[str, Series]
    config: Mapping[str, Any] = field(default_factory=dict)
    loss: str = ""
    training: int = 0
    held_out: int = 0
    budget_images: int = 0
    size: int = 0
    began_images: int = 0
    began_step: int = 0

    def __getitem__(self, name: str) -> Series:
        return self.series.get(name, _NONE)

    @property
    def images(self) -> int:
        """Images seen at the newest line of anything."""
        return max((int(series.images[-1]) for series in self.series.values() if len(series)), default=0)

    @property
    def step(self) -> int:
        """The step of the newest line of anything."""
        return max((int(series.steps[-1]) for series in self.series.values() if len(series)), default=0)

    @property
    def views(self) -> float:
        """How often each training image has been seen by these weights; 0 if their number is unknown."""
        return (self.images - self.began_images) / self.training if self.training else 0.0

    @property
    def steps_learned(self) -> int:
        """Steps that its weights have learned for."""
        return self.step - self.began_step

    def group(self, name: str) -> dict[str, Series]:
        """All series of a group, by what follows its name and a dot."""
        return {key.removeprefix(f"{name}."): one for key, one in self.series.items() if key.startswith(f"{name}.")}

    def until(self, images: int) -> Case:
        """The same run when it had seen so many images."""
        return replace(self, series={name: series.until(images) for name, series in self.series.items()})

    def without(self, back_to: int, images: int) -> Case:
        """The same run without what it wrote of weights that it gave up after `images`, going back to `back_to`."""
        left = replace(self, series=_without(self.series, back_to, images))
        return left if back_to else replace(left, began_images=images, began_step=self.until(images).step)


def case_of(run: Run) -> Case:
    """The case of a run folder, without the stretches that the run went back over. Errors as in `Run.info` and
    `Run.log`.
    """
    return case_from(run.info(), run.log(), run.signals(), run.scores(), run.findings())


def case_from(
    info: RunInfo,
    log: Sequence[Tick],
    signals: Sequence[Signals],
    scores: Sequence[DatedScore],
    findings: Sequence[Finding],
) -> Case:
    """The same of what a run has written."""
    series = {**columns(log), **columns(signals, SIGNALS), **score_columns(scores)}
    config, data = info.config, info.data
    whole = Case(series, config, loss_of(config), data.training, data.held_out, 0, data.spec.size)
    for finding in findings:
        if finding.back_to is not None:
            whole = whole.without(finding.back_to, finding.images)
    return replace(whole, budget_images=_budget(config, whole.series))


class GrowingCase:
    """The case of a run that is going on: what is written is added, and nothing is read or copied again.

    It starts with what the folder holds. Of scores by several protocols all are kept, as a run has one at a time.
    """

    def __init__(self, run: Run) -> None:
        self._start = case_of(run)
        self._columns = {name: _Column(series) for name, series in self._start.series.items()}

    def add(self, record: Record) -> None:
        """A tick, a line of signals or a score that was just written; other records have no numbers."""
        prefix = _PREFIXES.get(type(record))
        if isinstance(record, DatedScore):
            self._append(SCORES + record.metric, record, record.value)
        elif prefix is not None:
            for name, value in _numbers(record):
                self._append(prefix + name, record, value)

    def _append(self, name: str, record: Record, value: float) -> None:
        self._columns.setdefault(name, _Column(_NONE)).append(record.step, record.images, value)

    def forget(self, back_to: int, images: int) -> None:
        """Leave out what `Case.without` does; what is added afterwards counts, be it of that stretch or not."""
        self._start = self.case.without(back_to, images)
        self._columns = {name: _Column(series) for name, series in self._start.series.items()}

    @property
    def case(self) -> Case:
        """The run as far as it has come."""
        series = {name: column.series for name, column in self._columns.items()}
        return replace(self._start, series=series, budget_images=_budget(self._start.config, series))


def _without(series: Mapping[str, Series], back_to: int, images: int) -> dict[str, Series]:
    return {name: one.without(back_to, images) for name, one in series.items()}


_PREFIXES: Mapping[type[Record], str] = {Tick: "", Signals: SIGNALS}


class _Column:
    """A series that grows at its end: its arrays are views of longer ones, which double when they are full."""

    def __init__(self, series: Series) -> None:
        self.series = series
        self._whole = series

    def append(self, step: int, images: int, value: float) -> None:
        count = len(self.series)
        if count == len(self._whole):
            more = max(16, count)
            arrays = (self._whole.steps, self._whole.images, self._whole.values)
            self._whole = Series(*(np.concatenate([array, np.zeros(more, array.dtype)]) for array in arrays))
        self._whole.steps[count], self._whole.images[count], self._whole.values[count] = step, images, value
        self.series = self._whole.part(0, count + 1)


def loss_of(config: Mapping[str, Any]) -> str:
    """The kind of a configuration's loss; "" for one of the user's own."""
    loss = config.get("loss", {})
    return str(loss.get("kind", "")) if isinstance(loss, Mapping) and "type" not in loss else ""


def columns(lines: Sequence[Record], prefix: str = "") -> dict[str, Series]:
    """The numbers of records by their names; where a line lacks one, its series lacks that line."""
    found: dict[str, list[tuple[int, int, float]]] = {}
    for line in lines:
        for name, value in _numbers(line):
            found.setdefault(prefix + name, []).append((line.step, line.images, value))
    return {name: series_of(rows) for name, rows in found.items()}


def score_columns(scores: Iterable[DatedScore]) -> dict[str, Series]:
    """Scores by their metric; of those by several protocols only the newest protocol's, which alone compare."""
    newest = {score.metric: score.protocol for score in scores}
    found: dict[str, list[tuple[int, int, float]]] = {}
    for score in scores:
        if score.protocol == newest[score.metric]:
            found.setdefault(SCORES + score.metric, []).append((score.step, score.images, score.value))
    return {name: series_of(sorted(rows)) for name, rows in found.items()}


def series_of(rows: Sequence[tuple[int, int, float]]) -> Series:
    """A series from steps, images seen and values."""
    steps, images, values = zip(*rows, strict=True)
    return Series(np.array(steps, np.int64), np.array(images, np.int64), np.array(values, np.float64))


def _numbers(group: BaseModel | Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Names and values of all numbers, those within groups with dots between; position and seconds are none."""
    for name, value in group if isinstance(group, BaseModel) else group.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", number) for inner, number in _numbers(value))
        elif isinstance(value, tuple):
            yield from ((f"{name}.{place}", float(number)) for place, number in enumerate(value))
        elif isinstance(value, int | float) and name not in ("step", "images"):
            yield name, float(value)


def _is_limit(value: Any) -> bool:
    """Whether a setting, which a hand may have written into `run.json`, is a number that can end a run."""
    return isinstance(value, int | float) and 0 < value < 1e15


def _budget(config: Mapping[str, Any], series: Mapping[str, Series]) -> int:
    """How many images the run is to see; from the time it was given, by the rate so far."""
    group = config.get("budget")
    budget = {name: value for name, value in group.items() if _is_limit(value)} if isinstance(group, Mapping) else {}
    limits = [int(budget["images"])] if "images" in budget else []
    seconds = series.get("seconds", _NONE)
    counted = len(seconds) and seconds.steps[-1] > 0
    batch = config.get("batch")
    a_step = seconds.images[-1] / seconds.steps[-1] if counted else batch if _is_limit(batch) else 1  # of several turns
    limits += [int(budget["steps"] * a_step)] if "steps" in budget else []
    if "minutes" in budget and len(seconds) and seconds.last > 0:
        limits.append(int(60 * budget["minutes"] * seconds.images[-1] / seconds.last))
    return min(limits, default=0)
