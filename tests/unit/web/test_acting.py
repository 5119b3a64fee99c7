"""What a page does with a run: stop, note, resume, export, report; and which of its files it may show."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from steadygan.claim import writer
from steadygan.runs import Run
from steadygan.web.studio import Studio
from unit.web.conftest import make_run

TOKEN = {"X-Studio-Token": "secret"}
TRAINS = """
import signal, sys, time
from pathlib import Path
from steadygan.claim import writer
from steadygan.terminal import interrupt, when_asked_to_stop
{before}
with writer(Path(sys.argv[1])), when_asked_to_stop(interrupt):
    try:
        print("in", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        print("saved", flush=True)
"""


def post(client: TestClient, run: str, act: str, body: Any = None, code: int = 200) -> dict[str, Any]:
    answer = client.post(f"/api/runs/{run}/{act}", json={} if body is None else body, headers=TOKEN)
    assert answer.status_code == code, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.skipif(os.name != "posix", reason="signals are of Unix")
@pytest.mark.parametrize("before", ["", "signal.signal(signal.SIGINT, signal.SIG_IGN)"])
def test_stop_reaches_the_process_that_trains_even_in_the_background(
    client: TestClient, runs: Path, a: str, before: str
) -> None:
    command = [sys.executable, "-c", TRAINS.format(before=before), str(runs / "a")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        assert post(client, a, "stop") == {"stopping": f"process {other.pid} saves its state and leaves"}
        assert other.stdout.readline() == "saved\n"


def test_stop_touches_nothing_else(client: TestClient, runs: Path, a: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", lambda *given: pytest.fail(f"killed {given}"))
    assert post(client, a, "stop", code=400) == {"error": "nothing trains this run any more"}
    (runs / "a" / ".steadygan.lock").write_text(f" {os.getppid()} {os.uname().nodename}")
    assert post(client, a, "stop", code=400) == {"error": "nothing trains this run any more"}
    with writer(runs / "a"):  # this very process, as a studio inside a notebook would be
        assert "stop it there with Ctrl-C" in post(client, a, "stop", code=400)["error"]
        (runs / "a" / ".steadygan.lock").write_text(" 1 another-machine")
        assert "is on another-machine" in post(client, a, "stop", code=400)["error"]


def test_a_note_is_written_down(client: TestClient, runs: Path, a: str) -> None:
    post(client, a, "note", {"text": "  <img src=x> lower rate "})
    last = Run(runs / "a").notes()[-1]
    assert (last.text, last.author, last.images) == ("<img src=x> lower rate", "user", 1200)
    assert client.get(f"/api/runs/{a}").json()["notes"][-1]["text"] == "<img src=x> lower rate"
    for wrong in ("", "   ", "x" * 10_001):
        assert "a note has 1 to 10,000 characters" in post(client, a, "note", {"text": wrong}, 400)["error"]
    assert "sends JSON" in post(client, a, "note", [1], 400)["error"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of all processes that would have been started."""
    found: list[list[str]] = []
    plain = subprocess.Popen

    def start(command: list[str], **options: Any) -> Any:
        found.append(command[3:])
        return plain([sys.executable, "-c", ""], **options)

    monkeypatch.setattr("steadygan.web.processes.subprocess.Popen", start)
    return found


def test_what_a_run_is_asked_to_do_becomes_a_command(
    client: TestClient, runs: Path, a: str, started: list[list[str]]
) -> None:
    path = str(runs / "a")
    post(client, a, "resume", {"images": "400k"})
    post(client, a, "resume", {"minutes": 2.5})
    post(client, a, "resume", {"images": ""})
    post(client, a, "report")
    post(client, a, "export", {"form": "onnx", "checkpoint": "latest"})
    post(client, a, "export", {"form": "png"})
    post(client, a, "export", {"form": "gif"})
    exports = runs / "a" / "exports"
    assert started == [
        ["resume", path, "--images", "400k"],
        ["resume", path, "--minutes", "2.5"],
        ["resume", path],
        ["report", path],
        ["export", path, "-o", str(exports / "generator-latest.onnx"), "--checkpoint", "latest"],
        ["sample", path, "-o", str(exports / "pictures-best.png"), "--checkpoint", "best"],
        ["sample", path, "-o", str(exports / "walk-best.gif"), "--checkpoint", "best", "-n", "8"],
    ]
    assert len(client.get(f"/api/runs/{a}/jobs").json()["jobs"]) == 7


@pytest.mark.parametrize(
    ("act", "body", "line"),
    [
        ("resume", {"images": "--help"}, "images is a number above 0, as 200000 or 1.5M; '--help' is none"),
        ("resume", {"images": -5}, "images is a number above 0"),
        ("resume", {"minutes": "nan"}, "minutes is a number above 0"),
        ("resume", {"images": 5, "steps": 6}, "give images, steps or minutes, one of them"),
        ("export", {"form": "exe"}, "there is no form 'exe'; there are: safetensors, onnx, pt2, html, png, gif"),
        ("export", {"form": "onnx", "checkpoint": "../../etc"}, "has no checkpoint '../../etc'"),
    ],
)
def test_what_is_no_command_starts_nothing(
    client: TestClient, a: str, started: list[list[str]], act: str, body: dict[str, Any], line: str
) -> None:
    assert line in post(client, a, act, body, 400)["error"]
    assert not started


def test_a_run_that_trains_is_not_resumed(client: TestClient, runs: Path, a: str, started: list[list[str]]) -> None:
    with writer(runs / "a"):
        assert "already training" in post(client, a, "resume", {"images": 5}, 400)["error"]
    assert not started


def test_the_report_of_any_origin_reaches_nothing_of_the_studio(client: TestClient, runs: Path, a: str) -> None:
    (runs / "a" / "report.html").write_text("<script>fetch('/api/runs')</script>")
    policy = client.get(f"/runs/{a}/report.html").headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("name", ["samples/000000400.png", "inputs.png", "exports/generator-best.html", "report.html"])
def test_files_of_a_run_are_shown_but_none_that_lies_elsewhere(
    client: TestClient, runs: Path, a: str, tmp_path: Path, name: str
) -> None:
    (tmp_path / "private").write_bytes(b"secret")
    file = runs / "a" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"own")
    answer = client.get(f"/runs/{a}/{name}")
    assert (answer.status_code, answer.content) == (200, b"own")
    assert client.get(f"/runs/{a}/{name}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    file.unlink()
    assert client.get(f"/runs/{a}/{name}").status_code == 404
    os.symlink(tmp_path / "private", file)
    assert client.get(f"/runs/{a}/{name}").status_code == 404


def test_what_was_exported_is_kept_and_never_shown(client: TestClient, runs: Path, a: str) -> None:
    (runs / "a" / "exports").mkdir()
    (runs / "a" / "exports" / "x.html").write_text("<script>1</script>")
    assert client.get(f"/runs/{a}/exports/x.html").headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "path",
    [
        "samples/..%2frun.json", "samples/../run.json", "samples/x.png", "samples/%2e%2e%2finputs.png", "run.json",
        "samples/000000400.png%00", "exports/..%2f..%2fx.html", "exports/run.json", "checkpoints/latest", "log.jsonl",
        "samples/٣.png", "samples/000000400.png/", ".steadygan.lock",
    ],
)  # fmt: skip
def test_no_other_name_leads_to_a_file(client: TestClient, runs: Path, a: str, path: str) -> None:
    (runs / "a" / "inputs.png").write_bytes(b"x")
    answer = client.get(f"/runs/{a}/{path}", follow_redirects=False)
    assert answer.status_code in (404, 307)
    if answer.status_code == 307:
        assert answer.headers["location"].endswith("/samples/000000400.png")


def test_a_page_of_a_hostile_run_is_only_text(client: TestClient, runs: Path, studio: Studio) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    data = {"source": hostile, "digest": hostile, "spec": {"size": 8, "channels": 3}}
    make_run(runs / hostile, info={"recipe": hostile, "data": data})
    id_ = next(one for one, path in studio.runs().items() if path.name == hostile)
    text = client.get(f"/runs/{id_}").text
    assert "<img src=x" not in text
    assert client.get(f"/api/runs/{id_}").status_code == 200


def test_a_broken_run_has_a_page_that_says_so(client: TestClient, runs: Path, a: str) -> None:
    (runs / "a" / "run.json").write_text("{")
    answer = client.get(f"/runs/{a}")
    assert answer.status_code == 404
    assert "run.json cannot be read" in answer.text
    for path in ("", "/curves", "/events"):
        assert "run.json cannot be read" in client.get(f"/api/runs/{a}{path}").json()["error"]


def test_a_signal_is_one_that_training_hears() -> None:
    from steadygan.terminal import STOPPING

    assert {signal.SIGINT, signal.SIGTERM} <= set(STOPPING)


def test_nothing_is_exported_out_of_a_run(client: TestClient, runs: Path, a: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (runs / "a" / "exports").symlink_to(tmp_path / "elsewhere")
    assert "link" in post(client, a, "export", {"form": "html"}, code=400)["error"]
