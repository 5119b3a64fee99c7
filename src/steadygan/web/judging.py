"""The visual Turing test: the tests of a run, the questions a rater answers, and the result.

What a browser is given before a test is answered tells nothing of its truth: pictures under random names in files of
one size, without a date, and questions without their answers. The result waits until nobody is in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from steadygan.errors import ConfigError, SteadyganError, os_errors
from steadygan.names import to_json
from steadygan.part import Value
from steadygan.runs import Run
from steadygan.turing.folder import Kind, TuringFolder, digest, named, rater_named, turing_folders
from steadygan.turing.outcome import Verdict, outcome
from steadygan.turing.questions import SIDE, LetterQuestion, letter_places
from steadygan.web.page import JsonAnswer, page
from steadygan.web.studio import Studio

_SHOWN = 12  # pictures of each kind on the page of a result
_LARGEST = 2**27  # bytes of a picture
_OPTIONS: dict[Kind, str] = {"pairs": "--pairs", "sheets": "--sheets", "letters": "--letters"}

S = TypeVar("S", bound=Value)
Handler = Callable[[Request], Response]


class WantedTest(Value):
    """A new test as its form asks for it."""

    kind: Kind = "pairs"
    number: int = Field(ge=1, le=1000)


class Sent(Value):
    """A rater's answers to one screen, by the numbers of its questions, and the seconds they took."""

    rater: str
    answers: dict[int, str] = Field(max_length=100)
    seconds: float = Field(ge=0, le=1e9)


class Ending(Value):
    """The wish to end a test."""

    end: Literal[True]


def routes(studio: Studio) -> list[BaseRoute]:
    """Pages, pictures and answers of the tests of a run."""
    judging, tests, one = Judging(studio), "/runs/{run}/turing", "/runs/{run}/turing/{test}"
    read: dict[str, Handler] = {
        tests: judging.overview,
        f"/api{tests}": judging.listed,
        one: judging.questions,
        f"/api{one}": judging.state,
        f"{one}/result": judging.result,
        f"/api{one}/result": judging.as_file,
        f"{one}/pictures/{{picture}}.png": judging.picture,
    }
    return [
        *(Route(address, _reading(handler)) for address, handler in read.items()),
        Route(f"/api{tests}", judging.begin, methods=["POST"]),
        Route(f"/api{one}/answers", judging.answered, methods=["POST"]),
        Route(f"/api{one}/end", judging.end, methods=["POST"]),
    ]


def _reading(handler: Handler) -> Handler:
    """A handler that reads files, whose errors have one line; it runs in a thread."""

    def handled(request: Request) -> Response:
        with os_errors():
            return handler(request)

    return handled


class Judging:
    """What each address answers."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def overview(self, request: Request) -> Response:
        """The tests of a run, and a form for a new one."""
        return self._page(request, "turing.html", "Turing test", tests=_listed(self._run(request)))

    def listed(self, request: Request) -> JsonAnswer:
        """The tests of a run as JSON."""
        return JsonAnswer({"tests": _listed(self._run(request))})

    async def begin(self, request: Request) -> JsonAnswer:
        """Start the process that makes a new test."""
        wanted, run = await _body(request, WantedTest), self._run(request)
        words = ["turing", str(run.path.resolve()), _OPTIONS[wanted.kind], str(wanted.number), "--no-open"]
        job = self.studio.processes.start("turing", words, about=request.path_params["run"])
        return JsonAnswer({"job": job.id}, 202)

    def questions(self, request: Request) -> Response:
        """The page on which a rater answers."""
        folder = self._test(request)
        given = {"kind": folder.test.kind, "unfinished": folder.unfinished(), "ended": folder.ended}
        return self._page(request, "turing-test.html", "Turing test", **given)

    def state(self, request: Request) -> JsonAnswer:
        """What a rater is shown next."""
        return JsonAnswer(_state(self._test(request), rater_named(request.query_params.get("rater", ""))))

    async def answered(self, request: Request) -> JsonAnswer:
        """Keep the answers to a screen, and give the next one."""
        sent = await _body(request, Sent)
        folder, rater = await run_in_threadpool(self._test, request), rater_named(sent.rater)
        await run_in_threadpool(folder.give, rater, sent.answers, sent.seconds)
        return JsonAnswer(await run_in_threadpool(_state, folder, rater))

    async def end(self, request: Request) -> JsonAnswer:
        """Take no more answers."""
        await _body(request, Ending)
        folder = await run_in_threadpool(self._test, request)
        await run_in_threadpool(folder.end)
        return JsonAnswer({"ended": True})

    def result(self, request: Request) -> Response:
        """The page of the result, or of what it waits for."""
        folder = self._test(request)
        if not folder.open_for_all:
            given = {"raters": folder.raters(), "most": len(folder.test.questions)}
            return self._page(request, "turing-wait.html", "Turing test", **given)
        found = outcome(folder)
        seen: dict[str, Any] = {
            "fakes": [one for one in found.fakes if one.real][:_SHOWN],
            "reals": [one for one in found.reals if one.real < one.answers][:_SHOWN],
            "sheets": _sheets(folder, found),
        }
        return self._page(request, "turing-result.html", "Result", found=found, size=folder.test.size, **seen)

    def as_file(self, request: Request) -> Response:
        """The result as JSON, to be kept."""
        folder = self._test(request)
        if not folder.open_for_all:
            raise HTTPException(409, "the result opens when everybody who began has finished, or the test is ended")
        name = re.sub(r"[^\w.-]+", "_", f"{self._run(request).path.name}-{folder.path.name}", flags=re.ASCII)
        headers = {"content-disposition": f'attachment; filename="{name}.json"'}
        return Response(to_json(outcome(folder), indent=2) + "\n", headers=headers, media_type="application/json")

    def picture(self, request: Request) -> Response:
        """A picture by its name, under headers that are those of any other."""
        return Response(_picture(self._test(request), request.path_params["picture"]), media_type="image/png")

    def _run(self, request: Request) -> Run:
        return self.studio.run_of(request.path_params["run"])

    def _test(self, request: Request) -> TuringFolder:
        folder = named(turing_folders(self._run(request).path), request.path_params["test"])
        there = (folder.path / TuringFolder.TEST).stat()
        return _kept(folder.path, there.st_mtime_ns, there.st_size)

    def _page(self, request: Request, template: str, title: str, **given: Any) -> Response:
        about = {"run": request.path_params["run"], "name": self.studio.name_of(self._run(request).path)}
        return page(self.studio, title, template, test=request.path_params.get("test", ""), **about, **given)


@lru_cache(maxsize=32)
def _kept(path: Path, changed: int, size: int) -> TuringFolder:
    """A test whose `test.json` is read once, as long as it stays the same."""
    return TuringFolder(path)


async def _body(request: Request, kind: type[S]) -> S:
    """What was sent, as a value; ConfigError in one line."""
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(map(str, first["loc"])) or "what was sent"
        raise ConfigError(f"{where}: {first['msg']}; load the page again") from problem


def _listed(run: Run) -> list[dict[str, Any]]:
    """The tests of a run, the newest first, as far as they can be read."""
    found = []
    for folder in turing_folders(run.path):
        one: dict[str, Any] = {"name": folder.path.name, "wrong": ""}
        try:
            test, raters = folder.test, folder.raters()
            one |= {"kind": test.kind, "created": test.created, "questions": len(test.questions)}
            one |= {"images": test.images, "screens": len(test.screens), "open": folder.open_for_all}
            one |= {"raters": [{"name": name, "answers": count} for name, count in raters.items()]}
        except SteadyganError as problem:
            one["wrong"] = str(problem)
        found.append(one)
    return sorted(found, key=lambda one: one.get("created", ""), reverse=True)


def _state(folder: TuringFolder, rater: str) -> dict[str, Any]:
    """What a rater is shown next, and how far they are; of the truth nothing."""
    test, numbers = folder.test, () if folder.ended else folder.next_screen(rater)
    return {
        "kind": test.kind,
        "rater": rater,
        "size": test.size,
        "done": folder.raters().get(rater, 0),
        "most": len(test.questions),
        "ended": folder.ended,
        "open": folder.open_for_all,
        "questions": [{"number": number, "pictures": test.shown(test.questions[number])} for number in numbers],
        "choices": test.questions[0].choices,
    }


def _picture(folder: TuringFolder, name: str) -> bytes:
    """The bytes of a picture, if they are still those that were written."""
    file = folder.picture(name)
    if not file.is_file() or file.stat().st_size > _LARGEST:
        raise HTTPException(404, "this picture of the test is missing")
    content = file.read_bytes()
    if digest(content) != folder.test.digests[name]:  # changed, or a link to something else
        raise HTTPException(409, "this picture is not the one that the test was made with")
    return content


def _sheets(folder: TuringFolder, found: Verdict) -> list[dict[str, Any]]:
    """Sheets of letters with what is which."""
    sheets = []
    for sheet in found.sheets:
        question = folder.test.questions[sheet.question]
        if isinstance(question, LetterQuestion):
            places = letter_places(question.truth, question.column)
            cells = list(zip(folder.test.shown(question), places, strict=True))
            sheets.append({"letter": sheet.letter, "guesses": sheet.guesses, "cells": cells, "side": SIDE})
    return sheets
