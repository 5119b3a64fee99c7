"""What every answer of the studio is made of: pages in one layout, JSON that any browser reads, errors in one line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from steadygan.names import shown
from steadygan.report.document import templates
from steadygan.version import __version__
from steadygan.web.studio import Studio

if TYPE_CHECKING:
    from jinja2 import Environment


_SIGNS = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"}


class JsonAnswer(JSONResponse):
    """JSON; what no browser could read of it, numbers that are not finite, is null."""

    def render(self, content: Any) -> bytes:
        return as_json(content).encode()


def as_json(value: Any) -> str:
    """JSON in ASCII, so that names that are no text can travel too, and in which no HTML begins or ends."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), separators=(",", ":"))
    return text.translate(_SIGNS)


def page(studio: Studio, title: str, template: str, code: int = 200, **given: Any) -> HTMLResponse:
    """A page: `template` of the assets, which extends `layout.html`, filled with what is `given`."""
    known = {"title": title, "token": studio.token, "version": __version__, "place": studio.folder}
    text = _environment().get_template(template).render(known | given)
    return HTMLResponse(text.encode(errors="backslashreplace"), code)


def trouble(studio: Studio, path: str, code: int, line: str) -> Response:
    """What cannot be answered, and why: JSON for scripts, a page for people, who may be strangers: it has no token."""
    if path.startswith("/api/"):
        return JsonAnswer({"error": "; ".join(map(shown, line.splitlines()))}, code)
    return page(studio, "That did not work", "trouble.html", code, line=line, token="")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


@lru_cache
def _environment() -> Environment:
    environment = templates("web")
    environment.finalize = _plain
    return environment


def _plain(value: Any) -> Any:
    """Text in which nothing turns the direction of writing, or is no character."""
    return "\n".join(map(shown, value.split("\n"))) if type(value) is str else value
