"""Who is kept out of the studio, and how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from steadygan.errors import ConfigError
from steadygan.web.app import create_app
from steadygan.web.guard import MOST, MOST_OF_A_PHOTO
from steadygan.web.studio import Studio
from unit.web.conftest import NAMED

TOKEN = {"X-Studio-Token": "secret"}


async def _taken(request: Request) -> Response:
    return Response(str(len(await request.body())))


async def _bug(request: Request) -> Response:
    raise ZeroDivisionError("<b>nothing</b>")


async def _wrong(request: Request) -> Response:
    raise ConfigError("batch is too large; give less")


def opened(studio: Studio) -> TestClient:
    app = create_app(studio)
    paths = {"/api/do": _taken, "/api/photo": _taken, "/bug": _bug, "/api/bug": _bug, "/api/wrong": _wrong}
    app.router.routes += [Route(path, act, methods=["GET", "POST", "PUT", "DELETE"]) for path, act in paths.items()]
    return TestClient(app, base_url=NAMED, raise_server_exceptions=False)


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    with opened(studio) as client:
        yield client


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "192.168.0.7"])
def test_a_name_that_is_not_this_machine_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/api/runs", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json() == {
        "error": "this studio answers only on this machine, as 127.0.0.1; start it with --share for others"
    }
    assert "secret" not in client.get("/", headers={"Host": host}).text


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:9", "[::1]:8765", "LOCALHOST"])
def test_this_machine_is_let_in_by_any_of_its_names(client: TestClient, host: str) -> None:
    assert client.get("/api/runs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:8765", "http://127.0.0.1:9999"])
def test_a_script_of_another_page_is_refused(client: TestClient, method: str, origin: str) -> None:
    assert client.request(method, "/api/do", headers=TOKEN | {"Origin": origin}).status_code == 403


def test_what_changes_something_needs_the_token_of_a_page(client: TestClient) -> None:
    for headers in (
        {},
        {"X-Studio-Token": "guess"},
        {"X-Studio-Token": "sécret"},
        {"Cookie": "steadygan-studio-8765=secret"},
    ):
        encoded = {name: value.encode() for name, value in headers.items()}
        assert client.post("/api/do", headers=encoded).status_code == 403
    assert client.post("/api/do", headers=TOKEN | {"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/api/do", headers=TOKEN | {"Origin": NAMED, "Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert client.delete("/api/do").status_code == 403


def test_a_page_holds_the_token(client: TestClient) -> None:
    assert '<meta name="studio-token" content="secret">' in client.get("/").text


def test_a_shared_studio_asks_for_its_link_once(runs: Path) -> None:
    with opened(Studio(runs, token="secret", share=True)) as client:
        named = {"Host": "workstation:8765"}
        for path in ("/", "/api/runs", "/runs/assets/x", "/?token=guess", "/?token=", "/?token=%ff"):
            assert client.get(path, headers=named).status_code == 401
            assert "secret" not in client.get(path, headers=named).text, "who is refused could read it and come again"
        assert client.get("/assets/base.css", headers=named).status_code == 200, "so that the refusal can be read"
        assert client.get("/api/runs", headers=named | {"Cookie": "steadygan-studio-8765=guess"}).status_code == 401
        first = client.get("/?token=secret", headers=named)
        assert first.status_code == 200
        assert {"HttpOnly", "SameSite=Strict"} <= set(first.headers["set-cookie"].split("; "))
        cookie = first.headers["set-cookie"].split(";")[0]
        assert cookie == "steadygan-studio-8765=secret", "one of another port stays"
        for beside in ("", 'state={"a": [1]}; bad name=1; '):  # of other programs of that machine, whatever they write
            assert client.get("/api/runs", headers=named | {"Cookie": beside + cookie}).status_code == 200
        assert client.post("/api/do", headers=named | {"Cookie": cookie}).status_code == 403


def test_who_is_refused_is_not_told_the_token(client: TestClient, runs: Path) -> None:
    with opened(Studio(runs, token="secret", share=True)) as shared:
        asked = [shared.get(path, headers={"Host": "workstation:8765"}) for path in ("/", "/nothing", "/?token=guess")]
    asked += [client.get("/", headers=headers) for headers in ({"Host": "evil.example"}, {"Origin": "http://evil"})]
    asked += [client.post("/", headers=headers) for headers in ({}, {"Content-Length": "9" * 9})]
    asked += [client.get("/bug"), client.get("/nothing")]
    for answer in asked:
        assert answer.status_code >= 400
        assert "That did not work" in answer.text
        assert "secret" not in answer.text


def test_a_studio_that_is_not_shared_gives_no_cookie(client: TestClient) -> None:
    assert "set-cookie" not in client.get("/?token=secret").headers


def test_a_body_has_a_limit_whether_it_is_announced_or_not(client: TestClient) -> None:
    assert client.post("/api/do", content=b"x" * MOST, headers=TOKEN).text == str(MOST)
    assert client.post("/api/do", content=b"x" * (MOST + 1), headers=TOKEN).status_code == 413
    parts = (b"x" * 400_000 for _ in range(3))
    answer = client.post("/api/do", content=parts, headers=TOKEN)
    assert (answer.status_code, answer.json()) == (413, {"error": "that is more than 1 MB; send less"})
    assert client.post("/api/do", headers=TOKEN | {"Content-Length": "9" * 5000}).status_code == 413
    assert client.post("/api/photo", content=b"x" * (MOST + 1), headers=TOKEN).status_code == 200
    assert client.post("/api/photo", content=b"x" * (MOST_OF_A_PHOTO + 1), headers=TOKEN).status_code == 413


@pytest.mark.parametrize("path", ["/", "/api/runs", "/assets/studio.css", "/nothing", "/bug"])
def test_every_answer_forbids_what_no_page_of_ours_does(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer"


def test_an_error_is_one_line_and_never_a_traceback(client: TestClient) -> None:
    assert client.get("/api/bug").json() == {"error": "ZeroDivisionError: <b>nothing</b> (this is a bug of the studio)"}
    page = client.get("/bug")
    assert page.status_code == 500
    assert "&lt;b&gt;nothing" in page.text
    assert "Traceback" not in page.text
    answer = client.get("/api/wrong")
    assert (answer.status_code, answer.json()) == (400, {"error": "batch is too large; give less"})
    assert client.get("/nothing").status_code == 404
    assert "error" in client.get("/api/nothing").json()


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../run.json",
        "/assets/..%2f..%2fapp.py",
        "/assets/page.html",
        "/assets/",
        "/assets/%00",
        "/assets/app.py",
    ],
)
def test_of_the_package_only_styles_and_scripts_are_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_browser_keeps_a_script_until_it_changes(client: TestClient) -> None:
    first = client.get("/assets/studio.js")
    assert first.headers["content-type"].startswith("text/javascript")
    assert client.get("/assets/studio.js", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
