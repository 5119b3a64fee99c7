"""A run as it grows: what its viewers are told, and that it is what a run read at once would show."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from steadygan.errors import DataError
from steadygan.records import Tick
from steadygan.runs import Run
from steadygan.web.following import Event, RunWatch, RunWatches
from steadygan.web.glance import Glances
from steadygan.web.lines import GrowingLines
from steadygan.web.studio import Studio, id_of
from unit.web.conftest import at_once, lines, make_run, score, tick

FINDING = {"rule": "mode-collapse", "severity": "serious", "says": "alike", "evidence": "0.01", "remedy": "wait"}


def watch_of(folder: Path) -> RunWatch:
    return RunWatch(folder, id_of(folder), Glances(Studio(folder.parent)))


def add(file: Path, *records: dict[str, Any]) -> None:
    with file.open("a") as opened:
        opened.write(lines(*records))


def signal(images: int, **other: Any) -> dict[str, Any]:
    return {"step": images // 4, "images": images, "diversity": images / 1000, "diversity_real": 0.5} | other


def joined(now: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """As the page does it: the end of every curve is replaced."""
    keep = sum(place <= more["from"] for place in now["images"])
    images = (*now["images"][:keep], *more["images"])
    panels = []
    known = {(panel["key"], line["name"]): line["values"] for panel in now["panels"] for line in panel["curves"]}
    for panel in more["panels"]:
        curves = [
            line | {"values": (*known.get((panel["key"], line["name"]), ())[:keep], *line["values"])}
            for line in panel["curves"]
        ]
        panels.append(panel | {"curves": curves})
    return {"images": images, "panels": panels}


def test_curves_that_grew_are_those_of_a_run_read_at_once(runs: Path) -> None:
    folder = make_run(runs / "b", ticks=8)
    add(folder / "signals.jsonl", signal(600), signal(1800))
    watch = watch_of(folder)
    page = dict(watch.everything())["curves"]
    steps: tuple[tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]], ...] = (
        ((tick(3600, loss_d=2.0),), ()),
        ((tick(4000), tick(4400)), (signal(3300, distance=None),)),
        ((tick(4800),), (signal(4800),)),
        ((tick(5200), tick(5600), tick(6000)), ()),
        ((tick(6400),), (signal(6000), signal(6400))),
    )
    for ticks, signals in steps:
        add(folder / "log.jsonl", *ticks)
        add(folder / "signals.jsonl", *signals)
        page = joined(page, dict(watch.look())["more"])
        whole = watch_of(folder).curves()
        assert page["images"] == whole["images"]
        assert {panel["key"]: panel["curves"] for panel in page["panels"]} == {
            panel["key"]: list(panel["curves"]) for panel in whole["panels"]
        }


def test_the_gap_where_a_run_was_set_back_is_told(runs: Path) -> None:
    folder = make_run(runs / "b", ticks=4)
    add(folder / "signals.jsonl", signal(400), signal(1600))
    watch = watch_of(folder)
    page = dict(watch.everything())["curves"]
    back = FINDING | {"rule": "care-set-back", "step": 400, "images": 1600, "back_to": 800}
    add(folder / "findings.jsonl", back)
    add(folder / "log.jsonl", tick(2000), tick(2400))
    events = dict(watch.look())
    page = joined(page, events["more"])
    assert page["images"] == watch_of(folder).curves()["images"]
    assert page["images"].count(1600) == 2
    assert [mark["back_to"] for mark in events["marks"]] == [800]


def test_what_did_not_change_is_not_told_again(runs: Path) -> None:
    watch = watch_of(runs / "a")
    assert watch.look() == []
    add(runs / "a" / "notes.jsonl", {"step": 1, "images": 1200, "author": "user", "text": "eyes"})
    assert {name for name, _ in watch.look()} == {"notes"}
    (runs / "a" / "samples" / "000001600.png").write_bytes(b"")
    assert dict(watch.look()) == {"samples": [400, 800, 1200, 1600]}
    assert watch.look() == []


def test_a_line_that_is_half_written_is_told_once_it_is_whole(runs: Path) -> None:
    watch = watch_of(runs / "a")
    text = json.dumps(tick(1600)) + "\n"
    with (runs / "a" / "log.jsonl").open("a") as file:
        file.write(text[:30])
    assert "more" not in dict(watch.look())
    with (runs / "a" / "log.jsonl").open("a") as file:
        file.write(text[30:])
    assert dict(watch.look())["more"]["images"][-1] == 1600
    assert watch.told["missing"] == []


def test_a_run_that_goes_back_to_a_checkpoint_is_told_as_a_whole(runs: Path) -> None:
    watch = watch_of(runs / "a")
    (runs / "a" / "log.jsonl").write_text(lines(tick(400)))
    events = dict(watch.look())
    assert events["curves"]["images"] == (400,)
    assert events["state"]["images"] == 1200, "the note of its end says so"


def test_scores_findings_and_time_left_are_told(runs: Path) -> None:
    folder = make_run(runs / "b", ticks=2, info={"config": {"batch": 4, "budget": {"images": 4000}}})
    add(folder / "scores.jsonl", score(800, 2.0))
    add(folder / "findings.jsonl", FINDING | {"step": 100, "images": 400, "picture": "samples"})
    told = watch_of(folder).told
    assert told["scores"][0]["values"] == (2.0,)
    assert told["marks"][0]["picture"] == f"/runs/{id_of(folder)}/samples/000000400.png"
    assert told["state"]["share"] == 0.2
    assert told["state"]["left"] is None, "nothing trains it"


def test_a_damaged_file_is_said_and_the_rest_is_shown(runs: Path) -> None:
    (runs / "a" / "log.jsonl").write_text("[]\n" + lines(tick(400), tick(800)) + "nonsense\n" * 3)
    (runs / "a" / "findings.jsonl").write_bytes(b"\xff\n" + lines(FINDING | {"step": 10**400}).encode())
    told = watch_of(runs / "a").told
    assert told["missing"] == ["log.jsonl: 4 damaged lines, left out", "findings.jsonl: 2 damaged lines, left out"]
    assert told["state"]["step"] == 200


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_folder_that_is_no_run_any_more_is_an_error(runs: Path, text: str) -> None:
    watch = watch_of(runs / "a")
    (runs / "a" / "run.json").write_text(text)
    with pytest.raises(DataError, match="run"):
        watch.look()


def test_a_folder_that_was_moved_is_said_to_be(runs: Path) -> None:
    watch = watch_of(runs / "a")
    (runs / "a").rename(runs / "b")
    with pytest.raises(DataError, match="was moved or deleted"):
        watch.look()
    (runs / "b").rename(runs / "a")
    assert watch.look() == [], "it is where it was"


def test_of_a_file_without_end_only_the_last_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(lines(*(tick(400 * at) for at in range(1, 2000))))
    read = GrowingLines(tmp_path / "log.jsonl", Tick, most=2000)
    found = read.new()
    assert 1 <= len(found) <= 10
    assert found[-1].images == 400 * 1999
    assert read.damaged == 0
    assert read.new() == []


def test_many_viewers_have_one_watcher_and_are_told_the_same(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadygan.web.following.EVERY", 0.001)
    looks = []
    plain = RunWatch.look
    monkeypatch.setattr(RunWatch, "look", lambda self: looks.append(self) or plain(self))

    async def until(queue: asyncio.Queue[Event | None], name: str) -> Any:
        while (event := await queue.get()) is not None:
            if event[0] == name:
                return event[1]
        return None

    async def all_of_it() -> None:
        studio = Studio(runs)
        watches, run, id_ = RunWatches(Glances(studio), studio.closing), Run(runs / "a"), id_of(runs / "a")
        async with watches.viewing(run, id_) as one, watches.viewing(run, id_) as other:
            first = [await until(queue, "curves") for queue in (one, other)]
            assert first[0] == first[1]
            for at in range(4, 40):
                add(runs / "a" / "log.jsonl", tick(400 * at))
                told = [await until(queue, "more") for queue in (one, other)]
                assert told[0]["images"][-1] == told[1]["images"][-1] == 400 * at
            assert len({id(watch) for watch in looks}) == 1
            [watch] = {id(watch): watch for watch in looks}.values()
            assert len(watch.viewers) == 2
            studio.closing.set()
            assert await until(one, "never") is None
        assert not watch.viewers
        assert watch.task is None

    at_once(all_of_it())


def test_a_viewer_that_reads_nothing_is_let_go(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadygan.web.following.EVERY", 0.001)
    monkeypatch.setattr("steadygan.web.following._WAITING", 20)

    async def all_of_it() -> int:
        studio = Studio(runs)
        watches, run = RunWatches(Glances(studio), studio.closing), Run(runs / "a")
        async with watches.viewing(run, id_of(runs / "a")) as queue:
            watch = await watches.of(run, id_of(runs / "a"))
            at = 4
            while watch.viewers:
                add(runs / "a" / "log.jsonl", tick(400 * at))
                at += 1
                await asyncio.sleep(0.001)
            return queue.qsize()

    assert at_once(all_of_it()) < 40


def test_a_look_that_fails_is_not_the_last(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadygan.web.following.EVERY", 0.001)
    plain, failures = RunWatch.look, [FileNotFoundError(2, "gone while it was listed")]
    monkeypatch.setattr(RunWatch, "look", lambda self: _raised(failures.pop()) if failures else plain(self))

    async def names() -> list[str]:
        studio, found = Studio(runs), []
        watches = RunWatches(Glances(studio), studio.closing)
        async with watches.viewing(Run(runs / "a"), id_of(runs / "a")) as queue:
            while "more" not in found:
                event = await asyncio.wait_for(queue.get(), 20)
                assert event
                found.append(event[0])
                if event[0] == "gone":
                    add(runs / "a" / "log.jsonl", tick(1600))
        return found

    assert "gone" in at_once(names())


def _raised(problem: Exception) -> Any:
    raise problem
