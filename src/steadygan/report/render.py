"""A report as the text of one HTML file, which needs nothing beside it and reaches out for nothing."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from steadygan.report.page import Page, RunPage

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


def render(page: Page) -> str:
    """The whole page; the same for the same `page`.

    Every text is shown as it is, and none is run: what may run or style is named by its digest in the page's own
    Content Security Policy (level 2), which also forbids to load anything. Without scripts, all but the slider and the
    charts is there.
    """
    styles, scripts = [_asset(name) for name in _STYLES], [_asset(name) for name in _SCRIPTS]
    return _template().render(
        page=page,
        several=len(page.runs) > 1,
        styles=styles,
        scripts=scripts,
        policy=f"default-src 'none'; img-src data:; style-src {_digests(styles)}; script-src {_digests(scripts)}; "
        "base-uri 'none'; form-action 'none'",
        data=as_json(page.model_dump(mode="json", include={"runs": {"__all__": _FOR_THE_SCRIPT}})),
        rows=[_rows(run) for run in page.runs],
    )


def as_json(value: Any) -> str:
    """JSON that no HTML ends or begins in, whatever texts it holds, and that every encoding can write."""
    return json.dumps(value, separators=(",", ":")).translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"})


def _rows(run: RunPage) -> list[tuple[Any, ...]]:
    """Each score of a run as it was last measured: the curve, images, value, low, high, the best checkpoint's value."""
    rows = []
    for it in run.scores:
        measured = [one for one in zip(it.images, it.values, it.low, it.high, strict=True) if one[1] is not None]
        best = next((one[1] for one in measured if one[0] == run.best), None)
        rows += [(it, *one, best) for one in measured[-1:]]
    return rows


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
    environment.filters["short"] = "{:.4g}".format
    return environment.get_template("page.html")
