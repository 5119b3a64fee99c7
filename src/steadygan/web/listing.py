"""The list of runs: `/` and `/api/runs`, and the small pictures in it."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from steadygan.report.document import as_json
from steadygan.web.glance import Glance, Glances
from steadygan.web.page import JsonAnswer, page
from steadygan.web.studio import Studio
from steadygan.web.thumbnails import GridThumbnails


def routes(studio: Studio) -> list[BaseRoute]:
    """The first page, what it shows as JSON, and its pictures."""
    glances, thumbnails = Glances(studio), GridThumbnails()

    async def shown(request: Request) -> Response:
        runs = await run_in_threadpool(glances.all)
        there = studio.folder.is_dir()
        return page(
            studio, "Runs", "runs.html", runs=as_json(list(map(told, runs))), there=there, outside=studio.outside
        )

    async def listed(request: Request) -> JsonAnswer:
        return JsonAnswer({"runs": [told(one) for one in await run_in_threadpool(glances.all)]})

    async def newest(request: Request) -> Response:
        run = studio.run_of(request.path_params["run"])
        return await run_in_threadpool(thumbnails.newest, run.files, request.headers.get("if-none-match"))

    return [
        Route("/", shown),
        Route("/api/runs", listed),
        Route("/runs/{run}/newest.webp", newest),
    ]


def told(glance: Glance) -> dict[str, Any]:
    """A glance as JSON has it."""
    return glance._asdict() | {"score": glance.score and glance.score._asdict()}
