from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from steadygan.data.sources import shards
from steadygan.data.sources.columns import Columns
from steadygan.data.sources.folder import Folder
from steadygan.data.sources.opening import Listing, list_items, open_source
from steadygan.errors import ConfigError, DataError

pa = pytest.importorskip("pyarrow", reason='needs pyarrow: pip install "steadygan[hub]"')
ipc = pytest.importorskip("pyarrow.ipc")
parquet = pytest.importorskip("pyarrow.parquet")

IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), level).save(buffer, "PNG")
    return buffer.getvalue()


def images(*levels: int) -> Any:
    return pa.array([{"bytes": png(level), "path": f"{level}.png"} for level in levels], IMAGE)


def write(path: Path, features: dict[str, Any] | None = None, rows: int | None = None, **columns: Any) -> Path:
    table = pa.table(columns)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=rows or 1000)
    else:
        with ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=rows)
    return path


def listed(written: object) -> Listing:
    source = open_source(str(written))
    assert isinstance(source, Columns)
    return list_items([source])


def levels(listing: Listing) -> list[int]:
    found = []
    for item in listing.items:
        with item.open() as stream, Image.open(stream) as image:
            found.append(int(np.asarray(image)[0, 0]))
    return found


def labels(listing: Listing) -> list[str | None]:
    return [item.label for item in listing.items]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_rows_are_images_in_order_and_can_be_read_in_any(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"set{suffix}", rows=3, image=images(*range(100)), label=["a", "b"] * 50)
    listing = listed(path)
    assert [item.name for item in listing.items][98:] == ["set/000098", "set/000099"]
    assert labels(listing) == ["a", "b"] * 50
    assert levels(listing) == list(range(100))
    backwards = Listing(listing.items[::-7])
    assert levels(backwards) == list(range(99, -1, -7))


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), "struct"], ids=str)
def test_bytes_alone_are_images_too(kind: Any, tmp_path: Path) -> None:
    plain = images(1, 2) if kind == "struct" else pa.array([png(1), png(2)], kind)
    assert levels(listed(write(tmp_path / "set.parquet", photo=plain, width=[1, 2]))) == [1, 2]


def test_numbers_of_classes_get_the_names_that_hugging_face_notes(tmp_path: Path) -> None:
    features = {"image": {"_type": "Image"}, "species": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    path = write(tmp_path / "a.parquet", features, image=images(1, 2, 3, 4), species=[1, 0, -1, 7])
    assert labels(listed(path)) == ["dog", "cat", None, None]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([3, 10]), ["3", "10"]),
        (pa.array(["x", None]), ["x", None]),
        (pa.array(["x", "y"]).dictionary_encode(), ["x", "y"]),
        (pa.array([True, False]), ["1", "0"]),
        (pa.array([0.5, 1.5]), [None, None]),
        (pa.array([[1], [2]]), [None, None]),
    ],
    ids=str,
)
def test_labels_of_all_types_but_fractions_and_lists_are_used(column: Any, expected: list[str], tmp_path: Path) -> None:
    assert labels(listed(write(tmp_path / "a.parquet", image=images(1, 2), label=column))) == expected


def test_listing_reads_labels_and_no_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", image=images(1, 2), label=["a", "b"])
    asked = []
    batches = shards.batches

    def watched(at: Path, group: int, columns: list[str]) -> Any:
        asked.append(columns)
        return batches(at, group, columns)

    monkeypatch.setattr("steadygan.data.sources.shards.batches", watched)
    assert labels(listed(path)) == ["a", "b"]
    assert labels(listed(f"{path}?label=")) == [None, None]
    assert asked
    assert not any("image" in columns for columns in asked)


def test_a_single_large_group_of_rows_is_not_held_in_memory(tmp_path: Path) -> None:
    data = np.random.default_rng(0)
    rows = pa.array([data.bytes(1_000_000) for _ in range(120)])
    parquet.write_table(pa.table({"image": rows}), tmp_path / "a.parquet", write_batch_size=1, data_page_size=1)
    items = list_items([Columns(path=tmp_path / "a.parquet")]).items
    expected = [rows[index].as_py()[:20] for index in range(120)]
    del rows
    before, most = pa.total_allocated_bytes(), 0
    for item, start in zip(items, expected, strict=True):
        with item.open() as stream:
            assert stream.read(20) == start
        most = max(most, pa.total_allocated_bytes() - before)
    assert 1_000_000 < most < 80_000_000


def test_a_path_stands_in_for_bytes_that_are_null(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(png(7))
    rows = [{"bytes": None, "path": path} for path in ("b.png", str(tmp_path / "b.png"), "lost.png", None)] + [None]
    listing = listed(write(tmp_path / "a.parquet", image=pa.array(rows, IMAGE)))
    assert levels(Listing(listing.items[:2])) == [7, 7]
    with pytest.raises(DataError, match=r"holds no bytes but names the file lost\.png, which is not there"):
        listing.items[2].open()
    for item in listing.items[3:]:
        with pytest.raises(DataError, match="the row holds no image"):
            item.open()


def test_several_columns_of_images_or_labels_have_to_be_told_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", left=images(1, 2), right=images(3, 4), y=[1, 2], label=[3, 4])
    with pytest.raises(ConfigError, match=r"several columns of images \(left, right\); say which as \?image=COLUMN"):
        open_source(path)
    with pytest.raises(ConfigError, match=r"several columns of labels \(y, label\); say which as \?label=COLUMN"):
        open_source(f"{path}?image=left")
    listing = listed(f"{path}?image=right&label=y")
    assert (levels(listing), labels(listing)) == ([3, 4], ["1", "2"])
    with pytest.raises(ConfigError, match="has no column 'middle', as image=middle says; it has left, right, y, label"):
        open_source(f"{path}?image=middle")
    with pytest.raises(ConfigError, match="the column 'y' is int64 and holds no image files"):
        open_source(f"{path}?image=y")
    with pytest.raises(ConfigError, match="has no column 'z', as label=z says"):
        open_source(f"{path}?image=left&label=z")


def test_arrays_of_numbers_are_no_image_files_and_that_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pixels=pa.array([[1, 2], [3, 4]], pa.list_(pa.uint8())), label=[1, 2])
    with pytest.raises(
        DataError, match=r"no column of image files \(bytes\); it has pixels \(list<.*Arrays of numbers"
    ):
        open_source(path)


def test_the_folder_of_save_to_disk_is_read_without_its_caches(tmp_path: Path) -> None:
    write(tmp_path / "train" / "data-00000-of-00002.arrow", image=images(1, 2), label=["a", "b"])
    write(tmp_path / "train" / "data-00001-of-00002.arrow", image=images(3), label=["a"])
    write(tmp_path / "test" / "data-00000-of-00001.arrow", image=images(4), label=["b"])
    write(tmp_path / "train" / "cache-0123.arrow", image=images(5), label=["c"])
    write(tmp_path / ".cache" / "old.arrow", image=images(6), label=["c"])
    for name in ("dataset_dict.json", "train/state.json", "train/dataset_info.json"):
        (tmp_path / name).write_text("{}")
    listing = listed(tmp_path)
    assert [item.name for item in listing.items][:2] == [
        "test/data-00000-of-00001/000000",
        "train/data-00000-of-00002/000000",
    ]
    assert (levels(listing), labels(listing)) == ([4, 1, 2, 3], ["b", "a", "b", "a"])
    assert levels(listed(f"{tmp_path}?split=train")) == [1, 2, 3]
    with pytest.raises(ConfigError, match="has no split 'val'; there are test, train"):
        open_source(f"{tmp_path}?split=val")


def test_shards_of_a_split_are_known_by_their_names(tmp_path: Path) -> None:
    write(tmp_path / "data" / "train-00000-of-00002.parquet", image=images(1))
    write(tmp_path / "data" / "train-00001-of-00002.parquet", image=images(2))
    write(tmp_path / "data" / "test-00000-of-00001-a1b2c3.parquet", image=images(3))
    write(tmp_path / "validation" / "0000.parquet", image=images(4))
    write(tmp_path / "other.parquet", age=[1, 2])
    assert levels(listed(f"{tmp_path}?split=train")) == [1, 2]
    assert levels(listed(f"{tmp_path}?split=test")) == [3]
    assert levels(listed(f"{tmp_path}?split=validation")) == [4]
    assert dict(listed(tmp_path).passed_over) == {".parquet without images": 1}


def test_pictures_beside_columns_make_it_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", image=images(1))
    (tmp_path / "a.png").write_bytes(png(1))
    assert isinstance(open_source(tmp_path), Folder)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_damaged_shard_is_named_and_the_others_used(suffix: str, tmp_path: Path) -> None:
    write(tmp_path / f"a{suffix}", image=images(1, 2))
    (tmp_path / f"b{suffix}").write_bytes(b"no columns at all")
    listing = listed(tmp_path)
    assert levels(listing) == [1, 2]
    (problem,) = listing.problems
    assert problem.file == "b"
    assert f"cannot be read as {suffix} (" in problem.reason
    with pytest.raises(DataError, match=f"no image in .* that can be read: b: .*cannot be read as {suffix}"):
        open_source(tmp_path / f"b{suffix}")


def test_a_shard_that_changes_while_it_is_read_gives_no_wrong_pictures(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", image=images(1, 2))
    items = listed(path).items
    write(path, image=images(3, 4, 5))
    with pytest.raises(DataError, match="was changed while it was read"):
        items[0].open()


def test_a_rewritten_file_has_another_fingerprint(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", image=images(1, 2))
    before = listed(path).fingerprint
    write(path, image=images(2, 1))
    assert listed(path).fingerprint != before


def test_without_pyarrow_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", image=images(1))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        ConfigError, match=r'reading \.parquet and \.arrow needs pyarrow: pip install "steadygan\[hub\]"'
    ):
        open_source(path)
