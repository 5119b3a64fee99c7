"""What the explorer answers, with a stand-in for the process that makes pictures."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from browser.pages import HOSTILE
from steadygan.web import exploring
from steadygan.web.app import create_app
from steadygan.web.painter import Painter
from steadygan.web.studio import Studio, id_of
from unit.web.conftest import NAMED, make_run

STAND_IN = """
import json, sys
for line in sys.stdin:
    it = json.loads(line)
    known = {"describe": {"size": 16}, "paint": {"pictures": it.get("spots")}, "ways": {"ways": [[1.0]]}}
    answer = known.get(it["do"], {})
    if it["do"] == "photo":
        if open(it["file"], "rb").read() != b"photo":
            answer = {"error": "the photo is no image"}
        else:
            print(json.dumps({"id": it["id"], "done": 1, "total": 1}), flush=True)
            answer = {"latent": "AAAA", "asked": [it["which"], it.get("label")]}
    print(json.dumps({"id": it["id"], **answer}), flush=True)
"""


def with_checkpoint(folder: Path) -> None:
    checkpoint = folder / "checkpoints" / "images-000000400"
    checkpoint.mkdir(parents=True)
    (checkpoint / "meta.json").write_text("{}")


@pytest.fixture
def client(studio: Studio, runs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with_checkpoint(runs / "a")
    monkeypatch.setattr(exploring, "Painter", partial(Painter, program=(sys.executable, "-c", STAND_IN)))
    headers = {"X-Studio-Token": "secret"}
    with TestClient(create_app(studio), NAMED, raise_server_exceptions=False, headers=headers) as client:
        yield client


def test_the_page_names_the_checkpoints_and_runs_nothing_of_the_run(client: TestClient, runs: Path) -> None:
    name = HOSTILE.replace("/", "")
    folder = make_run(runs / name)
    with_checkpoint(folder)
    page = client.get(f"/runs/{id_of(folder)}/explore")
    assert page.status_code == 200, page.text[-900:]
    assert "images-000000400" in page.text
    assert "<img src=x" not in page.text
    data = page.text.split('id="given">')[1].split("</script>")[0]
    assert json.loads(data)["name"] == name


def test_a_run_without_a_checkpoint_is_said_in_a_line(client: TestClient, runs: Path) -> None:
    page = client.get(f"/runs/{id_of(make_run(runs / 'b'))}/explore")
    assert "no checkpoint yet" in page.text
    assert client.get("/runs/nobody/explore").status_code == 404


def test_requests_are_handed_on_and_answered(client: TestClient, a: str) -> None:
    assert client.post(f"/api/runs/{a}/explore/describe", json={}).json() == {"size": 16}
    asked = {"spots": [{"seed": 3}], "view": "x", "rank": 2}
    assert client.post(f"/api/runs/{a}/explore/paint", json=asked).json() == {"pictures": [{"seed": 3}]}
    for _ in range(2):
        assert client.post(f"/api/runs/{a}/explore/ways", json={"which": "best"}).json() == {"ways": [[1.0]]}


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_request_is_refused_in_a_line(client: TestClient, a: str, body: bytes) -> None:
    answer = client.post(f"/api/runs/{a}/explore/paint", content=body)
    assert answer.status_code == 400
    assert "\n" not in answer.json()["error"]


def test_what_needs_a_process_of_its_own_cannot_be_asked_for_otherwise(client: TestClient, a: str) -> None:
    assert client.post(f"/api/runs/{a}/explore/steal", json={}).status_code == 404
    refused = client.post(f"/api/runs/{a}/explore/paint", json={}, headers={"X-Studio-Token": "guessed"})
    assert refused.status_code == 403
    asked = {"do": "photo", "file": "/etc/passwd", "rank": [], "view": {}}
    assert client.post(f"/api/runs/{a}/explore/paint", json=asked).json() == {"pictures": None}


def test_a_photo_is_told_of_line_by_line_and_kept_nowhere(
    client: TestClient, a: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    found = client.post(f"/api/runs/{a}/explore/photo?which=latest&class=2", content=b"photo")
    assert [json.loads(line) for line in found.text.splitlines()] == [
        {"done": 1, "total": 1},
        {"latent": "AAAA", "asked": ["latest", "2"]},
    ]
    refused = client.post(f"/api/runs/{a}/explore/photo", content=b"text")
    assert json.loads(refused.text) == {"error": "the photo is no image"}
    assert client.post(f"/api/runs/{a}/explore/photo", content=b"").status_code == 400
    assert client.post(f"/api/runs/{a}/explore/photo", content=b"x" * 20_000_001).status_code == 413
    assert not [*(tmp_path / "temporary").iterdir()]
