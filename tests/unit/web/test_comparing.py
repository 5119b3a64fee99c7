"""Runs beside each other: what differs, and what of their scores compares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from steadygan.web.comparing import ALIKE
from steadygan.web.studio import id_of
from unit.web.conftest import lines, make_run, score


def compared(client: TestClient, *folders: Path) -> dict[str, Any]:
    answer = client.get(f"/api/compare?runs={','.join(map(id_of, folders))}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_settings_that_differ_and_scores_measured_alike(client: TestClient, runs: Path) -> None:
    other = make_run(runs / "b", ticks=5, info={"config": {"batch": 8, "budget": {"images": 1200}}, "recipe": "steady"})
    (runs / "a" / "scores.jsonl").write_text(lines(score(400, 3.0), score(800, 9.0, "other way")))
    (other / "scores.jsonl").write_text(lines(score(400, 2.0)))
    found = compared(client, runs / "a", other)
    assert [run["name"] for run in found["runs"]] == ["a", "b"]
    assert [run["samples"][-1] for run in found["runs"]] == [1200, 2000]
    assert found["differences"] == [{"setting": "batch", "values": ["4", "8"]}]
    [standing] = found["standings"]
    assert (standing["metric"], standing["values"], standing["winner"]) == ("fd", [3.0, 2.0], 2.0)
    assert found["remark"] == ""
    assert {panel["key"] for panel in found["runs"][0]["panels"]} >= {"loss", "logits"}


def test_scores_measured_otherwise_are_not_laid_beside_each_other(client: TestClient, runs: Path) -> None:
    other = make_run(runs / "b")
    (runs / "a" / "scores.jsonl").write_text(lines(score(400, 3.0, "of held-out images")))
    (other / "scores.jsonl").write_text(lines(score(400, 2.0, "of training images")))
    found = compared(client, runs / "a", other)
    assert found["standings"] == []
    assert found["remark"] == ALIKE
    assert found["differences"] == []


def test_long_runs_are_thinned_and_keep_their_spikes(client: TestClient, runs: Path) -> None:
    from unit.web.conftest import tick

    other = make_run(runs / "b")
    ticks = [tick(400 * at, loss_d=99.0 if at == 1777 else 1.0) for at in range(1, 2501)]
    (other / "log.jsonl").write_text(lines(*ticks))
    b = compared(client, runs / "a", other)["runs"][1]
    assert len(b["images"]) < 1500
    loss = next(panel for panel in b["panels"] if panel["key"] == "loss")["curves"][0]["values"]
    assert max(loss) == 99.0


def test_a_run_that_cannot_be_read_is_left_out_and_named(client: TestClient, runs: Path) -> None:
    other, broken = make_run(runs / "b"), make_run(runs / "broken")
    (broken / "run.json").write_text("{")
    found = compared(client, runs / "a", broken, other)
    assert [run["name"] for run in found["runs"]] == ["a", "b"]
    [line] = found["left_out"]
    assert "broken" in line
    assert compared(client, runs / "a", other)["left_out"] == []
    alone = client.get(f"/api/compare?runs={id_of(runs / 'a')},{id_of(broken)}")
    assert alone.status_code == 404
    assert "without it there is nothing to compare" in alone.json()["error"]


@pytest.mark.parametrize("asked", ["", "x", "x,y", "x," * 40])
def test_what_cannot_be_compared_is_said(client: TestClient, a: str, asked: str) -> None:
    for path in (f"/compare?runs={asked}", f"/api/compare?runs={a}", f"/api/compare?runs={a},{a}"):
        answer = client.get(path)
        assert answer.status_code in (400, 404)
    assert "choose 2 to 12 runs" in client.get(f"/api/compare?runs={a}").json()["error"]
    assert "Choose 2 to 12 runs" in client.get("/compare").text


def test_the_page_names_no_run_by_itself(client: TestClient, runs: Path) -> None:
    other = make_run(runs / "<script>")
    page = client.get(f"/compare?runs={id_of(runs / 'a')},{id_of(other)}")
    assert page.status_code == 200
    assert "&lt;script&gt;" not in page.text
