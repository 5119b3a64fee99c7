from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from steadygan.data.settings import PrepareSettings, Tiles
from steadygan.data.sources.items import Item, Rejection
from steadygan.data.tiles.remote import Remote
from steadygan.data.tiles.scene import Scene
from steadygan.data.tiles.strips import cut
from steadygan.data.tiles.survey import Survey
from steadygan.data.work import Row
from steadygan.errors import DataError
from steadygan.version import __version__

rasterio = pytest.importorskip("rasterio", reason="tiles are cut with rasterio, which is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]


class Server:
    """A web server with one file at any path; `broken` says what it answers instead from now on."""

    def __init__(self, data: bytes) -> None:
        self.data, self.sent, self.ranges, self.broken = data, 0, True, 0
        self.seen: list[tuple[str, str, str]] = []
        self.fail_first = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None: ...

            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

            def answer(self, body: bool) -> None:
                wanted = self.headers.get("Range") or ""
                server.seen.append((self.command, wanted, self.headers.get("User-Agent") or ""))
                if server.broken or server.fail_first > 0:
                    server.fail_first -= 1
                    self.send_error(server.broken or 503)
                    return
                found = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted) if server.ranges else None
                start, stop = (
                    (int(found[1]), min(int(found[2]) + 1, len(server.data))) if found else (0, len(server.data))
                )
                self.send_response(206 if found else 200)
                self.send_header("Content-Length", str(stop - start))
                if found:
                    self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(server.data)}")
                self.send_header("ETag", f'"{hash(server.data)}"')
                self.end_headers()
                if body:
                    self.wfile.write(server.data[start:stop])
                    server.sent += stop - start

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{name}"


@pytest.fixture
def values() -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).integers(0, 256, (3, 1024, 1024)).astype(np.uint8)


@pytest.fixture
def server(tmp_path: Path, values: np.ndarray[Any, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("steadygan.data.tiles.fetch._FIRST_PAUSE", 0.01)
    monkeypatch.setitem(
        __import__("steadygan.data.tiles.raster", fromlist=["x"])._OPTIONS, "GDAL_HTTP_RETRY_DELAY", "0.01"
    )
    options = {"count": 3, "height": 1024, "width": 1024, "dtype": "uint8", "tiled": True}
    with rasterio.open(tmp_path / "x.tif", "w", driver="GTiff", blockxsize=128, blockysize=128, **options) as file:
        file.write(values)
    running = Server((tmp_path / "x.tif").read_bytes())
    yield running
    running.http.shutdown()
    running.http.server_close()


def entry(url: str) -> Item:
    (found,) = Remote(url=url).entries()
    assert isinstance(found, Item)
    return found


def scene(url: str, tiles: Tiles) -> Scene:
    (found,) = Survey(entry(url), tiles).run()
    assert isinstance(found, Scene), found
    return found


def test_only_the_needed_parts_are_fetched(server: Server, values: np.ndarray[Any, Any]) -> None:
    tiles = Tiles(side=128, stride=512)
    look = scene(server.url("part.tif"), tiles)
    assert server.sent < 200_000
    strips = cut(look, tiles, PrepareSettings())
    found = [one for strip in strips[:1] for one in strip.run()]
    assert isinstance(found[0], Row)
    np.testing.assert_array_equal(found[0].pixels, values[:, :128, :128].transpose(1, 2, 0))
    assert found[0].entry.file == "part.tif/000000_000000"
    assert server.sent < len(server.data) / 2
    assert {agent for _, _, agent in server.seen} == {f"steadygan/{__version__}"}


def test_the_identity_changes_with_the_file_on_the_server(server: Server) -> None:
    first, again = entry(server.url("id.tif")), entry(server.url("id.tif"))
    assert (first.stamp, first.size) == (again.stamp, len(server.data))
    server.data = server.data[:-1] + b"\1"
    assert entry(server.url("id.tif")).stamp != first.stamp


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.fail_first = 2
    assert entry(server.url("busy.tif")).size == len(server.data)
    look = scene(server.url("busy.tif"), Tiles())
    server.fail_first = 4
    assert all(isinstance(one, Row) for strip in cut(look, Tiles(), PrepareSettings()) for one in strip.run())


def test_a_server_without_range_requests_is_told_from_others(server: Server) -> None:
    server.ranges = False
    with pytest.raises(DataError, match=r"no range requests.*download it"):
        entry(server.url("whole.tif"))


@pytest.mark.parametrize(("code", "said"), [(404, "is not there"), (403, "may not be read"), (500, "HTTP 500")])
def test_what_a_server_refuses_is_said(server: Server, code: int, said: str) -> None:
    server.broken = code
    with pytest.raises(DataError, match=said):
        entry(server.url(f"{code}.tif"))


def test_a_server_that_is_not_there(server: Server) -> None:
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(DataError, match="does not answer"):
        entry(server.url("gone.tif"))


@pytest.mark.parametrize("how", ["refuses", "cut short"])
def test_a_server_that_stops_half_way_ends_the_work(
    server: Server, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    tiles = Tiles(side=128)
    look = scene(server.url(f"{how[:3]}.tif"), tiles)
    strips = cut(look, tiles, PrepareSettings())
    assert all(isinstance(one, Row) for one in strips[0].run())
    if how == "refuses":
        server.broken = 500
    else:
        server.data = server.data[: len(server.data) // 2]
    with pytest.raises(DataError, match=r"\.tif cannot be read .*try again"):
        for strip in strips[1:]:
            strip.run()
    assert capfd.readouterr() == ("", "")


def test_a_web_page_in_place_of_an_image_is_a_rejection(server: Server) -> None:
    server.data = b"<!DOCTYPE html><html>please log in</html>"
    (found,) = Survey(entry(server.url("page.tif")), Tiles()).run()
    assert isinstance(found, Rejection)
    assert "web page" in found.reason


def test_passwords_and_keys_are_not_written_down() -> None:
    source = Remote(url="https://me:pass@host.org/a/b%20c.tif?X-Amz-Signature=abc&layer=7&api_key=xyz")
    assert (source.name, source.file) == ("b c", "b c.tif")
    assert source.model_dump()["url"] == "https://host.org/a/b%20c.tif?X-Amz-Signature=…&layer=7&api_key=…"
    assert source.url.endswith("xyz")


@pytest.mark.parametrize("url", ["ftp://host/x.tif", "file:///etc/passwd", "/vsicurl/x", "http://", "x.tif"])
def test_only_web_addresses_are_taken(url: str) -> None:
    with pytest.raises(ValidationError, match="http"):
        Remote(url=url)
