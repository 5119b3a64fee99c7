"""The page of a new run: what can be chosen, what it would take, and its start as a process of its own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from steadygan.errors import ConfigError, StorageError
from steadygan.report.document import as_json
from steadygan.rundir import RunDir, storage_errors
from steadygan.web.page import JsonAnswer, page
from steadygan.web.processes import Job
from steadygan.web.shelf import Shelf
from steadygan.web.studio import Studio, id_of
from steadygan.web.wanted import WantedRun, folder_of, free_name, line, wanted

BUILTIN = {
    "critters": "drawn animals of 8 kinds",
    "glyphs": "drawn signs, grey",
    "ring": "points on a ring, to watch modes",
    "stacked-glyphs": "three glyphs in one image, for counting modes",
}
_WAIT_SECONDS = 0.1
_OFFERED = 24  # sets
_KILLED = 128  # exit codes beyond are signals


class Starting:
    """What was asked of the command line for this page, and where its answers are."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.shelf = studio, Shelf(studio)
        self._recipes: Job | None = None
        self._checks: dict[str, Path] = {}
        self._starts: dict[str, Path] = {}

    @property
    def folder(self) -> Path:
        """Where new runs go."""
        folder = self.studio.folder.absolute()
        return folder.parent if RunDir(folder).run_json.is_file() else folder

    async def recipes(self) -> bytes:
        """The answer of `steadygan recipes --json`, asked once; StorageError with its last line if there is none."""
        file = self.studio.processes.folder / "recipes.json"
        if self._recipes is None or self._recipes.code:
            self._recipes = self.studio.processes.start("recipes", ["recipes", f"--json={file}"], "recipes")
        job = self._recipes
        while job.code is None:
            await asyncio.sleep(_WAIT_SECONDS)
        if job.code:
            raise StorageError(f"the recipes cannot be listed: {job.line}")
        return await run_in_threadpool(file.read_bytes)

    def command(self, run: WantedRun) -> dict[str, Any]:
        """The command line for a run, and its name, the next that is free if it has none."""
        name = run.name.strip() or free_name(self.folder, run, self._begun())
        there = self.studio.folder if self.studio.folder.absolute() == self.folder else self.folder
        return {"command": line(run.words("-o", str(there / name))), "name": name}

    def check(self, run: WantedRun) -> dict[str, Any]:
        """Start audit and estimate of a run that is not begun, and stop those that were asked for before."""
        for job in self.studio.processes.about("check"):
            if job.code is None:
                job.process.terminate()
        file = self.studio.processes.folder / f"check-{len(self._checks)}.json"
        job = self.studio.processes.start("check", run.words("--dry-run", f"--json={file}"), "check")
        self._checks[job.id] = file
        return job.told()

    def checked(self, job: Job) -> dict[str, Any]:
        """The answer of a check that has ended; `set` is the id of its images among the data."""
        try:
            found = json.loads(self._checks[job.id].read_bytes())
        except (OSError, ValueError):
            ended = (
                "it was stopped, for another check began"
                if job.code is None or job.code < 0 or job.code > _KILLED
                else job.line
            )
            return {"problems": [{"setting": "", "problem": ended.removeprefix("steadygan: ")}]}
        data = found.get("data")
        return {**found, "set": self.shelf.add(Path(data["prepared"])) if data else ""}

    def start(self, run: WantedRun) -> dict[str, Any]:
        """Start a run that goes on when the studio ends; what it says goes to a file in the folder of runs."""
        begun = self._begun()
        out = folder_of(self.folder, run.name.strip() or free_name(self.folder, run, begun), begun)
        output = self.folder / ".studio" / f"{out.name}.txt"
        with storage_errors(output):
            output.parent.mkdir(parents=True, exist_ok=True)
        job = self.studio.processes.start("train", run.words("-o", str(out)), f"start:{id_of(out)}", output)
        self._starts[job.id] = out
        return job.told()

    def _begun(self) -> set[str]:
        """Names of runs that were started here and go on; for some seconds there is no folder that shows it."""
        jobs = (self.studio.processes.get(id_) for id_ in self._starts)
        return {self._starts[job.id].name for job in jobs if job and job.code is None}

    def started(self, job: Job) -> dict[str, Any]:
        """How far a run is that was started here: `address` is that of its page, once there is one."""
        out = self._starts[job.id]
        there = RunDir(out).run_json.is_file()
        said = [one.removeprefix("steadygan: ") for one in job.lines() if one.startswith("steadygan: ")]
        wrong = said or [job.line] if job.code and not there else []
        return job.told() | {"address": f"/runs/{id_of(out)}" if there else "", "wrong": wrong}


def routes(studio: Studio) -> list[BaseRoute]:
    """The page, and what its script asks for."""
    starting = Starting(studio)

    async def shown(request: Request) -> Response:
        sets = await run_in_threadpool(starting.shelf.all)
        known = [
            {
                "id": one.id,
                "name": one.prepared.name,
                "source": one.prepared.source,
                "images": one.prepared.meta.counts.images,
                "size": one.prepared.meta.spec.size,
            }
            for one in sets
            if one.prepared
        ]
        given = {"sets": _first_of_each_source(known)[:_OFFERED], "builtin": BUILTIN, "folder": str(starting.folder)}
        return page(studio, "New run", "new.html", given=as_json(given))

    async def recipes(request: Request) -> Response:
        return Response(await starting.recipes(), media_type="application/json")

    async def command(request: Request) -> JsonAnswer:
        return JsonAnswer(starting.command(await _wanted(request)))

    async def check(request: Request) -> JsonAnswer:
        return JsonAnswer(starting.check(await _wanted(request)))

    async def checked(request: Request) -> JsonAnswer:
        return JsonAnswer(await run_in_threadpool(starting.checked, _job(studio, request, "check")))

    async def start(request: Request) -> JsonAnswer:
        return JsonAnswer(starting.start(await _wanted(request)))

    async def started(request: Request) -> JsonAnswer:
        return JsonAnswer(starting.started(_job(studio, request, "train")))

    return [
        Route("/new", shown),
        Route("/api/new/recipes", recipes),
        Route("/api/new/command", command, methods=["POST"]),
        Route("/api/new/check", check, methods=["POST"]),
        Route("/api/new/check/{job}", checked),
        Route("/api/new/start", start, methods=["POST"]),
        Route("/api/new/start/{job}", started),
    ]


def _first_of_each_source(sets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that a source names: of several sizes of the same images the first."""
    return list({one["source"]: one for one in reversed(sets)}.values())[::-1]


async def _wanted(request: Request) -> WantedRun:
    try:
        asked = json.loads(await request.body())
    except (ValueError, RecursionError) as problem:
        raise ConfigError("what was sent is no JSON") from problem
    return wanted(asked)


def _job(studio: Studio, request: Request, what: str) -> Job:
    job = studio.processes.get(request.path_params["job"])
    if job is None or job.what != what:
        raise HTTPException(404, "the studio was restarted and does not know this process any more")
    return job
