"""What differs between runs: their settings, their data and their scores. Reads run folders only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from steadygan.config import flatten
from steadygan.records import Score
from steadygan.training.run import Run

_ABOUT = ("device.device", "device.precision", "data.digest", "versions.steadygan", "versions.torch")


class Row(BaseModel):
    """One setting or result with its value in each run."""

    name: str
    values: list[Any]


class Comparison(BaseModel):
    """Runs side by side: settings that differ, and results."""

    runs: list[str]
    settings: list[Row]
    results: list[Row]


def compare(paths: Sequence[str | Path]) -> Comparison:
    """Put runs side by side; scores stand in one row only if measured by one protocol."""
    runs = [Run(Path(path)) for path in paths]
    settings = _rows([_settings(run.info()) for run in runs])
    differing = [row for row in settings if any(value != row.values[0] for value in row.values)]
    return Comparison(runs=[str(p) for p in paths], settings=differing, results=_rows([_results(run) for run in runs]))


def _rows(columns: list[dict[str, Any]]) -> list[Row]:
    names = dict.fromkeys(name for column in columns for name in column)
    return [Row(name=name, values=[column.get(name) for column in columns]) for name in names]


def _settings(info: dict[str, Any]) -> dict[str, Any]:
    everything = flatten(info)
    return {**flatten(info["config"]), **{name: everything.get(name) for name in _ABOUT}}


def _results(run: Run) -> dict[str, Any]:
    log, parameters = run.log(), run.info()["parameters"]
    results = {f"parameters of the {name}": number for name, number in parameters.items()}
    if log:
        mean = log[-1].images / max(log[-1].seconds, 1e-9)
        results |= {"images": log[-1].images, "seconds": round(log[-1].seconds, 1), "images/s": round(mean, 1)}
    by_protocol: dict[str, list[Score]] = {}
    for score in run.scores():
        by_protocol.setdefault(f"{score.metric} ({score.protocol})", []).append(score)
    for name, scores in by_protocol.items():
        best = min(scores, key=lambda s: s.value if s.better == "lower" else -s.value)
        results |= {f"best {name}": round(best.value, 5), f"  at images, {name}": best.images}
    return results
