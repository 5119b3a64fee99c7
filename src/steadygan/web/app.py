"""All pages of the studio as one application, with its guard in front."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from steadygan.errors import ConfigError, SteadyganError
from steadygan.web import acting, comparing, data_sets, exploring, judging, listing, starting, watching
from steadygan.web.guard import Guard
from steadygan.web.page import JsonAnswer, trouble
from steadygan.web.studio import Studio

PAGES = (
    listing.routes,
    comparing.routes,
    watching.routes,
    acting.routes,
    exploring.routes,
    judging.routes,
    data_sets.routes,
    starting.routes,
)
"""What gives the routes of each part of the studio."""

_ROOMS = ("web", "report", "export")  # the first that has an asset of a name gives it
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def create_app(studio: Studio) -> Starlette:
    """The studio as an ASGI application; `studio.close` is called at its end."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await studio.close()

    async def failed(request: Request, problem: Exception) -> Response:
        code = problem.status_code if isinstance(problem, HTTPException) else 400 if _asked(problem) else 404
        line = problem.detail if isinstance(problem, HTTPException) else str(problem)
        return trouble(studio, request.url.path, code, line)

    async def job(request: Request) -> JsonAnswer:
        found = studio.processes.get(request.path_params["job"])
        if found is None:
            raise HTTPException(404, "the studio was restarted and does not know this process any more")
        return JsonAnswer(found.told() | {"lines": found.lines()})

    shared: list[BaseRoute] = [Route("/assets/{name}", asset), Route("/api/jobs/{job}", job)]
    return Starlette(
        routes=[*shared, *(route for routes in PAGES for route in routes(studio))],
        middleware=[Middleware(Guard, studio=studio)],
        exception_handlers={HTTPException: failed, SteadyganError: failed},
        lifespan=lifespan,
    )


def _asked(problem: Exception) -> bool:
    """Whether what was asked for is wrong, rather than what is there."""
    return isinstance(problem, ConfigError)


async def asset(request: Request) -> Response:
    """A style or script, by its exact name; browsers ask each time whether theirs is still the same."""
    found = _assets().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404, "there is no such file in the studio")
    kind, content, digest = found
    headers = {"etag": digest, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == digest:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=kind)


@lru_cache
def _assets() -> dict[str, tuple[str, bytes, str]]:
    """By their names: kind, content and digest of all styles and scripts."""
    found: dict[str, tuple[str, bytes, str]] = {}
    for room in _ROOMS:
        for file in (files("steadygan") / room / "assets").iterdir():  # without loading the room
            kind = _KINDS.get(file.name.rpartition(".")[2])
            if kind and file.name not in found:
                content = file.read_bytes()
                found[file.name] = kind, content, f'"{sha256(content).hexdigest()[:20]}"'
    return found
