from __future__ import annotations

import errno
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from steadygan.data import prepare
from steadygan.data.sources.hub import Hub, _downloaded
from steadygan.data.sources.opening import list_items, open_source
from steadygan.data.tiles.remote import Remote
from steadygan.errors import ConfigError, DataError, StorageError

pa = pytest.importorskip("pyarrow", reason='needs pyarrow: pip install "steadygan[hub]"')
parquet = pytest.importorskip("pyarrow.parquet")
errors = pytest.importorskip("huggingface_hub.errors")

CONVERTED = "refs/convert/parquet"


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), level).save(buffer, "PNG")
    return buffer.getvalue()


def shard(*levels: int) -> bytes:
    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    rows = pa.array([{"bytes": png(level), "path": None} for level in levels], image)
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"image": rows, "label": [str(level % 2) for level in levels]}), buffer)
    return buffer.getvalue()


class FakeHub:
    """A Hub of files by revision; what is downloaded lies in a folder for each."""

    def __init__(self, cache: Path, **revisions: dict[str, bytes]) -> None:
        self.cache, self.revisions, self.downloaded = cache, revisions, list[str]()
        self.problem: Exception | None = None

    def dataset_info(self, repo: str, revision: str | None, timeout: float) -> SimpleNamespace:
        assert (repo, timeout > 0) == ("someone/things", True)
        if self.problem:
            raise self.problem
        if (revision or "main") not in self.revisions:
            raise refusal(errors.RevisionNotFoundError)
        return SimpleNamespace(
            siblings=[SimpleNamespace(rfilename=name) for name in self.revisions[revision or "main"]]
        )

    def snapshot_download(
        self, repo: str, repo_type: str, revision: str | None, allow_patterns: list[str], local_files_only: bool
    ) -> str:
        from huggingface_hub.utils import filter_repo_objects

        folder = self.cache / (revision or "main").replace("/", "-")
        if local_files_only:
            if not folder.exists():
                raise errors.LocalEntryNotFoundError("not there")
            return str(folder)
        if self.problem:
            raise self.problem
        files = self.revisions[revision or "main"]
        for name in filter_repo_objects(files, allow_patterns=allow_patterns):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(files[name])
            self.downloaded.append(name)
        return str(folder)


def refusal(kind: type[Exception]) -> Exception:
    """An error as the library raises it, without the answer of a server that it is usually made from."""
    error = kind.__new__(kind)
    error.args = ("refused",)
    return error


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    _downloaded.cache_clear()
    fake = FakeHub(tmp_path)
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda _, repo, **how: fake.dataset_info(repo, **how))
    monkeypatch.setattr("huggingface_hub.snapshot_download", fake.snapshot_download)
    return fake


def levels(text: str) -> list[int]:
    found = []
    for item in list_items([open_source(text)]).items:
        with item.open() as stream, Image.open(stream) as image:
            found.append(image.getpixel((0, 0)))
    return found


def test_the_parquet_files_of_the_data_set_come_first(hub: FakeHub) -> None:
    hub.revisions = {
        "main": {"README.md": b"", "data/train-00000-of-00001.parquet": shard(1, 2), "x.png": png(9)},
        CONVERTED: {"default/train/0000.parquet": shard(5)},
    }
    source = open_source("hub:someone/things")
    assert source == Hub(repo="someone/things")
    listing = list_items([source])
    assert [(item.name, item.label) for item in listing.items] == [
        ("data/train-00000-of-00001/000000", "1"), ("data/train-00000-of-00001/000001", "0"),
    ]  # fmt: skip
    assert hub.downloaded == ["data/train-00000-of-00001.parquet"]


def test_then_what_the_hub_made_of_it(hub: FakeHub) -> None:
    hub.revisions = {"main": {"x.png": png(9)}, CONVERTED: {"default/train/0000.parquet": shard(5, 6)}}
    assert levels("hub:someone/things") == [5, 6]


def test_then_its_images_and_archives(hub: FakeHub, tmp_path: Path) -> None:
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("b.png", png(8))
    notes = b"file_name,label\na.png,cat\n"
    files = {"a.png": png(7), "metadata.csv": notes, "more/set.zip": buffer.getvalue(), "model.bin": b"x" * 100}
    hub.revisions = {"main": files}
    listing = list_items([open_source("hub:someone/things")])
    assert [(item.name, item.label) for item in listing.items] == [("a.png", "cat"), ("more/set/b.png", None)]
    assert levels("hub:someone/things") == [7, 8]
    assert sorted(hub.downloaded) == ["a.png", "metadata.csv", "more/set.zip"]


def test_only_the_split_and_configuration_asked_for_are_downloaded_and_used(hub: FakeHub) -> None:
    hub.revisions = {
        "main": {
            f"{config}/{split}-0000{part}-of-00002.parquet": shard(level + part)
            for config, split, level in (("big", "train", 1), ("big", "test", 3), ("small", "train", 5))
            for part in (0, 1)
        }
    }
    assert levels("hub:someone/things?config=big&split=train") == [1, 2]
    assert len(hub.downloaded) == 2
    assert levels("hub:someone/things?config=big&split=test") == [3, 4]
    assert levels("hub:someone/things?config=big") == [3, 4, 1, 2]
    with pytest.raises(ConfigError, match=r"several configurations \(big, small\); say which as \?config=NAME"):
        open_source("hub:someone/things")
    with pytest.raises(ConfigError, match="no configuration 'huge'; there are big, small"):
        open_source("hub:someone/things?config=huge")
    with pytest.raises(ConfigError, match="no split 'val'; there are test, train"):
        open_source("hub:someone/things?config=big&split=val")


def test_a_conversion_of_a_part_is_called_a_part(hub: FakeHub) -> None:
    hub.revisions = {"main": {"x.bin": b""}, CONVERTED: {"default/partial-train/0000.parquet": shard(5)}}
    listing = list_items([open_source("hub:someone/things?split=train")])
    assert "only its first part is used" in listing.problems[0].reason


def test_a_revision_is_asked_for_and_no_conversion_of_another_taken(hub: FakeHub) -> None:
    hub.revisions = {"v1": {"a.png": png(1)}, CONVERTED: {"default/train/0000.parquet": shard(5)}}
    assert levels("hub:someone/things?revision=v1") == [1]
    with pytest.raises(ConfigError, match="has no revision 'v2'; see https://huggingface"):
        open_source("hub:someone/things?revision=v2")


def test_without_a_connection_what_was_downloaded_before_is_used(hub: FakeHub) -> None:
    hub.revisions = {"main": {"data/train-00000-of-00001.parquet": shard(1, 2)}}
    assert levels("hub:someone/things") == [1, 2]
    _downloaded.cache_clear()
    hub.problem = ConnectionError("no route to host\nand more")
    assert levels("hub:someone/things") == [1, 2]
    _downloaded.cache_clear()
    hub.cache = hub.cache / "empty"
    with pytest.raises(
        DataError, match=r"cannot be downloaded \(no route to host\) and is not whole in the cache; check"
    ):
        open_source("hub:someone/things")


@pytest.mark.parametrize(
    ("problem", "kind", "words"),
    [
        (
            refusal(errors.GatedRepoError),
            ConfigError,
            "wants its terms accepted at https://huggingface.co/datasets/some",
        ),
        (
            refusal(errors.RepositoryNotFoundError),
            ConfigError,
            "is not there, or is private; check the name, or log in",
        ),
        (refusal(errors.HFValidationError), ConfigError, "is no name on the Hub; write hub:USER/NAME"),
        (OSError(errno.ENOSPC, "full"), StorageError, "does not fit on the disk; set HF_HOME"),
        (errors.OfflineModeIsEnabled("offline mode is on"), DataError, r"cannot be downloaded \(offline mode is on\)"),
        (TimeoutError(), DataError, r"cannot be downloaded \(TimeoutError\)"),
    ],
)
def test_a_refusal_of_the_hub_is_one_line(hub: FakeHub, problem: Exception, kind: type[Exception], words: str) -> None:
    hub.problem = problem
    with pytest.raises(kind, match=f"^hub:someone/things {words}") as caught:
        open_source("hub:someone/things")
    assert "\n" not in str(caught.value)


def test_a_data_set_without_images_and_wrong_names_are_refused(hub: FakeHub) -> None:
    hub.revisions = {"main": {"a.txt": b"x"}}
    with pytest.raises(DataError, match="holds neither Parquet files nor images or archives"):
        open_source("hub:someone/things")
    for text in ("hub:", "hub:a/b/c", "hub:a b"):
        with pytest.raises(ConfigError, match="names no data set of the Hub; write hub:USER/NAME"):
            open_source(text)
    with pytest.raises(
        ConfigError, match=r"hub:a/b: splt: no such setting.*; its settings are config, split, revision"
    ):
        open_source("hub:a/b?splt=train")


def test_of_the_web_only_rasters_are_read_and_only_in_tiles(tmp_path: Path) -> None:
    assert open_source("https://example.org/a.tif") == Remote(url="https://example.org/a.tif")
    with pytest.raises(ConfigError, match=r"example\.org/a\.tif is read in parts: say with --tile how large"):
        prepare("https://example.org/a.tif", tmp_path / "set", workers=0)
    with pytest.raises(ConfigError, match="only http:// and https:// are read; download it"):
        open_source("s3://bucket/a")


FILES = {"data/train-00000-of-00001.parquet": shard(1, 2, 3)}
COMMIT = "a" * 40
REFUSED = {"gated": (403, "GatedRepo"), "missing": (404, "RepoNotFound"), "broken": (500, "")}


class Server(BaseHTTPRequestHandler):
    """As much of huggingface.co as it takes to list and download one data set."""

    def do_GET(self) -> None:
        refused = next((answer for name, answer in REFUSED.items() if name in self.path), None)
        if refused:
            self.reply(b"no", status=refused[0], headers={"X-Error-Code": refused[1], "X-Error-Message": "no"})
            return
        for name, data in FILES.items():
            if self.path.endswith(f"/resolve/{COMMIT}/{name}"):
                self.reply(data, headers={"ETag": f'"{sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT})
                return
        tree = [{"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in FILES.items()]
        siblings = [{"rfilename": name} for name in FILES]
        info = {"id": "some/thing", "sha": COMMIT, "siblings": siblings, "private": False, "gated": False}
        self.reply(json.dumps(tree if "/tree/" in self.path else info).encode(), kind="application/json")

    do_HEAD = do_GET  # noqa: N815  the name that http.server looks for

    def reply(
        self, data: bytes, status: int = 200, kind: str = "text/plain", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


ASK = """
import sys
from steadygan.data.sources.opening import list_items, open_source
from steadygan.errors import SteadyganError
for name in sys.argv[1:]:
    try:
        items = list_items([open_source(name)]).items
        print(name, len(items), sum(len(item.open().read()) for item in items))
    except SteadyganError as problem:
        print(type(problem).__name__, problem)
"""


def test_the_library_downloads_from_a_server_and_finds_it_again_offline(endpoint: str, tmp_path: Path) -> None:
    import os

    def ask(*names: str, **more: str) -> list[str]:
        environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"} | more
        command = [sys.executable, "-W", "ignore", "-c", ASK, *names]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()

    expected = f"hub:some/thing {3} {sum(len(png(level)) for level in (1, 2, 3))}"
    first, gated, missing = ask("hub:some/thing", "hub:some/gated", "hub:some/missing")
    assert first == expected
    assert gated.startswith("ConfigError hub:some/gated wants its terms accepted")
    assert missing.startswith("ConfigError hub:some/missing is not there, or is private")
    again, other = ask("hub:some/thing", "hub:some/other", HF_HUB_OFFLINE="1")
    assert again == expected
    assert other.startswith("DataError hub:some/other cannot be downloaded (")
