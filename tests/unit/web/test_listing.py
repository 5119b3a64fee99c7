"""What the list of runs says of run folders of any kind."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from browser.pages import HOSTILE
from steadygan.claim import holder, writer
from steadygan.web.studio import Studio, id_of
from unit.web.conftest import lines, make_run, score, tick


def listed(client: TestClient) -> dict[str, dict[str, object]]:
    answer = client.get("/api/runs")
    assert answer.status_code == 200, answer.text
    return {run["name"]: run for run in answer.json()["runs"]}


def test_a_run_at_a_glance(client: TestClient, runs: Path, a: str) -> None:
    scores = score(400, 3.0), score(800, 2.0), score(1200, 2.6), score(1200, 9, "other")
    (runs / "a" / "scores.jsonl").write_text(lines(*scores))
    with (runs / "a" / "notes.jsonl").open("a") as file:
        file.write(lines({"step": 1, "images": 1200, "author": "user", "text": "good eyes"}))
    [run] = listed(client).values()
    told = {"metric": "fd", "value": 2.0, "better": "lower", "protocol": "fd-1 n=64; picks the best"}
    assert run == {
        "id": a, "name": "a", "state": "finished", "recipe": "dcgan", "data": "squares", "digest": "d" * 64,
        "size": 16, "created": "2026-01-01T10:00:00+00:00", "images": 1200, "share": 1.0,
        "score": told, "note": "good eyes", "wrong": "",
    }  # fmt: skip
    assert a in client.get("/").text


@pytest.mark.parametrize(
    ("end", "state"),
    [
        ("stopped on request after 8", "stopped"),
        ("training diverged: loss", "diverged"),
        ("ended by an error: disk", "failed"),
        ("resumed after 8", "broken off"),
    ],
)
def test_how_a_run_ended(client: TestClient, runs: Path, end: str, state: str) -> None:
    make_run(runs / "b", end=end)
    assert listed(client)["b"]["state"] == state


def test_a_run_is_running_as_long_as_something_writes_into_it(client: TestClient, runs: Path) -> None:
    code = "import sys\nfrom pathlib import Path\nfrom steadygan.claim import writer\n"
    code += "with writer(Path(sys.argv[1])):\n    print('in', flush=True)\n    sys.stdin.read()"
    command = [sys.executable, "-c", code, str(runs / "a")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"in\n"
        assert listed(client)["a"]["state"] == "running"
        found = holder(runs / "a")
        assert found is not None
        assert found.pid == other.pid
        other.kill()
    assert (runs / "a" / ".steadygan.lock").exists(), "as a killed process leaves it"
    assert holder(runs / "a") is None
    assert listed(client)["a"]["state"] == "finished"


def test_a_lock_that_names_a_process_which_does_not_hold_it_names_none(runs: Path) -> None:
    with writer(runs / "a"):
        assert holder(runs / "a").pid == os.getpid()  # type: ignore[union-attr]
        lock = runs / "a" / ".steadygan.lock"
        lock.write_text(lock.read_text().replace(str(os.getpid()), "1"))
        assert holder(runs / "a").pid is None  # type: ignore[union-attr]
        lock.write_text(" 99999999999999999999 " + "x" * 100_000)
        assert holder(runs / "a").pid is None  # type: ignore[union-attr]


def test_a_damaged_folder_is_told_of_and_hides_no_other(client: TestClient, runs: Path) -> None:
    for name, text in {"b": "{", "c": "[" * 100_000, "d": '{"config": 3}', "e": "null", "f": '{"seed": NaN}'}.items():
        make_run(runs / name)
        (runs / name / "run.json").write_text(text)
    make_run(runs / "g")
    (runs / "g" / "log.jsonl").write_text("{\n" + "[" * 50_000 + "\n" + lines(tick(8)) + '{"step": 1e9999}\n{"step":')
    (runs / "g" / "notes.jsonl").write_bytes(b"\xff\x00\n\n{}")
    (runs / "g" / "scores.jsonl").write_text(lines(score(8, float("nan")), score(8, float("inf"), "p")))
    found = listed(client)
    assert {found[name]["state"] for name in "bcdef"} == {"broken"}
    assert all("run.json" in str(found[name]["wrong"]) for name in "bcdef")
    assert found["g"]["images"] == 8
    assert found["g"]["score"]["value"] is None  # type: ignore[index]
    assert found["a"]["state"] == "finished"
    assert client.get("/").status_code == 200


def test_a_run_json_without_end_is_not_read(client: TestClient, runs: Path) -> None:
    with (runs / "a" / "run.json").open("r+b") as file:
        file.truncate(20_000_000_000)
    assert "no run.json is so large" in str(listed(client)["a"]["wrong"])


def test_numbers_beyond_all_measure_are_shown(client: TestClient, runs: Path) -> None:
    info = {"config": {"budget": {"images": 10**400, "minutes": "x", "steps": -1}}}
    make_run(runs / "b", info=info)
    (runs / "b" / "log.jsonl").write_text(lines(tick(2**53, step=10**9, seconds=1e300)))
    assert listed(client)["b"]["images"] == 2**53


def test_hostile_names_are_text(client: TestClient, runs: Path) -> None:
    folder = HOSTILE.replace("/", "")
    data = {"source": HOSTILE, "digest": HOSTILE, "spec": {"size": 4, "channels": 1}}
    make_run(runs / folder, info={"recipe": HOSTILE, "data": data})
    (runs / folder / "notes.jsonl").write_text(lines({"step": 1, "images": 1, "author": "user", "text": HOSTILE}))
    text = client.get("/").text
    assert "<img" not in text
    assert text.count("<script") == 3
    assert listed(client)[folder]["recipe"] == HOSTILE
    os.symlink("/etc", runs / HOSTILE.replace("/", "")[:40])
    assert "<img" not in client.get("/").text


def test_names_that_are_no_text_are_shown_all_the_same(client: TestClient, runs: Path) -> None:
    make_run(Path(os.fsdecode(os.fsencode(runs) + b"/caf\xe9\xe2\x80\xae")))
    assert client.get("/").status_code == 200
    assert len(listed(client)) == 2


def test_runs_of_a_study_are_found_but_not_what_lies_outside(client: TestClient, runs: Path, tmp_path: Path) -> None:
    make_run(runs / "study" / "arm" / "seed-1")
    make_run(tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", runs / "link")
    os.symlink(runs, runs / "study" / "circle")
    make_run(runs / "a" / "samples" / "inner")
    assert set(listed(client)) == {"a", "study/arm/seed-1"}
    assert "<code>link</code>" in client.get("/").text
    assert client.get(f"/runs/{id_of(tmp_path / 'elsewhere')}/newest.webp").status_code == 404


def test_ids_are_opaque_and_the_same_after_a_restart(runs: Path, a: str) -> None:
    assert list(Studio(runs).runs()) == list(Studio(str(runs) + "/../runs").runs()) == [a]
    assert len(a) == 12
    assert set(a) <= set("0123456789abcdef")


@pytest.mark.parametrize("run", ["..", "a", "%2e%2e", "0" * 12, "a%2f..%2f..", "%00"])
def test_only_ids_name_runs(client: TestClient, run: str) -> None:
    assert client.get(f"/runs/{run}/newest.webp").status_code == 404


def test_the_newest_picture_is_small_and_asked_for_once(client: TestClient, runs: Path, a: str) -> None:
    Image.new("RGB", (1600, 800)).save(runs / "a" / "samples" / "000002000.png")
    Image.new("RGB", (8, 8)).save(runs / "a" / "samples" / "random-000009000.png")
    answer = client.get(f"/runs/{a}/newest.webp")
    assert Image.open(io.BytesIO(answer.content)).size == (360, 180)
    again = client.get(f"/runs/{a}/newest.webp", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_run_without_pictures_has_none_and_that_is_no_error(client: TestClient, runs: Path, a: str) -> None:
    for file in (runs / "a" / "samples").iterdir():
        file.unlink()
    answer = client.get(f"/runs/{a}/newest.webp")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_picture_that_is_none_or_lies_elsewhere_is_not_shown(
    client: TestClient, runs: Path, a: str, tmp_path: Path
) -> None:
    samples = runs / "a" / "samples"
    (samples / "000009000.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50)
    assert client.get(f"/runs/{a}/newest.webp").status_code == 404
    Image.new("RGB", (8, 8)).save(tmp_path / "private.png")
    (samples / "000009000.png").unlink()
    os.symlink(tmp_path / "private.png", samples / "000009500.png")
    answer = client.get(f"/runs/{a}/newest.webp")
    assert Image.open(io.BytesIO(answer.content)).size == (32, 32), "that of the run itself"
    for file in samples.iterdir():
        file.unlink()
    samples.rmdir()
    (tmp_path / "other").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "other" / "000000100.png")
    os.symlink(tmp_path / "other", samples)
    assert client.get(f"/runs/{a}/newest.webp").content == b""


def test_a_folder_that_is_not_there_yet_says_how_to_begin(client: TestClient, studio: Studio, tmp_path: Path) -> None:
    studio.folder = tmp_path / "not-yet"
    text = client.get("/").text
    assert "steadygan train photos/" in text
    assert "There is no folder" in text
    studio.folder.mkdir()
    assert "There is no run in" in client.get("/").text
    make_run(studio.folder / "first")
    assert set(listed(client)) == {"first"}


def test_the_folder_of_one_run_is_a_list_of_one(client: TestClient, studio: Studio, runs: Path) -> None:
    studio.folder = runs / "a"
    assert set(listed(client)) == {"a"}


def test_the_list_sees_what_changes(client: TestClient, runs: Path) -> None:
    assert listed(client)["a"]["images"] == 1200
    with (runs / "a" / "log.jsonl").open("a") as file:
        file.write(lines(tick(1600)) + json.dumps(tick(2000))[:-5])
    assert listed(client)["a"]["images"] == 1600


def test_a_link_that_leads_nowhere_hides_no_run(client: TestClient, runs: Path) -> None:
    (runs / "circle").symlink_to("circle")
    assert list(listed(client)) == ["a"]


def test_a_picture_with_a_name_that_no_system_takes_is_not_there(client: TestClient, a: str) -> None:
    assert client.get(f"/runs/{a}/samples/{'0' * 300}.png").status_code == 404
