"""A run on a page of its own, live: `/runs/ID`, what it shows as JSON and as a stream of events, and its pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from steadygan.errors import DataError
from steadygan.report.document import as_json
from steadygan.web.following import RunWatches
from steadygan.web.glance import Glances
from steadygan.web.page import JsonAnswer, page
from steadygan.web.sending import file_of
from steadygan.web.studio import Studio

_ALIVE = 15.0  # seconds after which a stream says that it is still there
_PICTURES = ("inputs.png", "nearest.png", "curves.png", "progress.gif")
_ALONE = (
    "sandbox allow-scripts allow-popups; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a report may do, which came with its folder from anywhere: show itself, and reach nothing of the studio."""


def routes(studio: Studio) -> list[BaseRoute]:
    """All that shows one run."""
    pages = RunPages(studio)
    return [
        Route("/runs/{run}", pages.shown),
        Route("/api/runs/{run}", pages.told),
        Route("/api/runs/{run}/curves", pages.curves),
        Route("/api/runs/{run}/events", pages.events),
        Route("/runs/{run}/samples/{name}", pages.sample),
        Route("/runs/{run}/report.html", pages.report),
        *(Route(f"/runs/{{run}}/{name}", pages.picture) for name in _PICTURES),
    ]


class RunPages:
    """What is asked of one run."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.glances = studio, Glances(studio)
        self.watches = RunWatches(self.glances, studio.closing)

    async def shown(self, request: Request) -> Response:
        """The page."""
        id_ = request.path_params["run"]
        run = self.studio.run_of(id_)
        glance = await run_in_threadpool(self.glances.of, run.path)
        if glance.state == "broken":
            raise DataError(glance.wrong)
        return page(self.studio, glance.name, "run.html", run=glance, running=glance.state == "running")

    async def told(self, request: Request) -> JsonAnswer:
        """All but its curves."""
        id_ = request.path_params["run"]
        watch = await self.watches.of(self.studio.run_of(id_), id_)
        return JsonAnswer(watch.told)

    async def curves(self, request: Request) -> JsonAnswer:
        """Its curves."""
        id_ = request.path_params["run"]
        watch = await self.watches.of(self.studio.run_of(id_), id_)
        return JsonAnswer(await run_in_threadpool(watch.curves))

    async def events(self, request: Request) -> Response:
        """All of it, and then what changes."""
        id_ = request.path_params["run"]
        run = self.studio.run_of(id_)

        async def stream() -> AsyncIterator[str]:
            async with self.watches.viewing(run, id_) as queue:
                while not self.studio.closing.is_set():
                    try:
                        event = await asyncio.wait_for(queue.get(), _ALIVE)
                    except TimeoutError:
                        yield ": still here\n\n"
                        continue
                    if event is None:
                        return
                    yield f"event: {event[0]}\ndata: {as_json(event[1])}\n\n"

        await self.watches.of(run, id_)  # what is wrong with the folder is an answer, not the end of a stream
        return StreamingResponse(stream(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def sample(self, request: Request) -> Response:
        """A grid."""
        files, name = self.studio.run_of(request.path_params["run"]).files, request.path_params["name"]
        stem = name.removesuffix(".png").removeprefix("random-")
        if not (name.endswith(".png") and stem.isascii() and stem.isdecimal()):
            raise HTTPException(404, "there is no such picture in this run")
        return await run_in_threadpool(file_of, request, files.path, files.samples / name)

    async def picture(self, request: Request) -> Response:
        """One of the pictures that stand in the folder itself."""
        folder, name = self.studio.run_of(request.path_params["run"]).path, request.url.path.rpartition("/")[2]
        return await run_in_threadpool(file_of, request, folder, folder / name)

    async def report(self, request: Request) -> Response:
        """The report that was written last, kept apart from the studio."""
        files = self.studio.run_of(request.path_params["run"]).files
        return file_of(request, files.path, files.report, policy=_ALONE)
