"""The pages of data: what is prepared is found and shown, whatever lies there, and nothing is computed."""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steadygan.data import prepare
from steadygan.web.data_sets import _cut
from steadygan.web.studio import id_of
from tiny import draw
from unit.web.conftest import make_run

TOKEN = {"X-Studio-Token": "secret"}
SPREAD = {"edges": [0, 1], "counts": [0]}
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>\u202e'


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A set of 30 drawings, two of them there twice, and three files that are none."""
    folder = tmp_path_factory.mktemp("data")
    draw(folder / "photos" / "a", 14)
    draw(folder / "photos" / "b", 14, seed=1)
    for number in range(2):
        (folder / f"photos/b/copy{number}.png").write_bytes((folder / f"photos/a/000{number}.png").read_bytes())
    for number in range(3):
        (folder / f"photos/a/broken{number}.png").write_bytes(b"no picture")
    return prepare(folder / "photos", folder / "set", workers=0).path


@pytest.fixture
def runs(tmp_path, prepared, monkeypatch):
    """A folder of runs with one that was trained on the set, and a link to none."""
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    data = {"source": "x", "digest": "d", "count": 30, "spec": {"size": 64, "channels": 3}, "prepared": str(prepared)}
    make_run(tmp_path / "runs" / "a", info={"data": data})
    return tmp_path / "runs"


def copied(folder: Path, **changes) -> Path:
    """A set of 12 images of 8 pixels, whose `dataset.json` says something else."""
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    np.save(folder / "images.npy", pixels)
    Image.new("RGB", (9, 9)).save(folder / "montage.png")
    meta = {"format": 2, "spec": {"size": 8, "channels": 3}, "counts": {"images": 12}, "health": {"findings": []}}
    (folder / "dataset.json").write_text(json.dumps(meta | changes))
    return folder


def test_sets_of_runs_of_the_folder_and_of_the_cache_are_listed_once(client, runs, prepared, tmp_path):
    copied(runs / "mine")
    copied(tmp_path / "cache" / "datasets" / "cats-0123")
    make_run(runs / "b", info=json.loads((runs / "a" / "run.json").read_text()))
    html = client.get("/data").text
    assert re.findall(r'href="/data/(\w+)"', html)[0] == id_of(prepared)
    assert {id_of(runs / "mine"), id_of(tmp_path / "cache/datasets/cats-0123"), id_of(prepared)} == set(
        re.findall(r'href="/data/(\w+)"', html)
    )
    assert "30 images · 64×64 colour · 2 classes" in html
    assert "3 rejected · 2 runs" in html


def test_a_set_says_what_was_found_and_shows_it(client, prepared):
    html = client.get(f"/data/{id_of(prepared)}").text
    told = json.loads((prepared / "dataset.json").read_text())["health"]["findings"]
    for finding in told:
        assert f'id="{finding["check"]}"' in html
    [copies] = [one for one in told if one["check"] == "exact-duplicates"]
    for index in copies["indices"]:
        assert f"/data/{id_of(prepared)}/small/{index}.png" in html
    assert html.count("<td><code>a/broken") == 3
    assert '<a href="/runs/' in html
    assert f"/new?source={prepared.parent}/photos" in html


def test_a_picture_is_that_of_the_array(client, prepared):
    pixels = np.load(prepared / "images.npy")
    for form in ("pictures", "small"):
        got = client.get(f"/data/{id_of(prepared)}/{form}/7.png")
        assert got.headers["content-type"] == "image/png"
        assert np.array_equal(np.array(Image.open(io.BytesIO(got.content))), pixels[7])
    assert client.get(f"/data/{id_of(prepared)}/small/30.png").status_code == 404
    for index in ("-1", "x", "99999999999999999999", "1/../../x"):
        assert client.get(f"/data/{id_of(prepared)}/small/{index}.png").status_code == 404
    assert client.get(f"/data/{id_of(prepared)}/montage.png").content == (prepared / "montage.png").read_bytes()
    assert Image.open(io.BytesIO(client.get(f"/data/{id_of(prepared)}/montage.webp").content)).format == "WEBP"


def test_lists_go_on_page_by_page(client, prepared, monkeypatch):
    monkeypatch.setattr("steadygan.web.data_sets._PAGE_FILES", 2)
    monkeypatch.setattr("steadygan.web.data_sets._PAGE_PICTURES", 20)
    base = f"/data/{id_of(prepared)}"
    first, second = client.get(f"{base}/rejected").text, client.get(f"{base}/rejected?page=2").text
    assert first.count("<td><code>a/broken") == 2
    assert second.count("<td><code>a/broken") == 1
    assert 'rel="next" href="?page=2"' in first
    assert 'rel="next"' not in second
    assert client.get(f"{base}/pictures?page=2").text.count("<figure>") == 10
    assert client.get(f"{base}/findings/exact-duplicates").text.count('<div class="group">') == 2
    for wrong in ("findings/no-such", "nothing", "findings/../x"):
        assert client.get(f"{base}/{wrong}").status_code == 404
    for page in ("0", "-3", "x", "9" * 30, "²"):
        assert client.get(f"{base}/rejected?page={page}").status_code == 200


def test_the_page_that_is_wanted_or_the_nearest():
    assert _cut(range(10), 4, "3") == (3, 3, range(8, 10))
    assert _cut(range(10), 4, "99") == (3, 3, range(8, 10))
    assert _cut([], 4, "2") == (1, 1, [])


def test_where_nobody_has_looked_a_process_does_and_the_page_has_its_answer(client, studio, runs, monkeypatch):
    made = copied(runs / "old", health=None)
    base = f"/data/{id_of(made)}"
    assert "Nobody has looked" in client.get(base).text
    started = []

    def inspect(what, arguments, about="", output=None):
        started.append(arguments)
        found = [{"check": "blank", "severity": "warning", "sentence": "two are blank", "count": 2, "indices": [3, 4]}]
        answer = next(word for word in arguments if word.startswith("--json=")).removeprefix("--json=")
        Path(answer).write_text(json.dumps({"path": "x", "health": {"findings": found}}))

        class Done:
            code = None

            def told(self):
                return {"id": "1", "code": None}

        return Done()

    monkeypatch.setattr(studio.processes, "start", inspect)
    assert client.post(f"/api{base}/inspect").status_code == 403
    assert client.post(f"/api{base}/inspect", headers=TOKEN).json()["id"] == "1"
    assert started[0][:2] == ["inspect", str(made)]
    html = client.get(base).text
    assert "Two are blank." in html
    assert f"{base}/small/3.png" in html
    assert client.post(f"/api/data/{'0' * 12}/inspect", headers=TOKEN).status_code == 404


@pytest.mark.slow
def test_an_older_set_is_inspected_by_the_command_line(client, studio, runs):
    made = copied(runs / "old", health=None)
    (made / "rejected.jsonl").touch()
    full = prepare(draw(runs.parent / "p", 12), runs / "full", workers=0).path
    meta = json.loads((full / "dataset.json").read_text())
    (full / "dataset.json").write_text(json.dumps({**meta, "health": None}))
    job = client.post(f"/api/data/{id_of(full)}/inspect", headers=TOKEN).json()
    studio.processes.get(job["id"]).process.wait()
    assert studio.processes.get(job["id"]).code == 0
    assert "12 images are very few" in client.get(f"/data/{id_of(full)}").text


def remark(**changes):
    return {
        "check": "blank",
        "severity": "info",
        "sentence": HOSTILE,
        "remedy": HOSTILE,
        "indices": [0, 10**9, -1],
    } | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"health": {"findings": [remark()]}, "notes": [HOSTILE], "advice": [HOSTILE], "converted": HOSTILE},
        {"health": {"findings": [remark(groups=[[0, 1], [], [10**12]])]}},
        {
            "health": {
                "findings": [remark(captions=[HOSTILE])],
                "histograms": {HOSTILE: {"edges": [0, 1], "counts": [0]}},
            }
        },
        {"health": {"histograms": {"a": {"edges": [1e999, -1e999], "counts": [10**30]}}}},
        {"counts": {"images": 12, "classes": {HOSTILE: 0}, "rejected": 10**30}},
        {"sources": [{"kind": HOSTILE, "path": f"/{HOSTILE}\n"}]},
        {"sources": [{"kind": 3, "path": []}], "settings": {"a": HOSTILE}},
    ],
)
def test_what_a_stranger_wrote_is_shown_as_text(client, runs, changes):
    made = copied(runs / "foreign", **changes)
    (made / "index.jsonl").write_text(json.dumps({"file": HOSTILE, "label": HOSTILE}) + "\nnonsense\n\n[]\n")
    (made / "rejected.jsonl").write_text(json.dumps({"file": HOSTILE, "reason": HOSTILE}) + "\n" + "[" * 100_000 + "\n")
    base = f"/data/{id_of(made)}"
    for path in ("/data", base, f"{base}/rejected", f"{base}/pictures", f"{base}/findings/blank", "/new"):
        got = client.get(path)
        assert got.status_code in (200, 404), path
        assert "<script>alert" not in got.text
        assert "<img src=x" not in got.text
        assert "Traceback" not in got.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        '{"spec": {"size": 8, "channels": 3}}',
        '{"spec": {"size": 8, "channels": 3}, "counts": {"images": 1' + "0" * 30 + "}}",
        '{"spec": {"size": 1e999}, "counts": {"images": NaN}}',
    ],
)
def test_a_damaged_set_is_told_in_one_line_and_breaks_no_list(client, runs, prepared, text):
    made = copied(runs / "bad")
    (made / "dataset.json").write_text(text)
    data = {"source": "x", "digest": "d", "count": 1, "spec": {"size": 8, "channels": 3}, "prepared": "x" * 5000}
    make_run(runs / "b", info={"data": data})
    copied(runs / "long", sources=[{"kind": "folder", "path": "x" * 5000}])
    listed = client.get("/data")
    assert listed.status_code == 200
    assert id_of(prepared) in listed.text
    got = client.get(f"/data/{id_of(made)}")
    assert got.status_code == 404
    assert "dataset.json" in got.text
    assert "Traceback" not in got.text


def test_images_that_are_no_such_array_are_refused_without_code_being_run(client, runs, tmp_path):
    made = copied(runs / "evil")
    picture = f"/data/{id_of(made)}/small/0.png"
    assert client.get(picture).status_code == 200

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    np.save(made / "images.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    assert client.get(picture).status_code == 404
    for array in (np.zeros((12, 8, 8, 3), np.float32), np.zeros((2, 8, 8, 3), np.uint8)):
        np.save(made / "images.npy", array)
        assert client.get(picture).status_code == 404
    (made / "images.npy").unlink()
    os.mkfifo(made / "images.npy")
    assert client.get(picture).status_code == 404
    assert not (tmp_path / "ran").exists()


def test_a_montage_that_leads_out_of_its_set_is_not_shown(client, runs, tmp_path):
    made = copied(runs / "links")
    (tmp_path / "secret.png").write_bytes((made / "montage.png").read_bytes())
    (made / "montage.png").unlink()
    (made / "montage.png").symlink_to(tmp_path / "secret.png")
    for form in ("png", "webp"):
        assert client.get(f"/data/{id_of(made)}/montage.{form}").status_code == 404


def test_a_set_that_went_away_is_told(client, runs):
    for path in ("", "/montage.png", "/small/0.png", "/rejected"):
        assert client.get(f"/data/{'0' * 12}{path}").status_code == 404
    assert "no such data set" in client.get(f"/data/{'0' * 12}").text
