"""A report as the text of one HTML file, which needs nothing beside it and reaches out for nothing."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from steadygan.report.page import Number, Page, RunPage, ScoreCurve

if TYPE_CHECKING:
    from jinja2 import Template

_FOR_THE_SCRIPT: dict[str, Any] = {
    "name": True,
    "best": True,
    "frames": True,
    "images": True,
    "panels": True,
    "scores": True,
    "marks": {"__all__": {"images", "severity", "rule", "act", "says", "back_to"}},
}
_STYLES, _SCRIPTS = ("uplot.min.css", "report.css"), ("uplot.min.js", "report.js")


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
    """The whole page; the same for the same `page`.

    Every text is shown as it is, and none is run: what may run or style is named by its digest in the page's own
    Content Security Policy (level 2), which also forbids to load anything. Without scripts, all but the slider and the
    charts is there.
    """
    styles, scripts = [_asset(name) for name in _STYLES], [_asset(name) for name in _SCRIPTS]
    rows = [_rows(run) for run in page.runs]
    return _template().render(
        page=page,
        several=len(page.runs) > 1,
        styles=styles,
        scripts=scripts,
        policy=f"default-src 'none'; img-src data:; style-src {_digests(styles)}; script-src {_digests(scripts)}; "
        "base-uri 'none'; form-action 'none'",
        data=as_json(page.model_dump(mode="json", include={"runs": {"__all__": _FOR_THE_SCRIPT}})),
        rows=rows,
        standings=_standings(rows),
    )


def as_json(value: Any) -> str:
    """JSON that no HTML ends or begins in, whatever texts it holds, and that every encoding can write."""
    return json.dumps(value, separators=(",", ":")).translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"})


def _rows(run: RunPage) -> list[_Row]:
    """Each score of a run as it was last measured."""
    rows = []
    for it in run.scores:
        every = zip(it.images, it.values, it.low, it.high, strict=True)
        measured = [(images, value, low, high) for images, value, low, high in every if value is not None]
        best = next((value for images, value, *_ in measured if images == run.best), None)
        rows += [_Row(it, *one, best) for one in measured[-1:]]
    return rows


def _standings(rows: list[list[_Row]]) -> list[_Standing]:
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


def sentence(text: str) -> str:
    """With a capital letter where it begins with a word, not with a setting or a command."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+('s)?([ ,;:]|$)", text) else text


def _digests(texts: list[str]) -> str:
    digests = (b64encode(sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


@lru_cache
def _asset(name: str) -> str:
    return files("steadygan.report").joinpath("assets", name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _template() -> Template:
    """`page.html`; all that is put into it shows as it is."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_asset), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["thousands"] = "{:,}".format
    environment.filters["sentence"] = sentence
    environment.filters["short"] = "{:.4g}".format
    return environment.get_template("page.html")
