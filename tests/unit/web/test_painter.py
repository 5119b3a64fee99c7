"""Of quick requests the newest is painted, processes that died come again, and none outlives the painter."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from base64 import b64decode
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest

from steadygan.web.painter import NotPainted, Painter
from unit.web.conftest import at_once

STAND_IN = """
import json, os, sys, time
for line in sys.stdin:
    it = json.loads(line)
    if it["do"] == "die":
        os._exit(1)
    if it["do"] == "die once" and not os.path.exists(sys.argv[-1] + "/died"):
        open(sys.argv[-1] + "/died", "w").close()
        os._exit(1)
    if it["do"] == "wrong":
        print(json.dumps({"id": it["id"], "error": "this is wrong; do that"}), flush=True)
        continue
    if it["do"] == "garbage":
        print("no json", flush=True)
        continue
    for n in range(it.get("news", 0)):
        print(json.dumps({"id": it["id"], "done": n}), flush=True)
    time.sleep(it.get("seconds", 0))
    print(json.dumps({"id": it["id"], "number": it.get("number"), "process": os.getpid()}), flush=True)
"""


def painters() -> list[psutil.Process]:
    """The Python processes that this one started: a browser of other tests has a process of its own kind."""
    return [one for one in psutil.Process().children() if "node" not in one.name()]


def with_painter(act: Callable[[Painter], Coroutine[Any, Any, None]], **options: Any) -> None:
    """Run a coroutine with a painter whose processes are stand-ins without torch."""
    program = options.pop("program", (sys.executable, "-c", STAND_IN))

    async def whole() -> None:
        painter = Painter(program=program, **options)
        try:
            await asyncio.wait_for(act(painter), 120)
        finally:
            await painter.close()
        assert not [one for one in painters() if one.status() != psutil.STATUS_ZOMBIE]

    at_once(whole())


def test_of_twenty_quick_requests_few_are_painted_and_the_last_is(tmp_path: Path) -> None:
    async def act(painter: Painter) -> None:
        asked = [painter.ask(tmp_path, {"do": "paint", "number": n, "seconds": 0.1}, "picture") for n in range(20)]
        found = await asyncio.gather(*asked)
        painted = [answer["number"] for answer in found if answer]
        assert painted[-1] == 19
        assert len(painted) <= 3

    with_painter(act)


def test_each_view_has_its_newest_and_the_lowest_rank_comes_first(tmp_path: Path) -> None:
    order: list[int] = []

    async def act(painter: Painter) -> None:
        async def ask(number: int, view: str, rank: int) -> None:
            if found := await painter.ask(tmp_path, {"do": "paint", "number": number, "seconds": 0.1}, view, rank):
                order.append(found["number"])

        await asyncio.gather(ask(0, "a", 0), ask(1, "grid", 5), ask(2, "walk", 3), ask(3, "a", 0), ask(4, "grid", 5))

    with_painter(act)
    assert order in ([0, 3, 2, 4], [3, 2, 4])  # the first may have begun before the others came


def test_one_that_died_comes_again_and_one_that_always_dies_is_said(tmp_path: Path) -> None:
    async def act(painter: Painter) -> None:
        first = await painter.ask(tmp_path, {"do": "paint"})
        assert first
        os.kill(first["process"], 9)
        second = await painter.ask(tmp_path, {"do": "paint"})
        assert second
        assert second["process"] != first["process"]
        assert await painter.ask(tmp_path, {"do": "die once", "number": 4})
        for what, said in (("die", "ended twice"), ("wrong", "this is wrong; do that"), ("garbage", "gave none")):
            with pytest.raises(NotPainted, match=said):
                await painter.ask(tmp_path, {"do": what})
        assert await painter.ask(tmp_path, {"do": "paint"})

    with_painter(act)


def test_runs_give_way_to_each_other(tmp_path: Path) -> None:
    async def act(painter: Painter) -> None:
        found = [await painter.ask(tmp_path / name, {"do": "paint"}) for name in "abc"]
        assert [psutil.pid_exists(answer["process"]) for answer in found if answer] == [False, True, True]

    with_painter(act, most=2)


def test_an_idle_process_ends_and_another_takes_its_place(tmp_path: Path) -> None:
    async def act(painter: Painter) -> None:
        first = await painter.ask(tmp_path, {"do": "paint"})
        assert first
        while psutil.pid_exists(first["process"]):
            await asyncio.sleep(0.05)
        second = await painter.ask(tmp_path, {"do": "paint"})
        assert second
        assert second["process"] != first["process"]

    with_painter(act, idle_seconds=0.3)


def test_what_takes_long_tells_news_and_ends_when_nobody_listens(tmp_path: Path) -> None:
    async def act(painter: Painter) -> None:
        found = [answer async for answer in painter.aside(tmp_path, {"do": "photo", "news": 3})]
        assert [answer.get("done") for answer in found] == [0, 1, 2, None]
        listening = painter.aside(tmp_path, {"do": "photo", "news": 1, "seconds": 100})
        assert await anext(listening) == {"done": 0}
        (child,) = painters()
        await listening.aclose()
        assert not child.is_running()
        with pytest.raises(NotPainted, match="ended"):
            [answer async for answer in painter.aside(tmp_path, {"do": "die"})]

    with_painter(act)


def test_whose_leaving_was_cut_short_is_waited_for_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a page that is closed cancels its request at every step; a loop that closes before would leave warnings."""
    started: list[asyncio.subprocess.Process] = []
    killed: list[asyncio.subprocess.Process] = []
    start, kill = asyncio.create_subprocess_exec, asyncio.subprocess.Process.kill
    monkeypatch.setattr(asyncio.subprocess.Process, "kill", lambda it: killed.append(it) or kill(it))

    async def noted(*words: Any, **options: Any) -> asyncio.subprocess.Process:
        started.append(await start(*words, **options))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)

    async def act(painter: Painter) -> None:
        heard = asyncio.Event()

        async def listen() -> None:
            async for _ in painter.aside(tmp_path, {"do": "photo", "news": 1, "seconds": 100}):
                heard.set()

        listening = asyncio.create_task(listen())
        await heard.wait()
        while not listening.done():
            listening.cancel()
            await asyncio.sleep(0)
        await painter.close()
        assert [process.returncode for process in started] == [-signal.SIGKILL]
        assert killed == started, "twice, and how it ended may be lost"

    with_painter(act)


def test_who_left_while_waiting_holds_up_nobody(tmp_path: Path) -> None:
    async def act(painter: Painter) -> None:
        gone = asyncio.create_task(painter.ask(tmp_path, {"do": "paint", "number": 1, "seconds": 0.2}, "a"))
        await asyncio.sleep(0.05)
        gone.cancel()
        found = await painter.ask(tmp_path, {"do": "paint", "number": 2}, "b")
        assert found
        assert found["number"] == 2

    with_painter(act)


@pytest.mark.slow
def test_of_twenty_requests_to_a_real_process_the_last_is_painted_as_sample_writes_it(
    painted_run: Path, tmp_path: Path
) -> None:
    from steadygan.cli.main import main

    with pytest.raises(SystemExit):
        main(["sample", str(painted_run), "--seed", "5", "--pick", "19", "-o", str(tmp_path / "out")])

    async def act(painter: Painter) -> None:
        asked = [
            painter.ask(painted_run, {"do": "paint", "spots": [{"seed": 5, "number": n}], "exact": True}, "picture")
            for n in range(20)
        ]
        found = await asyncio.gather(*asked)
        assert len([answer for answer in found if answer]) <= 3
        assert found[-1]
        assert b64decode(found[-1]["pictures"][0]) == (tmp_path / "out" / "00019.png").read_bytes()

    with_painter(act, program=(sys.executable, "-m", "steadygan"))


@pytest.mark.slow
def test_a_real_process_that_was_killed_comes_again_with_the_same_picture(painted_run: Path) -> None:
    async def act(painter: Painter) -> None:
        request = {"do": "paint", "spots": [{"seed": 5}], "exact": True}
        first = await painter.ask(painted_run, request)
        (child,) = painters()
        child.kill()
        assert await painter.ask(painted_run, request) == first

    with_painter(act, program=(sys.executable, "-m", "steadygan"))
