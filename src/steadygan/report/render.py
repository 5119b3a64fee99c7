"""A report as the text of one HTML file, which needs nothing beside it and reaches out for nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

from steadygan.report.document import as_json, document
from steadygan.report.page import Number, Page, RunPage

_FOR_THE_SCRIPT: dict[str, Any] = {
    "name": True,
    "best": True,
    "frames": True,
    "images": True,
    "panels": True,
    "scores": True,
    "marks": {"__all__": {"images", "severity", "rule", "act", "says", "back_to"}},
}
_STYLES, _SCRIPTS = ("uplot.min.css", "base.css", "report.css"), ("uplot.min.js", "report.js")


class _Row(NamedTuple):
    """A line of the table of scores: the last value, and that of the best checkpoint."""

    metric: str
    says: str
    unit: str
    better: str
    protocol: str
    floor: Number
    images: int
    value: float
    low: Number
    high: Number
    best: Number


def render(page: Page) -> str:
    """The whole page; the same for the same `page`. Without scripts, all but the slider and the charts is there."""
    return document(
        "report",
        _STYLES,
        _SCRIPTS,
        page=page,
        several=len(page.runs) > 1,
        data=as_json(page.model_dump(mode="json", include={"runs": {"__all__": _FOR_THE_SCRIPT}})),
        rows=[_rows(run) for run in page.runs],
    )


def _rows(run: RunPage) -> list[_Row]:
    """Each score of a run as it was last measured."""
    rows = []
    for it in run.scores:
        measured = [(*one,) for one in zip(it.images, it.values, it.low, it.high, strict=True) if one[1] is not None]
        if measured:
            images, value, low, high = measured[-1]
            best = next((one[1] for one in measured if one[0] == run.best), None)
            texts = (it.metric, it.says, it.unit, it.better, it.protocol)
            rows.append(_Row(*texts, it.floor, images, value or 0.0, low, high, best))
    return rows
