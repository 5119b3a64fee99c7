"""The latent explorer of a run: `/runs/ID/explore`, and the pictures it asks for."""

from __future__ import annotations

import asyncio
import shlex
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from steadygan.errors import DataError
from steadygan.names import shown
from steadygan.report.document import as_json
from steadygan.runs import Run
from steadygan.web.acting import sent
from steadygan.web.page import JsonAnswer, page
from steadygan.web.painter import NotPainted, Painter
from steadygan.web.studio import Studio, id_of

_QUICK = frozenset({"describe", "paint", "walk", "film"})
_KEPT_WAYS = 16  # checkpoints whose directions are kept
_NAME = "photo.jpg"  # a suffix of pictures, so that it is taken for one; what it is, its bytes say


def routes(studio: Studio) -> list[BaseRoute]:
    """The page, its pictures and directions, and the search for a photo."""
    explorer = Explorer(studio)
    studio.at_the_end(explorer.painter.close)
    return [
        Route("/runs/{run}/explore", explorer.page),
        Route("/api/runs/{run}/explore/ways", explorer.ways, methods=["POST"]),
        Route("/api/runs/{run}/explore/photo", explorer.photo, methods=["POST"]),
        Route("/api/runs/{run}/explore/{what}", explorer.quick, methods=["POST"]),
    ]


class Explorer:
    """The endpoints, and the processes behind them."""

    def __init__(self, studio: Studio, painter: Painter | None = None) -> None:
        self.studio, self.painter = studio, painter or Painter()
        self._directions = Directions(self.painter)
        self._looking = asyncio.Lock()

    async def page(self, request: Request) -> Response:
        run = self.studio.run_of(request.path_params["run"])
        given = await run_in_threadpool(_given, self.studio, run)
        return page(self.studio, f"Explore {given['name']}", "explore.html", given=as_json(given), **given)

    async def quick(self, request: Request) -> JsonAnswer:
        """What is answered at once; in it `view` and `rank` say what a newer request replaces, and what comes first."""
        run, asked = self.studio.run_of(request.path_params["run"]), await sent(request)
        what, view, rank = request.path_params["what"], str(asked.pop("view", ""))[:80], asked.pop("rank", 0)
        if what not in _QUICK:
            raise HTTPException(404, "there is no such thing to ask the explorer for")
        found = await self.painter.ask(run.path, asked | {"do": what}, f"{what} {view}", rank in range(10) and rank)
        return JsonAnswer({"superseded": True} if found is None else found)

    async def ways(self, request: Request) -> JsonAnswer:
        run, asked = self.studio.run_of(request.path_params["run"]), await sent(request)
        return JsonAnswer({"ways": await self._directions.of(run.path, str(asked.get("which", "best")))})

    async def photo(self, request: Request) -> Response:
        """Lines of JSON: how far the search is, and at last what was found."""
        run, label = self.studio.run_of(request.path_params["run"]), request.query_params.get("class", "")
        asked = {"do": "photo", "which": request.query_params.get("which", "best")}
        asked |= {"label": label} if label.isdecimal() else {}
        content = await request.body()
        if not content:
            raise HTTPException(400, "the photo is empty; choose another file")
        if self._looking.locked():
            raise HTTPException(409, "another photo is being looked for; wait for it, or stop it")
        return StreamingResponse(self._looked(run, asked, content), media_type="application/x-ndjson")

    async def _looked(self, run: Run, asked: dict[str, str], content: bytes) -> AsyncIterator[str]:
        async with self._looking:
            with tempfile.TemporaryDirectory(prefix="steadygan-") as folder:
                file = Path(folder) / _NAME
                file.write_bytes(content)
                try:
                    async for found in self.painter.aside(run.path, {**asked, "file": str(file)}):
                        yield as_json(found) + "\n"
                except NotPainted as problem:
                    yield as_json({"error": str(problem)}) + "\n"


class Directions:
    """The directions of generators, looked for once each and one after another: that takes seconds."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._found: dict[tuple[Path, str], asyncio.Task[list[list[float]]]] = {}
        self._one = asyncio.Lock()

    async def of(self, run: Path, which: str) -> list[list[float]]:
        """Those of a checkpoint, by its name; NotPainted if there are none."""
        key = run, which
        if key not in self._found:
            while len(self._found) >= _KEPT_WAYS:
                del self._found[next(iter(self._found))]
            self._found[key] = task = asyncio.create_task(self._look(run, which))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # if nobody waits any more
        try:
            return await asyncio.shield(self._found[key])
        except NotPainted:
            self._found.pop(key, None)
            raise

    async def _look(self, run: Path, which: str) -> list[list[float]]:
        async with self._one:
            async for answer in self._painter.aside(run, {"do": "ways", "which": which}):
                found: list[list[float]] = answer["ways"]
                return found
        raise NotPainted("no directions were found")


def _given(studio: Studio, run: Run) -> dict[str, Any]:
    """What the page knows before there is a picture."""
    info = run.info()
    names = [one.name for one in reversed(run.checkpoints())]
    if not names:
        raise DataError("this run has saved no checkpoint yet; come back after the first")
    return {
        "id": id_of(run.path),
        "name": shown(studio.name_of(run.path)),
        "size": info.data.spec.size,
        "checkpoints": names,
        "command": shown(shlex.join(["steadygan", "sample", str(run.path)])),
    }
