from __future__ import annotations

import email.utils
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from steadygan.data.sources.items import Item, Rejection
from steadygan.data.tiles.fetch import Polite, retry_after
from steadygan.data.tiles.mercator import quadkey, tile_place, tile_range, tile_url
from steadygan.data.tiles.strips import BLANK
from steadygan.data.tiles.xyz import MISSING, Xyz
from steadygan.errors import ConfigError, DataError
from steadygan.version import __version__

BOX = (-10.0, 40.0, 10.0, 50.0)
Answer = tuple[int, bytes, dict[str, str]]


def picture(text: str, colours: int = 256) -> bytes:
    pixels = np.random.default_rng(sum(text.encode())).integers(0, colours, (16, 16, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


class Server:
    """A tile server; `answer` says what it gives for a path."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.answer: Callable[[str], Answer] = lambda path: (200, picture(path), {})
        self.at_once = self.most_at_once = 0
        self.counting = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None: ...

            def do_GET(self) -> None:
                with server.counting:
                    server.seen.append((self.path, self.headers["User-Agent"]))
                    server.at_once += 1
                    server.most_at_once = max(server.most_at_once, server.at_once)
                code, body, headers = server.answer(self.path)
                with server.counting:
                    server.at_once -= 1
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]

    def source(self, template: str = "{z}/{x}/{y}.png", **settings: Any) -> Xyz:
        url = f"http://127.0.0.1:{self.http.server_port}/{template}"
        return Xyz(**{"url": url, "bbox": BOX, "zoom": 6, "rate": 50} | settings)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("steadygan.data.tiles.fetch._FIRST_PAUSE", 0.02)
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()


def items(source: Xyz) -> list[Item]:
    return [one for one in source.entries() if isinstance(one, Item)]


# ---- numbers of tiles; the truths are those of the OpenStreetMap wiki, Bing's documentation and mercantile's tests


def test_a_point_lies_in_the_tile_that_others_say() -> None:
    columns, rows = tile_range((-122.3322, 47.6062, -122.3321, 47.6063), 10)
    assert (list(columns), list(rows)) == ([164], [357])


def test_the_whole_world_is_all_tiles_and_edges_belong_to_one_side() -> None:
    assert [len(part) for part in tile_range((-180, -85.06, 180, 85.06), 3)] == [8, 8]
    assert [list(part) for part in tile_range((0, 0, 90, 66.51326), 2)] == [[2], [1]]
    assert [list(part) for part in tile_range((-180, -90, 180, 90), 0)] == [[0], [0]]


def test_bounds_are_those_of_mercantile() -> None:
    place = tile_place(10, 486, 332)
    assert place.crs == "EPSG:3857"
    expected = (-1017529.7205322663, 7005300.768279833, -978393.962050256, 7044436.526761846)
    assert place.bounds == pytest.approx(expected)


def test_addresses() -> None:
    assert quadkey(3, 3, 5) == "213"
    assert quadkey(0, 0, 0) == ""
    template = "https://{s}.host/{z}/{x}/{y}/{-y}/{q}"
    assert tile_url(template, 3, 3, 5, "abc") == "https://c.host/3/3/5/2/213"
    assert tile_url(template, 3, 4, 5, "abc").startswith("https://a.host")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bbox": (10, 40, -10, 50)}, "antimeridian.*10 to 180 and -180 to -10"),
        ({"bbox": (-10, 50, 10, 40)}, "south 50 is not below its north 40"),
        ({"bbox": (-190, 40, 10, 50)}, "greater than or equal to -180"),
        ({"bbox": (40, -100, 50, 10)}, "greater than or equal to -90"),
        ({"bbox": (0, 86, 1, 87)}, "85.05"),
        ({"zoom": 25}, "less than or equal to 24"),
        ({"rate": 0}, "greater than 0"),
        ({"url": "http://host/{z}/{x}.png"}, "{y}"),
        ({"url": "http://host/{z}/{x}/{Y}.png"}, "{Y} is no placeholder"),
        ({"url": "file:///etc/{z}/{x}/{y}"}, "http"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Xyz(**{"url": "http://host/{z}/{x}/{y}.png", "bbox": BOX, "zoom": 6} | wrong)


def test_keys_are_not_written_down_and_attribution_is() -> None:
    source = Xyz(url="https://host/{z}/{x}/{y}.png?key=s3cret", bbox=BOX, zoom=1, attribution="© the survey")
    dumped = source.model_dump(mode="json")
    assert dumped["url"] == "https://host/{z}/{x}/{y}.png?key=…"
    assert dumped["attribution"] == "© the survey"


# ---- fetching


def test_tiles_are_fetched_once_and_become_images(server: Server) -> None:
    source = server.source()
    steps: list[tuple[int, int]] = []
    source.download(lambda done, total: steps.append((done, total)))
    number = source.count()
    assert number == 16
    assert steps[-1] == (number, number)
    assert sorted(server.paths()) == sorted(f"/6/{x}/{y}.png" for x in range(30, 34) for y in range(21, 25))
    found = items(source)
    assert len(found) == number
    assert found[1].attributes == {"z": 6, "x": 31, "y": 21}
    assert (found[1].place, found[1].in_folders) == (tile_place(6, 31, 21), False)
    with found[1].open() as stream:
        assert stream.read() == picture("/6/31/21.png")
    source.download()
    assert len(server.seen) == number
    server.source(bbox=(-10, 40, 12, 50)).download()
    assert len(server.seen) == number + 4
    assert {agent for _, agent in server.seen} == {f"steadygan/{__version__}"}


@pytest.mark.parametrize(
    ("template", "path"),
    [("{z}/{x}/{-y}", "/6/30/42"), ("t/{q}", f"/t/{quadkey(6, 30, 21)}"), ("{s}/{z}/{x}/{y}", "/a/6/30/21")],
)
def test_all_kinds_of_addresses_are_asked_for(server: Server, template: str, path: str) -> None:
    server.source(template).download()
    assert path in server.paths()


class Clock:
    """Stands in for the module `time`: nobody sleeps, and the time passes all the same."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.turning = threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self.turning:
            self.now += seconds

    def monotonic(self) -> float:
        return self.now

    time = monotonic


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """From when on each next request was allowed, as the one before it was let go or a rest was asked for."""
    times: list[float] = []

    def watched(self: Polite, name: str, value: Any) -> None:
        times.extend([value] if name == "_next" and value else [])
        object.__setattr__(self, name, value)

    monkeypatch.setattr("steadygan.data.tiles.fetch.time", Clock())
    monkeypatch.setattr(Polite, "__setattr__", watched)
    return times


def test_no_more_requests_than_agreed_and_two_at_once(server: Server, allowed: list[float]) -> None:
    both = threading.Event()

    def answer(path: str) -> Answer:
        if server.at_once == 2:
            both.set()
        both.wait()
        return 200, picture(path), {}

    server.answer = answer
    server.source(rate=25).download()
    assert len(allowed) == len(server.seen) == 16
    assert min(np.diff(allowed)) >= 1 / 25 - 1e-9
    assert server.most_at_once == 2


def test_what_is_no_picture_is_passed_over_or_refused(server: Server) -> None:
    answers: dict[str, Answer] = {
        "/6/30/21.png": (404, b"", {}),
        "/6/31/21.png": (204, b"", {}),
        "/6/30/22.png": (200, picture("", 1), {}),
        "/6/31/22.png": (200, b"<!doctype html><html>quota</html>", {}),
        "/6/32/22.png": (400, b"", {}),
    }
    server.answer = lambda path: answers.get(path, (200, picture(path), {}))
    source = server.source()
    source.download()
    found = list(source.entries())
    assert Counter(one for one in found if isinstance(one, str)) == {MISSING: 2, BLANK: 1}
    reasons = {one.file: one.reason for one in found if isinstance(one, Rejection)}
    assert "web page" in reasons["6/31/22"]
    assert "HTTP 400" in reasons["6/32/22"]
    assert len(items(source)) == 16 - 5
    answers.clear()
    server.seen.clear()
    source.download()  # what was refused is asked for again, what does not exist is not
    assert sorted(server.paths()) == ["/6/31/22.png", "/6/32/22.png"]
    assert len(items(source)) == 16 - 3


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_gets_the_rest_it_asks_for(server: Server, code: int, allowed: list[float]) -> None:
    def answer(path: str) -> Answer:
        if path == "/6/31/21.png" and server.paths().count(path) == 1:
            return code, b"", {"Retry-After": "100"}
        return 200, picture(path), {}

    server.answer = answer
    source = server.source()
    source.download()
    assert len(items(source)) == 16
    assert max(np.diff(allowed)) >= 99
    assert len(server.seen) == 17


def test_a_server_that_wants_a_long_rest_is_left_alone(server: Server) -> None:
    server.answer = lambda path: (429, b"", {"Retry-After": "3600"})
    with pytest.raises(DataError, match=r"no request for 3,600 seconds.*goes on from here"):
        server.source().download()
    assert len(server.seen) <= 2


def test_a_download_that_broke_off_goes_on(server: Server) -> None:
    server.answer = lambda path: (200, picture(path), {}) if server.paths().index(path) < 5 else (500, b"", {})
    source = server.source()
    with pytest.raises(DataError, match=r"does not answer as it should .HTTP 500.*what was fetched is kept"):
        source.download()
    with pytest.raises(DataError, match="not all tiles have been fetched"):
        list(source.entries())
    asked = set(server.paths()[:5])
    server.seen.clear()
    server.answer = lambda path: (200, picture(path), {})
    assert "5 of them are here already" in source.estimate()
    source.download()
    assert len(server.seen) == 11
    assert not asked & set(server.paths())
    assert len(items(source)) == 16


def test_a_wrong_key_ends_it_at_once(server: Server) -> None:
    server.answer = lambda path: (403, b"", {})
    with pytest.raises(DataError, match=r"HTTP 403.*key") as problem:
        server.source("{z}/{x}/{y}?token=s3cret").download()
    assert "s3cret" not in str(problem.value)
    assert len(server.seen) <= 2


def test_many_tiles_have_to_be_confirmed(server: Server) -> None:
    source = server.source(zoom=12, rate=2)
    columns, rows = tile_range(BOX, 12)
    assert source.count() == len(columns) * len(rows) > 10_000
    with pytest.raises(ConfigError, match=f"{source.count():,} tiles of zoom 12: .* MB .* minutes .*confirmed"):
        source.download()
    with pytest.raises(ConfigError, match="are refused"):
        server.source(bbox=(-180, -80, 180, 80), zoom=20).download(confirmed=True)
    assert server.seen == []


def test_the_identity_of_a_tile_is_its_content(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = server.source()
    source.download()
    before = [(one.name, one.stamp) for one in items(source)]
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "another"))
    source.download()
    assert [(one.name, one.stamp) for one in items(source)] == before


def test_a_rest_is_given_in_seconds_or_as_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadygan.data.tiles.fetch.time", Clock())
    assert retry_after("7") == 7
    assert retry_after(email.utils.formatdate(1030, usegmt=True)) == 30
    assert [retry_after(text) for text in (None, "", "soon", "-3")] == [0, 0, 0, 0]
