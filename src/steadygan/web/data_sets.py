"""The pages of data: which prepared sets there are, and what is the matter with the images of each."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from steadygan.rundir import storage_errors
from steadygan.web.page import JsonAnswer, page
from steadygan.web.prepared import Noticed, Prepared
from steadygan.web.shelf import Shelf
from steadygan.web.studio import Studio
from steadygan.web.thumbnails import inside, small

_GROUPS, _PICTURES, _ALL_PICTURES, _FILES = 6, 12, 36, 10  # that the page of a set shows of each
_PAGE_GROUPS, _PAGE_PICTURES, _PAGE_FILES = 40, 120, 200  # that a page of one part shows
_MOST_OF_A_GROUP = 12
_TITLES = {"": "Finding", "pictures": "All pictures", "rejected": "Files that cannot be used"}


class ShownFinding(NamedTuple):
    """A finding with as much of its pictures as is shown: groups of indices, or indices with captions."""

    noticed: Noticed
    groups: Sequence[Sequence[int]] = ()
    pictures: Sequence[tuple[int, str]] = ()
    more: bool = False


class Pages(NamedTuple):
    """One page of a list: its number from 1, how many there are, and what stands on it."""

    number: int
    pages: int
    things: Sequence[Any]


def routes(studio: Studio) -> list[BaseRoute]:
    """The list of sets, the page of one, its parts in full, and its pictures."""
    shelf = Shelf(studio)

    async def listed(request: Request) -> Response:
        return page(studio, "Data", "data.html", sets=await run_in_threadpool(shelf.all))

    async def one(request: Request) -> Response:
        return await run_in_threadpool(_overview, studio, shelf, request.path_params["set"])

    async def part(request: Request) -> Response:
        return await run_in_threadpool(_part, studio, shelf, request)

    async def picture(request: Request) -> Response:
        return await run_in_threadpool(_picture, shelf, request)

    async def montage(request: Request) -> Response:
        file = shelf.path(request.path_params["set"]) / "montage.png"
        if not inside(file, file.parent) or not file.is_file():
            raise HTTPException(404, "this data set has no montage")
        if request.url.path.endswith(".png"):
            return FileResponse(file, media_type="image/png")
        return Response(await run_in_threadpool(small, file), media_type="image/webp")

    async def inspect(request: Request) -> JsonAnswer:
        return JsonAnswer(_inspect(studio, shelf, request.path_params["set"]))

    return [
        Route("/data", listed),
        Route("/data/{set}", one),
        Route("/data/{set}/montage.png", montage),
        Route("/data/{set}/montage.webp", montage),
        Route("/data/{set}/findings/{check}", part),
        Route("/data/{set}/{list:str}", part),
        Route("/data/{set}/pictures/{index:int}.png", picture),
        Route("/data/{set}/small/{index:int}.png", picture),
        Route("/api/data/{set}/inspect", inspect, methods=["POST"]),
    ]


def _overview(studio: Studio, shelf: Shelf, id_: str) -> Response:
    """All that is known of a set, and some of its pictures."""
    prepared = Prepared(shelf.path(id_))
    meta, told, entries = prepared.meta, shelf.told(id_, prepared), prepared.entries()
    order = random.Random(0).sample(range(meta.counts.images), min(_ALL_PICTURES, meta.counts.images))
    job = next((job for job in reversed(studio.processes.about(f"inspect:{id_}")) if job.code is None), None)
    runs = shelf.used().get(prepared.path, [])
    return page(
        studio,
        prepared.name,
        "data-set.html",
        id=id_,
        prepared=prepared,
        meta=meta,
        told=told,
        findings=[_some(noticed) for noticed in told.findings] if told else [],
        names=_Names(entries),
        remarks=[
            text for text in meta.advice if not told or not text.startswith(tuple(it.sentence for it in told.findings))
        ],
        order=order,
        rejected=prepared.rejected()[:_FILES],
        runs=runs,
        job=job.id if job else "",
    )


def _part(studio: Studio, shelf: Shelf, request: Request) -> Response:
    """One of its lists in full, page by page."""
    id_, check = request.path_params["set"], request.path_params.get("check", "")
    prepared = Prepared(shelf.path(id_))
    given: dict[str, Any] = {"pictures": (), "groups": (), "files": (), "noticed": None}
    wanted = request.query_params.get("page", "1")
    if check:
        told = shelf.told(id_, prepared)
        noticed = next((one for one in told.findings if one.check == check), None) if told else None
        if noticed is None:
            raise HTTPException(404, "nothing of that kind was found in these images")
        many: Sequence[Any] = noticed.groups or _captioned(noticed)
        pages = _cut(many, _PAGE_GROUPS if noticed.groups else _PAGE_PICTURES, wanted)
        given |= {"noticed": noticed, "groups" if noticed.groups else "pictures": pages.things}
    elif request.path_params["list"] == "pictures":
        pages = _cut(range(prepared.meta.counts.images), _PAGE_PICTURES, wanted)
        given["pictures"] = [(index, "") for index in pages.things]
    elif request.path_params["list"] == "rejected":
        pages = _cut(prepared.rejected(), _PAGE_FILES, wanted)
        given["files"] = pages.things
    else:
        raise HTTPException(404, "there is no such page of a data set")
    return page(
        studio,
        _TITLES[request.path_params.get("list", "")],
        "data-part.html",
        id=id_,
        prepared=prepared,
        names=_Names(prepared.entries()),
        pages=pages,
        **given,
    )


def _picture(shelf: Shelf, request: Request) -> Response:
    prepared = Prepared(shelf.path(request.path_params["set"]))
    made = prepared.picture(request.path_params["index"], small="/small/" in request.url.path)
    return Response(made, media_type="image/png", headers={"cache-control": "private, max-age=3600"})


def _inspect(studio: Studio, shelf: Shelf, id_: str) -> dict[str, Any]:
    """Start `steadygan inspect` for a set, unless it is being inspected; its answer is kept beside the runs."""
    path, about = shelf.path(id_), f"inspect:{id_}"
    running = [job for job in studio.processes.about(about) if job.code is None]
    if running:
        return running[-1].told()
    answer = shelf.inspected(id_).absolute()
    with storage_errors(answer):
        answer.parent.mkdir(parents=True, exist_ok=True)
    return studio.processes.start("inspect", ["inspect", str(path.absolute()), f"--json={answer}"], about).told()


def _some(noticed: Noticed) -> ShownFinding:
    """What the page of a set shows of a finding."""
    if noticed.groups:
        return ShownFinding(noticed, [group[:_MOST_OF_A_GROUP] for group in noticed.groups[:_GROUPS]],
                     more=len(noticed.groups) > _GROUPS)  # fmt: skip
    captioned = _captioned(noticed)
    return ShownFinding(noticed, pictures=captioned[:_PICTURES], more=len(captioned) > _PICTURES)


def _captioned(noticed: Noticed) -> list[tuple[int, str]]:
    captions = [*noticed.captions, *[""] * len(noticed.indices)]
    return list(zip(noticed.indices, captions, strict=False))


def _cut(things: Sequence[Any], each: int, wanted: str) -> Pages:
    """The page that is wanted, or the nearest there is."""
    pages = max(1, -(-len(things) // each))
    number = min(pages, max(1, int(wanted))) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 9 else 1
    return Pages(number, pages, things[(number - 1) * each : number * each])


class _Names:
    """The file of each image, "" beyond the end of the index."""

    def __init__(self, entries: Sequence[Any]) -> None:
        self.entries = entries

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self.entries):
            return ""
        return str(self.entries[index].file)
