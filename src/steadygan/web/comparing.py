"""Several runs side by side: `/compare?runs=ID,ID`, their settings that differ, and what of their scores compares."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from steadygan.errors import ConfigError, DataError
from steadygan.report.render import rows_of, standings
from steadygan.report.scores import curves_of
from steadygan.report.story import differences_of
from steadygan.runs import Run
from steadygan.web.following import RunWatch
from steadygan.web.glance import Glances
from steadygan.web.page import JsonAnswer, page
from steadygan.web.studio import Studio

MOST = 12
"""Runs that are compared at once: more grids beside each other show nothing."""
_POINTS = 1_000  # of each curve
ALIKE = "Their scores do not compare: none was measured in the same way, of the same images, for two of them."


def routes(studio: Studio) -> list[BaseRoute]:
    """The page and what it shows as JSON."""
    glances = Glances(studio)

    async def shown(request: Request) -> Response:
        runs = _asked(studio, request)
        return page(studio, "Compare", "compare.html", ids=list(runs))

    async def told(request: Request) -> JsonAnswer:
        return JsonAnswer(await run_in_threadpool(compared, _asked(studio, request), glances))

    return [Route("/compare", shown), Route("/api/compare", told)]


def _asked(studio: Studio, request: Request) -> dict[str, Run]:
    """The runs that an address names."""
    ids = list(dict.fromkeys(filter(None, request.query_params.get("runs", "").split(","))))
    if len(ids) < 2 or len(ids) > MOST:
        raise ConfigError(f"choose 2 to {MOST} runs to compare, in the list of runs")
    return {id_: studio.run_of(id_) for id_ in ids}


def compared(runs: dict[str, Run], glances: Glances) -> dict[str, Any]:
    """All that the page shows; runs that cannot be read are left out, DataError if fewer than two can."""
    watches, left_out = [], []
    for id_, run in runs.items():
        try:
            watches.append(RunWatch(run.path, id_, glances))
        except DataError as problem:
            left_out.append(str(problem))
    if len(watches) < 2:
        raise DataError(f"{left_out[0]}; without it there is nothing to compare")
    stories = [watch.story for watch in watches]
    scores = [curves_of(story.scores) for story in stories]
    found = standings([rows_of(curves, story.best) for curves, story in zip(scores, stories, strict=True)])
    return {
        "runs": [
            {
                "id": watch.id,
                "name": glances.of(watch.run.path).name,
                "state": watch.told["state"]["state"],
                "best": watch.told["best"],
                "samples": watch.told["samples"],
                "scores": watch.told["scores"],
                **watch.curves(_POINTS),
            }
            for watch in watches
        ],
        "differences": [one.model_dump() for one in differences_of(stories)],
        "standings": [
            {"metric": one.score.metric, "better": one.score.better, "unit": one.score.unit, "floor": one.score.floor}
            | {"protocol": one.score.protocol, "values": one.values, "winner": one.winner}
            for one in found
        ],
        "left_out": left_out,
        "remark": "" if found or not any(scores) else ALIKE,
    }
