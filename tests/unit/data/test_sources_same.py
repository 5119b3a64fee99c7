from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from steadygan.data import PrepareSettings, prepare
from steadygan.data.plan import make_plan
from steadygan.data.sources.hub import Hub, _downloaded
from steadygan.data.sources.opening import AnyFiles, Listing, list_items, open_source
from steadygan.data.sources.picture import Picture
from steadygan.data.tiles.remote import Remote
from steadygan.data.tiles.xyz import Xyz

LABELS = ("3", "7", "3", "11", "7", "3")
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 12, 12), np.uint8)
"""Six grey pictures (6, 12, 12)."""


def png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


FILES = {f"{label}/{index}.png": png(pixels) for index, (label, pixels) in enumerate(zip(LABELS, PIXELS, strict=True))}
FLAT = {f"00000/img{index:08d}.png": data for index, data in enumerate(FILES.values())}
LISTED = dict(zip(FLAT, LABELS, strict=True))


def as_folder(at: Path, files: dict[str, bytes] | None = None) -> Path:
    folder = at / "set"
    for name, data in (files or FILES).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def stylegan_notes() -> bytes:
    return json.dumps({"labels": [[name, int(label)] for name, label in LISTED.items()]}).encode()


def as_zip(at: Path, files: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(at / "set.zip", "w") as archive:
        for name, data in (files or FILES).items():
            archive.writestr(name, data)
    return at / "set.zip"


def as_tar(at: Path, files: dict[str, bytes] | None = None) -> Path:
    with tarfile.open(at / "set.tar", "w") as archive:
        for name, data in (files or FILES).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return at / "set.tar"


def packed(pack: Callable[[bytes], bytes], suffix: str) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        path = at / f"set{suffix}"
        path.write_bytes(pack(as_tar(at).read_bytes()))
        return path

    return make


def as_idx(at: Path, pack: Callable[[bytes], bytes] = bytes, suffix: str = "") -> Path:
    images = at / f"set-images-idx3-ubyte{suffix}"
    images.write_bytes(pack(struct.pack(">4B3i", 0, 0, 8, 3, *PIXELS.shape) + PIXELS.tobytes()))
    labels = at / f"set-labels-idx1-ubyte{suffix}"
    labels.write_bytes(pack(struct.pack(">4Bi", 0, 0, 8, 1, 6) + bytes(map(int, LABELS))))
    return images


def as_colour_idx(at: Path) -> Path:
    as_idx(at)
    path = at / "set-images-idx4-ubyte"
    (at / "set-images-idx3-ubyte").unlink()
    path.write_bytes(struct.pack(">4B4i", 0, 0, 8, 4, *PIXELS.shape, 3) + PIXELS[..., None].repeat(3, 3).tobytes())
    return path


def as_csv(at: Path) -> Path:
    as_folder(at, FLAT)
    with (at / "set.csv").open("w", newline="") as file:
        rows = [("path", "label"), *((f"set/{name}", label) for name, label in LISTED.items())]
        csv.writer(file).writerows(rows)
    return at / "set.csv"


def as_json_lines(at: Path) -> Path:
    as_folder(at, FLAT)
    lines = [json.dumps({"file": f"set/{name}", "class": int(label)}) for name, label in LISTED.items()]
    (at / "set.jsonl").write_text("\n".join(lines))
    return at / "set.jsonl"


def as_metadata(at: Path) -> Path:
    folder = as_folder(at, FLAT)
    lines = ["file_name,label", *(f"{name},{label}" for name, label in LISTED.items())]
    (folder / "metadata.csv").write_text("\n".join(lines))
    return folder


def table():
    pa = pytest.importorskip("pyarrow")
    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    rows = [{"bytes": data, "path": None} for data in FILES.values()]
    numbers = [("3", "7", "11").index(label) for label in LABELS]
    features = {"image": {"_type": "Image"}, "label": {"names": ["3", "7", "11"], "_type": "ClassLabel"}}
    schema = pa.schema({"image": image, "label": pa.int64()}).with_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    return pa.table({"image": pa.array(rows, image), "label": numbers}, schema=schema)


def as_parquet(at: Path) -> Path:
    content = table()
    from pyarrow import parquet

    parquet.write_table(content, at / "set.parquet", row_group_size=4)
    return at / "set.parquet"


def as_arrow(at: Path, kind: str = "new_file") -> Path:
    content = table()
    from pyarrow import ipc

    with getattr(ipc, kind)(at / "set.arrow", content.schema) as writer:
        writer.write_table(content, max_chunksize=4)
    return at / "set.arrow"


def as_shards(at: Path) -> Path:
    content = table()
    from pyarrow import parquet

    (at / "set").mkdir()
    parquet.write_table(content.slice(0, 4), at / "set" / "train-00000-of-00002.parquet")
    parquet.write_table(content.slice(4), at / "set" / "train-00001-of-00002.parquet")
    return at / "set"


FORMS: dict[str, Callable[[Path], Path]] = {
    "folder": as_folder,
    "zip": as_zip,
    "tar": as_tar,
    "tar.gz": packed(gzip.compress, ".tar.gz"),
    "tar.bz2": packed(bz2.compress, ".tar.bz2"),
    "tar.xz": packed(lzma.compress, ".tar.xz"),
    "folder of a zip": lambda at: as_zip(at).parent,
    "idx": as_idx,
    "idx.gz": lambda at: as_idx(at, gzip.compress, ".gz"),
    "idx4": as_colour_idx,
    "folder of idx": lambda at: as_idx(at, gzip.compress, ".gz").parent,
    "csv": as_csv,
    "jsonl": as_json_lines,
    "metadata.csv": as_metadata,
    "parquet": as_parquet,
    "shards": as_shards,
    "arrow file": as_arrow,
    "arrow stream": lambda at: as_arrow(at, "new_stream"),
    "StyleGAN zip": lambda at: as_zip(at, {**FLAT, "dataset.json": stylegan_notes()}),
    "StyleGAN folder": lambda at: as_folder(at, {**FLAT, "dataset.json": stylegan_notes()}),
    "StyleGAN tar": lambda at: as_tar(at, {**FLAT, "dataset.json": stylegan_notes()}),
}


class FakeHub:
    """A Hub with one data set, whose files lie in a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", self.about)
        monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(folder))

    def about(self, repo: str, **_: object) -> SimpleNamespace:
        files = [path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.parquet")]
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in files])


@pytest.fixture(autouse=True)
def _fresh_downloads() -> None:
    _downloaded.cache_clear()


def truth(listing: Listing) -> dict[str | None, list[bytes]]:
    """Pixels of each class, sorted, decoded by Pillow alone."""
    found: dict[str | None, list[bytes]] = {}
    for item in listing.items:
        with item.open() as stream, Image.open(io.BytesIO(stream.read())) as image:
            found.setdefault(item.label, []).append(image.convert("L").tobytes())
    return {label: sorted(pixels) for label, pixels in found.items()}


EXPECTED = {
    label: sorted(PIXELS[index].tobytes() for index in range(6) if LABELS[index] == label) for label in set(LABELS)
}


def prepared(sources: Sequence[AnyFiles], out: Path, workers: int) -> list[tuple[str, bytes]]:
    """What of each image ends up in the set, in an order that does not depend on names."""
    dataset = prepare(sources, out, PrepareSettings(size=12), workers)
    assert dataset.images.shape == (6, 12, 12, 1)
    assert dataset.labels is not None
    names = dataset.meta["class_names"]
    return sorted((names[k], image.tobytes()) for k, image in zip(dataset.labels, dataset.images, strict=True))


@pytest.mark.parametrize("form", FORMS)
def test_the_same_pictures_and_labels_come_out_of_every_kind_of_source(form: str, tmp_path: Path) -> None:
    source = open_source(FORMS[form](tmp_path))
    assert isinstance(source, AnyFiles)
    listing = list_items([source])
    assert (len(listing.items), listing.problems) == (6, ())
    assert truth(listing) == EXPECTED
    assert [item.key for item in list_items([source]).items] == [item.key for item in listing.items]
    alone = prepared([source], tmp_path / "alone", workers=0)
    assert alone == sorted((label, pixels.tobytes()) for label, pixels in zip(LABELS, PIXELS, strict=True))
    assert (tmp_path / "alone" / "rejected.jsonl").read_text() == ""


def test_worker_processes_read_every_kind_of_source_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steadygan.data.work._GROUP_LENGTH", 3)  # so that both processes have much to do
    sources = []
    for number, make in enumerate(FORMS.values()):
        (tmp_path / str(number)).mkdir()
        sources.append(open_source(make(tmp_path / str(number))))
    dataset = prepare(sources, tmp_path / "two", PrepareSettings(size=12), workers=2)
    assert len(dataset) == 6 * len(FORMS)
    expected = sorted(zip(LABELS, map(bytes, PIXELS), strict=True))
    found: dict[str, list[tuple[str | None, bytes]]] = {}
    for entry, image in zip(dataset.entries(), dataset.images, strict=True):
        found.setdefault(entry.file.split("/")[0], []).append((entry.label, image.tobytes()))
    assert len(found) == len(FORMS)
    assert {name: sorted(pairs) for name, pairs in found.items()} == dict.fromkeys(found, expected)


def test_a_data_set_of_the_hub_is_one_more_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeHub(as_shards(tmp_path), monkeypatch)
    source = open_source("hub:someone/digits")
    assert isinstance(source, Hub)
    assert truth(list_items([source])) == EXPECTED
    assert prepared([source], tmp_path / "zero", workers=0) == prepared([source], tmp_path / "two", workers=2)


def test_every_kind_of_source_is_among_those_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = set()
    for number, make in enumerate(FORMS.values()):
        (tmp_path / str(number)).mkdir()
        kinds.add(type(open_source(make(tmp_path / str(number)))))
    assert kinds | {Hub, Picture, Remote, Xyz} == set(get_args(AnyFiles))  # these give no six pictures


def test_sources_of_all_kinds_can_be_mixed_and_keep_labels_that_all_have(tmp_path: Path) -> None:
    sources = []
    for form in ("folder", "tar.gz", "csv", "idx", "parquet", "StyleGAN zip"):
        (tmp_path / form).mkdir()
        sources.append(open_source(FORMS[form](tmp_path / form)))
    listing = list_items(sources)
    assert {item.name.split("/")[0] for item in listing.items} == {
        "set-1", "set-2", "set-3", "set-images", "set-5", "set-6",
    }  # fmt: skip
    assert truth(listing) == {label: sorted(pixels * 6) for label, pixels in EXPECTED.items()}
    assert len({item.name for item in listing.items}) == 36
    (tmp_path / "tar").mkdir()
    plain = open_source(as_tar(tmp_path / "tar", FLAT))
    assert {item.label for item in list_items([*sources, plain]).items} == {None}


def test_a_label_that_changes_makes_another_data_set(tmp_path: Path) -> None:
    path = as_csv(tmp_path)
    before = make_plan([open_source(path)], PrepareSettings()).key
    path.write_text(path.read_text().replace("img00000000.png,3", "img00000000.png,7"))
    after = make_plan([open_source(path)], PrepareSettings()).key
    assert before != after


UNPACK = """
import sys, os, time
from pathlib import Path
from steadygan.data.sources.opening import list_items, open_source
items = list_items([open_source(sys.argv[1])]).items
print(len(items), flush=True)
sys.stdin.readline()
print(len(items[0].open().read()), flush=True)
"""


def unpacking(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", UNPACK, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def left(cache: Path) -> list[Path]:
    return [path for path in (cache / "unpacked").iterdir() if path.name != ".lock"]


def test_an_unpacked_archive_is_shared_by_processes_and_goes_with_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    path = FORMS["tar.gz"](tmp_path)
    first, second = unpacking(path), unpacking(path)
    for process in (first, second):
        assert process.stdout
        assert process.stdout.readline() == "6\n"
    (place,) = left(tmp_path / "cache")
    assert place.read_bytes() == (tmp_path / "set.tar").read_bytes()
    size = len(FILES["11/3.png"])
    for process in (first, second):
        out, _ = process.communicate("\n")
        assert (out, process.returncode) == (f"{size}\n", 0)
        assert place.exists() is (process is first)
    assert left(tmp_path / "cache") == []


def test_what_a_killed_process_unpacked_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    path = FORMS["tar.gz"](tmp_path)
    process = unpacking(path)
    assert process.stdout
    process.stdout.readline()
    process.kill()
    process.communicate()
    (leftover,) = left(tmp_path / "cache")
    leftover.with_name("x.part").write_bytes(b"half")
    (tmp_path / "b").mkdir()
    other = unpacking(FORMS["tar.xz"](tmp_path / "b"))
    assert other.stdout
    other.stdout.readline()
    assert leftover not in left(tmp_path / "cache")
    assert len(left(tmp_path / "cache")) == 1
    other.communicate("\n")
    assert left(tmp_path / "cache") == []
    assert os.listdir(tmp_path / "cache" / "unpacked") == [".lock"]


def test_what_is_known_of_the_damage_stays_as_long_as_the_file_that_another_process_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    path = FORMS["tar.gz"](tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-8] + bytes([data[-8] ^ 1]) + data[-7:])
    holder = unpacking(path)
    assert holder.stdout
    assert holder.stdout.readline() == "6\n"
    (tmp_path / "b").mkdir()
    list_items([open_source(FORMS["tar.xz"](tmp_path / "b"))])
    problems = [problem.reason for problem in list_items([open_source(path)]).problems]
    holder.communicate("\n")
    assert any("CRC check failed" in reason for reason in problems)
