"""Pictures of generators for the pages: a process of the command line for each run that is looked at."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from steadygan.errors import SteadyganError

_LINE = 64_000_000  # bytes of an answer: some dozens of large pictures
_PATIENCE_SECONDS = 120.0
_LEAVE_SECONDS = 30.0  # a killed process leaves at once, on a busy machine some seconds later
_PROGRAM = (sys.executable, "-m", "steadygan")
Asked = Mapping[str, Any]
_Alive = dict[Process, "asyncio.Task[None] | None"]  # with what ends them, once that was asked for


class NotPainted(SteadyganError):
    """What was asked for cannot be made, in one line."""


class Painter:
    """Pictures of runs, as `steadygan serve-pictures` makes them.

    A process serves one run, one request after another, and is kept for `idle_seconds` after the last one; there are at
    most `most` of them, of which the one that was not asked for the longest time gives way. One that died is started
    again, once for a request. `program` is how the command line is called.
    """

    def __init__(self, most: int = 2, idle_seconds: float = 300, program: Sequence[str] = _PROGRAM) -> None:
        self.most, self.idle_seconds, self.program = most, idle_seconds, program
        self._desks: dict[Path, _Desk] = {}
        self._alive: _Alive = {}

    async def ask(self, run: Path, request: Asked, view: str = "", rank: int = 0) -> dict[str, Any] | None:
        """The answer to a request of a `view`; None if a newer one of that view took its place while it waited.

        Of several views that wait the one of the lowest `rank` is next. NotPainted says why there is no answer.
        """
        desk = self._desks.pop(run, None) or _Desk([*self.program, *_words(run)], self.idle_seconds, self._alive)
        self._desks[run] = desk  # the last is the one asked for last
        while len(self._desks) > self.most:
            await self._desks.pop(next(iter(self._desks))).close()
        return await desk.ask(request, view, rank)

    async def aside(self, run: Path, request: Asked) -> AsyncIterator[dict[str, Any]]:
        """All answers to a request that takes long, by a process of its own, which ends with this."""
        process = await _started([*self.program, *_words(run)], self._alive)
        try:
            await _send(process, {**request, "id": 0})
            assert process.stdout
            while line := await process.stdout.readline():
                found = _answer(line)
                yield found
                if "done" not in found:
                    return
            raise NotPainted("the process that made pictures ended; try it again")
        finally:
            await _ended(process, self._alive)

    async def close(self) -> None:
        """End all processes, those too whose end nobody had the time to wait for."""
        desks, self._desks = list(self._desks.values()), {}
        await asyncio.gather(*(desk.close() for desk in desks))
        await asyncio.gather(*(_ended(one, self._alive) for one in list(self._alive)))


class _Desk:
    """The process of one run and what waits for it: one request of each view."""

    def __init__(self, words: Sequence[str], idle_seconds: float, alive: _Alive) -> None:
        self.words, self.idle_seconds, self.alive = words, idle_seconds, alive
        self.process: Process | None = None
        self._waiting: dict[str, tuple[int, Asked, asyncio.Future[dict[str, Any] | None]]] = {}
        self._working: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._numbers = count(1)

    async def ask(self, request: Asked, view: str, rank: int) -> dict[str, Any] | None:
        loop = asyncio.get_running_loop()
        if older := self._waiting.pop(view, None):
            _settle(older[2], None)
        future: asyncio.Future[dict[str, Any] | None] = loop.create_future()
        self._waiting[view] = (rank, request, future)
        if self._idle:
            self._idle.cancel()
        if self._working is None or self._working.done():
            self._working = loop.create_task(self._work())
        return await future

    async def close(self) -> None:
        if self._idle:
            self._idle.cancel()
        for _, _, future in self._waiting.values():
            _settle(future, None)
        self._waiting.clear()
        if self._working and not self._working.done():
            self._working.cancel()
            with suppress(asyncio.CancelledError):
                await self._working
        await self._end()

    async def _work(self) -> None:
        while self._waiting:
            view = min(self._waiting, key=lambda it: self._waiting[it][0])
            _, request, future = self._waiting.pop(view)
            if future.cancelled():
                continue
            try:
                _settle(future, await self._answered(request))
            except asyncio.CancelledError:
                _settle(future, None)
                raise
            except Exception as problem:  # noqa: BLE001 - it belongs to whoever asked
                _settle(future, problem)
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(self.idle_seconds, lambda: loop.create_task(self._end_if_idle()))

    async def _answered(self, request: Asked) -> dict[str, Any]:
        for _ in range(2):
            if self.process is None or self.process.returncode is not None:
                self.process = await _started(self.words, self.alive)
            try:
                return await asyncio.wait_for(self._exchange(self.process, request), _PATIENCE_SECONDS)
            except (ConnectionError, EOFError, TimeoutError):
                await self._end()
            except ValueError as problem:  # a line of no JSON, or one without an end
                await self._end()
                raise NotPainted("the process that makes pictures gave none; ask for fewer at once") from problem
        raise NotPainted("the process that makes pictures ended twice; is there enough memory? Try it again")

    async def _exchange(self, process: Process, request: Asked) -> dict[str, Any]:
        number = next(self._numbers)
        await _send(process, {**request, "id": number})
        assert process.stdout
        while line := await process.stdout.readline():
            if json.loads(line).get("id") in (number, None):  # an older one whose asker was cancelled is passed over
                return _answer(line)
        raise EOFError

    async def _end_if_idle(self) -> None:
        if not self._waiting and (self._working is None or self._working.done()):
            await self._end()

    async def _end(self) -> None:
        process, self.process = self.process, None
        if process:
            await _ended(process, self.alive)


def _words(run: Path) -> list[str]:
    return ["serve-pictures", "--", str(run.resolve())]


async def _started(words: Sequence[str], alive: _Alive) -> Process:
    try:
        process = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=_LINE)
    except OSError as problem:
        raise NotPainted(f"the process that makes pictures cannot be started: {problem.strerror}") from problem
    alive[process] = None
    return process


async def _send(process: Process, request: Asked) -> None:
    assert process.stdin
    process.stdin.write(json.dumps(request).encode() + b"\n")
    await process.stdin.drain()


async def _ended(process: Process, alive: _Alive) -> None:
    """End a process, which has nothing to save; whoever has no time to wait leaves that to the next who asks for it."""
    if process in alive:
        ending = alive[process] = alive[process] or asyncio.create_task(_killed(process, alive))
        await asyncio.shield(ending)


async def _killed(process: Process, alive: _Alive) -> None:
    # once: to signal it again asks how it ended, and whoever waits for it is then told nothing
    with suppress(ProcessLookupError):
        process.kill()
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _LEAVE_SECONDS)
    alive.pop(process, None)


def _answer(line: bytes) -> dict[str, Any]:
    """What a line says without its `id`; NotPainted for an error."""
    found: dict[str, Any] = json.loads(line)
    found.pop("id", None)
    if "error" in found:
        raise NotPainted(found["error"])
    return found


def _settle(future: asyncio.Future[dict[str, Any] | None], result: dict[str, Any] | Exception | None) -> None:
    """Give a future its result, unless whoever waited has gone."""
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
