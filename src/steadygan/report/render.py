"""A report as the text of one HTML file, which needs nothing beside it and reaches out for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from steadygan.report.document import as_json, document
from steadygan.report.page import Number, Page, ScoreCurve

_FOR_THE_SCRIPT: dict[str, Any] = {
    "name": True,
    "best": True,
    "frames": True,
    "images": True,
    "panels": True,
    "scores": True,
    "marks": {"__all__": {"images", "severity", "rule", "act", "says", "back_to"}},
}
_STYLES, _SCRIPTS = ("uplot.min.css", "base.css", "report.css"), ("uplot.min.js", "axes.js", "report.js")


class _Row(NamedTuple):
    """A line of the table of scores: the curve, what was measured last, and the value of the best checkpoint."""

    score: ScoreCurve
    images: int
    value: float
    low: Number
    high: Number
    best: Number


class _Standing(NamedTuple):
    """A score that several runs have, measured in the same way: of their best checkpoints, where that is known."""

    score: ScoreCurve
    values: tuple[Number, ...]
    winner: Number


def render(page: Page) -> str:
    """The whole page; the same for the same `page`. Without scripts, all but the slider and the charts is there."""
    rows = [rows_of(run.scores, run.best) for run in page.runs]
    return document(
        "report",
        _STYLES,
        _SCRIPTS,
        page=page,
        several=len(page.runs) > 1,
        data=as_json(page.model_dump(mode="json", include={"runs": {"__all__": _FOR_THE_SCRIPT}})),
        rows=rows,
        standings=standings(rows),
    )


def rows_of(scores: Sequence[ScoreCurve], at_best: int | None) -> list[_Row]:
    """Each score of a run as it was last measured, and what it was at its best checkpoint, after so many images."""
    rows = []
    for it in scores:
        every = zip(it.images, it.values, it.low, it.high, strict=True)
        measured = [(images, value, low, high) for images, value, low, high in every if value is not None]
        best = next((value for images, value, *_ in measured if images == at_best), None)
        rows += [_Row(it, *one, best) for one in measured[-1:]]
    return rows


def standings(rows: list[list[_Row]]) -> list[_Standing]:
    """What can be compared of these runs."""
    alike: dict[tuple[str, str], dict[int, _Row]] = {}
    for number, own in enumerate(rows):
        for row in own:
            alike.setdefault((row.score.metric, row.score.protocol), {})[number] = row
    return [_standing(found, len(rows)) for found in alike.values() if len(found) > 1]


def _standing(found: dict[int, _Row], runs: int) -> _Standing:
    score = next(iter(found.values())).score
    values = {number: one.value if one.best is None else one.best for number, one in found.items()}
    return _Standing(score, tuple(values.get(number) for number in range(runs)), _winner(score, [*values.values()]))


def _winner(score: ScoreCurve, values: list[float]) -> Number:
    """The best of values of one score; None if nothing tells."""
    floor = score.floor
    if score.better == "as reals":
        return None if floor is None else min(values, key=lambda value: abs(value - floor))
    return (min if score.better == "lower" else max)(values)
