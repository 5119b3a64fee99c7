"""The Turing test over HTTP: nothing tells the truth before the end, whatever a browser looks at."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason='needs the studio: pip install "steadygan[studio]"')
from starlette.testclient import TestClient

from browser.pages import HOSTILE
from judged import choice, make_test, take
from steadygan.turing.folder import TuringFolder, TuringTest
from steadygan.turing.outcome import Verdict
from steadygan.web.app import create_app
from steadygan.web.studio import Studio, id_of

OTHER = {"left": "right", "right": "left", "real": "fake", "fake": "real"}
KINDS = ("pairs", "sheets", "letters")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[TestClient]:
    """A browser with a page of the studio, over a folder with the run a."""
    studio = Studio(tmp_path, token="secret")
    for kind in KINDS:
        make_test(tmp_path / "a", kind, 1 if kind == "letters" else 3)
    headers = {"X-Studio-Token": "secret"}
    app = create_app(studio)
    with TestClient(app, "http://127.0.0.1:8765", raise_server_exceptions=False, headers=headers) as client:
        yield client


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"/runs/{id_of(tmp_path / 'a')}/turing"


def folder_of(tmp_path: Path, kind: str) -> TuringFolder:
    return TuringFolder(tmp_path / "a" / "turing" / f"{kind}-01")


def give(site: TestClient, address: str, rater: str, folder: TuringFolder, right: bool = True) -> dict[str, Any]:
    """Answer what comes next, as the page does; the next state."""
    state = site.get(f"/api{address}", params={"rater": rater}).json()
    answers = {one["number"]: choice(folder, one["number"], right) for one in state["questions"]}
    answer = site.post(f"/api{address}/answers", json={"rater": rater, "answers": answers, "seconds": 3})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", KINDS)
def test_a_test_is_taken_from_its_beginning_to_its_result(
    kind: str, site: TestClient, place: str, tmp_path: Path
) -> None:
    folder, address = folder_of(tmp_path, kind), f"{place}/{kind}-01"
    state = site.get(f"/api{address}", params={"rater": " Ada "}).json()
    assert state["rater"] == "Ada"
    done = [0]
    while state["questions"]:
        state = give(site, address, "Ada", folder)
        done.append(state["done"])
    assert done == list(range(0, state["most"] + 1, 4 if kind == "sheets" else 1))
    assert state["open"]
    result = site.get(f"{address}/result")
    assert result.status_code == 200
    assert f"{state['most']} of {state['most']}" in result.text
    file = site.get(f"/api{address}/result")
    assert file.headers["content-disposition"] == f'attachment; filename="a-{kind}-01.json"'
    assert Verdict.model_validate_json(file.text).result.right == state["most"]


def told(site: TestClient, place: str, kind: str) -> list[tuple[Any, ...]]:
    """All that a browser can ask for in the middle of a test, but for the pictures: bodies and headers."""
    address = f"{place}/{kind}-01"
    addresses = [place, f"/api{place}", address, f"{address}/result", f"/api{address}/result", f"{address}/test.json"]
    addresses += [f"{address}/pictures/test.json", f"{address}/pictures/0000000000000000.png"]
    addresses += [f"/api{address}?rater={rater}" for rater in ("Ada", "Bo", "Cy")]
    asked = [site.get(one) for one in addresses]
    return [(answer.status_code, answer.text, sorted(answer.headers.multi_items())) for answer in asked]


@pytest.mark.parametrize("kind", ["pairs", "sheets"])
def test_if_all_truths_were_the_other_way_round_a_browser_would_be_told_the_same(
    kind: str, site: TestClient, place: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, kind)
    for rater, screens in (("Ada", 1), ("Bo", 2)):
        for _ in range(screens):
            numbers = folder.next_screen(rater)
            folder.give(rater, dict.fromkeys(numbers, folder.test.questions[0].choices[0]), 1.0)
    before, test = told(site, place, kind), folder.test
    tree = json.loads(test.model_dump_json())
    tree["reals"], tree["fakes"] = tree["fakes"], tree["reals"]
    for question in tree["questions"]:
        question["truth"] = OTHER[question["truth"]]
        if kind == "pairs":
            question["real"], question["fake"] = question["fake"], question["real"]
    (folder.path / "test.json").write_text(json.dumps(tree))
    turned = TuringFolder(folder.path).test
    assert turned != test
    assert [turned.shown(one) for one in turned.questions] == [test.shown(one) for one in test.questions]
    assert told(site, place, kind) == before
    assert all(answer[0] in (200, 404, 409) for answer in before)


def chunks(content: bytes) -> list[tuple[bytes, int]]:
    """Kinds and lengths of the chunks of a PNG."""
    found, at = [], 8
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        found.append((kind, length))
        at += length + 12
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_has_the_size_the_chunks_and_the_headers_of_any_other(
    kind: str, site: TestClient, place: str, tmp_path: Path
) -> None:
    test = folder_of(tmp_path, kind).test
    seen = set()
    for name in [*list(test.reals.values())[:5], *list(test.fakes.values())[:5]]:
        answer = site.get(f"{place}/{kind}-01/pictures/{name}.png")
        assert answer.status_code == 200
        assert {"etag", "last-modified"} & set(answer.headers) == set()
        seen.add((str(sorted(answer.headers.multi_items())), len(answer.content), str(chunks(answer.content))))
    assert len(seen) == 1


def test_the_next_question_says_what_there_is_to_see_and_no_more(site: TestClient, place: str) -> None:
    for kind, names in (("pairs", {"number", "pictures"}), ("letters", {"number", "pictures"})):
        state = site.get(f"/api{place}/{kind}-01", params={"rater": "Ada"}).json()
        assert all(set(one) == names for one in state["questions"])
        most = {"kind", "rater", "size", "done", "most", "ended", "open", "questions", "choices"}
        assert set(state) == most


def test_the_result_waits_for_whoever_began_or_for_the_end(site: TestClient, place: str, tmp_path: Path) -> None:
    folder, address = folder_of(tmp_path, "pairs"), f"{place}/pairs-01"
    take(folder, "Ada")
    take(folder, "Bo", screens=1)
    waiting = site.get(f"{address}/result")
    assert "not open yet" in waiting.text
    assert "Bo: 1 of 3" in waiting.text
    refused = site.get(f"/api{address}/result")
    assert (refused.status_code, list(refused.json())) == (409, ["error"])
    assert site.post(f"/api{address}/end", json={"end": True}).json() == {"ended": True}
    assert "Bo (2 left)" in site.get(f"{address}/result").text
    late = site.post(f"/api{address}/answers", json={"rater": "Bo", "answers": {"0": "left"}, "seconds": 1})
    assert (late.status_code, late.json()["error"][:18]) == (400, "this test has ende")
    assert "This test has ended" in site.get(address).text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "what was sent"),
        (b"[1]", "what was sent"),
        (b'{"rater": "Ada", "answers": {"x": "left"}, "seconds": 1}', "answers.x"),
        (b'{"rater": "Ada", "answers": {"0": "left"}, "seconds": NaN}', "seconds"),
        (b'{"rater": "Ada", "answers": {"0": "left"}, "seconds": -1}', "seconds"),
        (b'{"rater": " ", "answers": {"0": "left"}, "seconds": 1}', "say who answers"),
        (b'{"rater": "Ada", "answers": {"77": "left"}, "seconds": 1}', "load the page again"),
        (b'{"rater": "Ada", "answers": {}, "seconds": 1, "truth": 1}', "truth"),
    ],
)
def test_what_is_no_answer_is_refused_in_one_line(body: bytes, said: str, site: TestClient, place: str) -> None:
    answer = site.post(f"/api{place}/pairs-01/answers", content=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_picture_that_was_changed_or_is_a_link_to_something_else_is_not_shown(
    site: TestClient, place: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, "pairs")
    first, second, third = list(folder.test.digests)[:3]
    secret = tmp_path / "secret.txt"
    secret.write_text("secret text")
    folder.picture(first).unlink()
    folder.picture(first).symlink_to(secret)
    folder.picture(second).write_bytes(b"other")
    folder.picture(third).unlink()
    answers = [site.get(f"{place}/pairs-01/pictures/{name}.png") for name in (first, second, third)]
    assert [answer.status_code for answer in answers] == [409, 409, 404]
    assert not any("secret text" in answer.text for answer in answers)


@pytest.mark.parametrize("text", ["", "[" * 50_000, "{}", '{"kind": "pairs", "seed": 1e999}'])
def test_a_damaged_test_breaks_neither_the_list_nor_the_others(
    text: str, site: TestClient, place: str, tmp_path: Path
) -> None:
    (folder_of(tmp_path, "pairs").path / "test.json").write_text(text)
    listed = site.get(f"/api{place}").json()["tests"]
    assert {one["name"]: bool(one["wrong"]) for one in listed} == {
        "pairs-01": True, "sheets-01": False, "letters-01": False,
    }  # fmt: skip
    assert site.get(place).status_code == 200
    assert site.get(f"{place}/pairs-01").status_code == 404
    assert site.get(f"{place}/sheets-01").status_code == 200


def test_hostile_names_stay_text(site: TestClient, place: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "pairs")
    tree = json.loads(folder.test.model_dump_json()) | {"data": HOSTILE, "run": HOSTILE}
    (folder.path / "test.json").write_text(json.dumps(tree))
    rater = "<img src=x onerror=alert(1)>"
    take(TuringFolder(folder.path), rater)
    for address in (place, f"{place}/pairs-01", f"{place}/pairs-01/result"):
        page = site.get(address)
        assert page.status_code == 200
        assert rater not in page.text
        assert HOSTILE not in page.text


def test_a_new_test_is_begun_as_a_process(
    site: TestClient, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    class Job:
        id = "1-1"

    def start(_: object, what: str, arguments: list[str], about: str = "") -> Job:
        started.append((what, arguments, about))
        return Job()

    monkeypatch.setattr("steadygan.web.processes.Processes.start", start)
    answer = site.post(f"/api{place}", json={"kind": "sheets", "number": 2})
    assert (answer.status_code, answer.json()) == (202, {"job": "1-1"})
    run = str((tmp_path / "a").resolve())
    assert started == [("turing", ["turing", run, "--sheets", "2", "--no-open"], id_of(tmp_path / "a"))]
    for body in ({"kind": "x", "number": 2}, {"number": 0}, {"number": 10**9}):
        assert site.post(f"/api{place}", json=body).status_code == 400
    assert len(started) == 1


def test_what_changes_something_needs_the_token(site: TestClient, place: str) -> None:
    for address in (f"/api{place}", f"/api{place}/pairs-01/answers", f"/api{place}/pairs-01/end"):
        assert site.post(address, json={}, headers={"X-Studio-Token": "guess"}).status_code == 403


def test_what_the_helper_makes_is_a_test(tmp_path: Path) -> None:
    assert isinstance(make_test(tmp_path / "b").test, TuringTest)
