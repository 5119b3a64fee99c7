"""What every answer of the studio is made of: pages in one layout, JSON that any browser reads, errors in one line."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from steadygan.names import shown
from steadygan.report.document import as_json, templates
from steadygan.web.studio import Studio

if TYPE_CHECKING:
    from jinja2 import Environment


class JsonAnswer(JSONResponse):
    """JSON; what no browser could read of it, numbers that are not finite, is null."""

    def render(self, content: Any) -> bytes:
        return as_json(content).encode()


def page(studio: Studio, title: str, template: str, code: int = 200, **given: Any) -> HTMLResponse:
    """A page: `template` of the assets, which extends `layout.html`, filled with what is `given`."""
    known = {"title": title, "token": studio.token, "place": studio.folder}
    text = _environment().get_template(template).render(known | given)
    return HTMLResponse(text.encode(errors="backslashreplace"), code)


def trouble(studio: Studio, path: str, code: int, line: str) -> Response:
    """What cannot be answered, and why: JSON for scripts, a page for people; anybody sees it, so it has no token."""
    if path.startswith("/api/"):
        return JsonAnswer({"error": "; ".join(map(shown, line.splitlines()))}, code)
    return page(studio, "That did not work", "trouble.html", code, line=line, token="")


@lru_cache
def _environment() -> Environment:
    environment = templates("web")
    environment.finalize = _plain
    return environment


def _plain(value: Any) -> Any:
    """Text in which nothing turns the direction of writing, or is no character."""
    return "\n".join(map(shown, value.split("\n"))) if type(value) is str else value
