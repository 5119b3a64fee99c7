"""What differs between runs: their settings, their data and their scores. Reads run folders only."""

from __future__ import annotations

from collections.abc import Sequence
from os import fspath
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from steadygan.errors import os_errors
from steadygan.records import DatedScore
from steadygan.runs import Run

__all__ = ["compare"]


class ComparisonRow(BaseModel):
    """One setting or result with its value in each run; of a score, how it was measured."""

    name: str
    values: list[Any]
    protocol: str = ""


class Comparison(BaseModel):
    """Runs side by side: settings that differ, results, and sentences about the scores that do not compare."""

    runs: list[str]
    settings: list[ComparisonRow]
    results: list[ComparisonRow]
    refused: list[str] = []


@os_errors()
def compare(paths: Sequence[str | Path | Run]) -> Comparison:
    """Put runs side by side; scores by different protocols are refused, since their difference means nothing."""
    names = [fspath(path) for path in paths]
    runs = [Run(Path(name)) for name in names]
    settings = _rows([run.info().settings() for run in runs])
    differing = [row for row in settings if any(value != row.values[0] for value in row.values)]
    scores = [_scores(run) for run in runs]
    results = _rows([_results(run) for run in runs])
    results += _score_rows([name for name in _names(scores) if _shared(name, scores)], scores)
    refused = _refusals([name for name in _names(scores) if not _shared(name, scores)], names, scores)
    return Comparison(runs=names, settings=differing, results=results, refused=refused)


Scores = dict[str, dict[str, DatedScore]]
"""By metric and protocol, the score of the checkpoint that another score picked; the last one where it has none."""


def _scores(run: Run) -> Scores:
    picked = run.checkpoint("best").images if run.files.best.exists() else -1
    found: Scores = {}
    for score in sorted(run.scores(), key=lambda score: (score.images == picked, score.images)):
        found.setdefault(score.metric, {})[score.protocol] = score
    return found


def _names(scores: Sequence[Scores]) -> list[str]:
    return list(dict.fromkeys(name for one in scores for name in one))


def _shared(name: str, scores: Sequence[Scores]) -> list[str]:
    """The protocols of a metric that all runs which have it have."""
    having = [one[name] for one in scores if name in one]
    return [protocol for protocol in having[0] if all(protocol in one for one in having)]


def _refusals(names: Sequence[str], paths: Sequence[str], scores: Sequence[Scores]) -> list[str]:
    """Why metrics cannot be compared: one sentence for all that were measured differently in the same way."""
    alike: dict[str, list[str]] = {}
    for name in names:
        protocols = {path: [*one[name]][-1].split() for path, one in zip(paths, scores, strict=True) if name in one}
        common = set.intersection(*map(set, protocols.values()))
        own = {
            path: [word for word in words if word not in common and word[0] != "#"] for path, words in protocols.items()
        }
        alike.setdefault("; ".join(f"{path}: {' '.join(words)}" for path, words in own.items()), []).append(name)
    return [
        f"not compared, since measured in different ways: {', '.join(found)} ({how}); evaluate the runs alike first"
        for how, found in alike.items()
    ]


def _score_rows(names: Sequence[str], scores: Sequence[Scores]) -> list[ComparisonRow]:
    """Two rows for each protocol: the values, and after how many images."""
    rows = []
    for name in names:
        for protocol in _shared(name, scores):
            found = [one.get(name, {}).get(protocol) for one in scores]
            rows.append(
                ComparisonRow(name=name, values=[score and round(score.value, 5) for score in found], protocol=protocol)
            )
            rows.append(ComparisonRow(name=f"  at images, {name}", values=[score and score.images for score in found]))
    return rows


def _rows(columns: list[dict[str, Any]]) -> list[ComparisonRow]:
    names = dict.fromkeys(name for column in columns for name in column)
    return [ComparisonRow(name=name, values=[column.get(name) for column in columns]) for name in names]


def _results(run: Run) -> dict[str, Any]:
    log, parameters = run.log(), run.info().parameters
    results: dict[str, Any] = {f"parameters of the {name}": number for name, number in parameters.items()}
    if log:
        mean = log[-1].images / max(log[-1].seconds, 1e-9)
        results |= {"images": log[-1].images, "seconds": round(log[-1].seconds, 1), "images/s": round(mean, 1)}
    return results
