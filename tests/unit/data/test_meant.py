"""What somebody means by a folder: which pictures, and whether the folders in it are classes."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from steadygan.data import Dataset, PrepareSettings, inspect, open_source, prepare, prepare_cached
from steadygan.data.sources.archives import Archives, prefixes
from steadygan.data.sources.columns import Columns
from steadygan.data.sources.companions import companions
from steadygan.data.sources.folder import Folder
from steadygan.data.sources.labels import How, find_classes
from steadygan.data.sources.opening import AnyFiles, Listing, list_items
from steadygan.errors import ConfigError


def png(number: int = 0) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def fill(folder: Path, *counted: tuple[str, int]) -> Path:
    """So many different pictures called `NAME` with their number in place of `{}`."""
    number = 0
    for name, count in counted:
        for index in range(count):
            path = folder / name.format(index)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(number := number + 1))
    return folder


def pack(path: Path, *counted: tuple[str, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, count in counted:
            for index in range(count):
                archive.writestr(name.format(index), png(index))
    return path


def tar(path: Path, *counted: tuple[str, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, count in counted:
            for index in range(count):
                info = tarfile.TarInfo(name.format(index))
                info.size = len(png(index))
                archive.addfile(info, io.BytesIO(png(index)))
    return path


def listed(*paths: Path, labels: How = "auto") -> Listing:
    sources = [open_source(path) for path in paths]
    return list_items([source for source in sources if isinstance(source, AnyFiles)], labels)


def counts(listing: Listing) -> dict[str | None, int]:
    return dict(Counter(item.label for item in listing.items))


def left_out(listing: Listing) -> list[str]:
    return [problem.file for problem in listing.problems if problem.left_out]


PETS = (("cat/{}.png", 10), ("dog/{}.png", 10))


def names(*counted: tuple[str, int]) -> list[str]:
    return [name.format(index) for name, count in counted for index in range(count)]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((*PETS, ("x.png", 1)), {"cat": 10, "dog": 10, None: 1}),
        ((*PETS, ("{}.png", 5)), {"cat": 10, "dog": 10, None: 5}),
        ((*PETS, ("{}.png", 6)), {None: 26}),
        ((("all/cat/{}.png", 5), ("all/dog/{}.png", 5), ("all/x.png", 1), ("y.png", 1)), {"cat": 5, "dog": 5, None: 2}),
        ((("cat/{}.png", 9), ("x.png", 1)), {None: 10}),
        ((("cat/{}.png", 9), ("dog/x.png", 1)), {"cat": 9, "dog": 1}),
        ((("cat/deep/er/{}.png", 9), ("dog/{}.png", 3), ("x.png", 1)), {"cat": 9, "dog": 3, None: 1}),
        ((("train/cat/{}.png", 8), ("train/dog/{}.png", 8), ("test/{}.png", 8)), {"cat": 8, "dog": 8, None: 8}),
        ((("train/cat/{}.png", 8), ("train/dog/{}.png", 8), ("test/{}.png", 16)), {None: 32}),
        ((("train/cat/{}.png", 8), ("val/dog/{}.png", 2), ("unlabeled/{}.png", 1)), {"cat": 8, "dog": 2, None: 1}),
        ((("train/cat/{}.png", 8), ("train/dog/{}.png", 8), ("x/{}.png", 1)), {"cat": 8, "dog": 8, None: 1}),
        (
            (("seg_train/seg_train/sea/{}.png", 5), ("seg_train/seg_train/ice/{}.png", 5),
             ("seg_test/seg_test/sea/{}.png", 1), ("seg_pred/seg_pred/{}.png", 3)),
            {"sea": 6, "ice": 5, None: 3},
        ),
        ((("training_set/Cat/{}.png", 5), ("training_set/Dog/{}.png", 5), ("test_set/cat/{}.png", 2)),
         {"Cat": 7, "Dog": 5}),
        ((("A/{}.png", 5), ("a/{}.png", 5)), {"A": 5, "a": 5}),
        ((("train/A/{}.png", 5), ("train/a/{}.png", 5), ("test/a/{}.png", 1)), {"A": 5, "a": 6}),
        ((("00000.tar/{}.png", 5), ("00001.tar/{}.png", 5)), {None: 10}),
    ],
)  # fmt: skip
def test_folders_are_classes_with_few_pictures_beside_them_and_not_with_many(
    files: tuple[tuple[str, int], ...], expected: dict[str | None, int]
) -> None:
    assert dict(Counter(find_classes(names(*files)).labels)) == expected


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ((*PETS, ("{}.png", 6)), "6 of 26 pictures lie in no class folder"),
        ((("train/cat/{}.png", 8), ("train/dog/{}.png", 8), ("test/{}.png", 16)), "16 of 32 pictures lie in no class"),
        ((("cat/{}.png", 9), ("x.png", 1)), ""),
        ((("train/{}.png", 9), ("test/{}.png", 1)), ""),
    ],
)
def test_it_is_said_where_folders_look_like_classes_and_are_none(
    files: tuple[tuple[str, int], ...], words: str
) -> None:
    refused = find_classes(names(*files)).refused
    assert refused.startswith(words)
    assert bool(refused) == bool(words)
    if words:
        assert set(find_classes(names(*files), "folders").labels) == {"cat", "dog", None}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("images/1.jpg", "images/2.jpg", "masks/1.png", "masks/2.png"), {2: "mask", 3: "mask"}),
        (("images/a/1.jpg", "labels/a/1_label.png"), {1: "mask"}),
        (("train/1.jpg", "train_masks/1_mask.gif"), {1: "mask"}),
        (("JPEGImages/1.jpg", "SegmentationClass/1.png"), {1: "mask"}),
        (("leftImg8bit/a_leftImg8bit.png", "gtFine/a_gtFine_labelIds.png"), {1: "mask"}),
        (("x/1_sat.jpg", "x/1_mask.png"), {1: "mask"}),
        (("benign (1).png", "benign (1)_mask.png", "benign (1)_mask_1.png"), {1: "mask", 2: "mask"}),
        (("a.jpg", "b.jpg", "thumbs/a.jpg", "thumbs/b.png"), {2: "thumbnail", 3: "thumbnail"}),
        (("with_mask/1.jpg", "without_mask/1.jpg"), {}),
        (("thumbs_up/1.jpg", "fist/1.jpg"), {}),
        (("masks/venice.jpg", "hats/panama.jpg"), {}),
        (("gt/1.png", "gt/2.png"), {}),
        (("my_mask.png", "other.png"), {}),
    ],
)
def test_masks_and_thumbnails_are_known_by_their_folder_or_name_and_the_picture_they_belong_to(
    files: tuple[str, ...], expected: dict[int, str]
) -> None:
    assert companions(files) == expected


def test_one_stray_picture_is_left_out_and_listed_and_the_way_to_have_it_is_said(tmp_path: Path) -> None:
    source = fill(tmp_path / "pets", *PETS, ("x.png", 1))
    dataset = prepare(source, tmp_path / "out", PrepareSettings(size=8), workers=0)
    assert dataset.meta["counts"]["classes"] == {"cat": 10, "dog": 10}
    (rejected,) = dataset.rejected()
    assert (rejected.file, rejected.left_out) == ("x.png", True)
    (said,) = (sentence for sentence in dataset.advice if "x.png" in sentence)
    assert said == (
        "x.png is left out: no label, and the others have one; "
        "--labels none (in training --set data.labels=none) uses all, without classes"
    )
    for found in (inspect(source, PrepareSettings(size=8), workers=0, page=tmp_path / "a.html"), inspect(dataset.path)):
        assert f"{'note':10} {said}" in str(found).splitlines()
        assert "20 usable, 0 rejected, 1 left out, 0 other files" in str(found)
    assert "X.png is left out: no label" in (tmp_path / "a.html").read_text()


def test_many_stray_pictures_cost_the_classes_and_it_is_said(tmp_path: Path) -> None:
    source = fill(tmp_path / "mixed", *PETS, ("{}.png", 20))
    dataset = prepare(source, tmp_path / "out", PrepareSettings(size=8), workers=0)
    assert (len(dataset), dataset.labels) == (40, None)
    said = f"{source}: 20 of 40 pictures lie in no class folder, so folders are no classes; --labels folders"
    assert any(sentence.startswith(said) for sentence in dataset.advice)
    assert f"{'note':10} {said}" in str(inspect(source, workers=0))
    assert f"{'note':10} {said}" in str(inspect(dataset.path))


def test_labels_can_be_those_of_folders_alone_or_none(tmp_path: Path) -> None:
    source = fill(tmp_path / "mixed", *PETS, ("{}.png", 20))
    assert counts(listed(source, labels="folders")) == {"cat": 10, "dog": 10}
    few = fill(tmp_path / "few", *PETS, ("x.png", 1))
    assert counts(listed(few, labels="none")) == {None: 21}
    assert left_out(listed(few, labels="none")) == []
    (few / "metadata.csv").write_text("file_name,label\ncat/0.png,tiger\ncat/1.png,lion\n")
    assert counts(listed(few, labels="folders")) == {"cat": 10, "dog": 10}
    with pytest.raises(ConfigError, match=r"labels: there are no class folders in .*flat"):
        listed(fill(tmp_path / "flat", ("{}.png", 3)), labels="folders")


def made(source: Path, labels: How) -> Dataset:
    return prepare_cached(source, PrepareSettings(size=8, labels=labels), workers=0)


def test_a_set_in_the_cache_is_found_again_only_with_the_labels_it_was_made_with(tmp_path: Path) -> None:
    source = fill(tmp_path / "pets", *PETS, ("x.png", 1))
    auto, none = made(source, "auto"), made(source, "none")
    assert (len(auto), auto.spec.classes, len(none), none.spec.classes) == (20, 2, 21, 0)
    assert auto.digest != none.digest
    assert made(source, "auto").path == auto.path != none.path


def test_masks_and_thumbnails_are_left_out_unless_folders_are_asked_for(tmp_path: Path) -> None:
    source = fill(tmp_path / "seg", ("images/{}.png", 4), ("masks/{}.png", 4), ("images/thumbs/{}.png", 4))
    listing = listed(source)
    assert counts(listing) == {None: 4}
    assert {problem.reason.split(";")[0] for problem in listing.problems} == {
        "left out: a mask of another picture", "left out: a thumbnail of another picture",
    }  # fmt: skip
    assert counts(listed(source, labels="folders")) == {"images": 8, "masks": 4}


def test_masks_in_class_folders_leave_the_classes(tmp_path: Path) -> None:
    source = fill(tmp_path, ("benign/{}.png", 3), ("benign/{}_mask.png", 3), ("normal/{}.png", 2))
    assert counts(listed(source)) == {"benign": 3, "normal": 2}
    assert len(left_out(listed(source))) == 3


def test_empty_class_folders_and_those_of_systems_and_editors_are_no_classes(tmp_path: Path) -> None:
    source = fill(tmp_path, *PETS, ("__MACOSX/cat/{}.png", 3), (".ipynb_checkpoints/{}.png", 2))
    (source / "owl").mkdir()
    assert counts(listed(source)) == {"cat": 10, "dog": 10}


def test_a_source_without_labels_beside_one_with_costs_the_classes_and_no_picture_and_it_is_said(
    tmp_path: Path,
) -> None:
    pets, flat = fill(tmp_path / "pets", *PETS, ("x.png", 1)), fill(tmp_path / "flat", ("{}.png", 3))
    listing = listed(pets, flat)
    assert counts(listing) == {None: 24}
    (note,) = listing.notes
    assert note == (
        f"{flat} has no labels, so the set has no classes though other sources have some; "
        f"--labels folders (in training --set data.labels=folders) keeps them, and leaves {flat} out"
    )
    kept = listed(pets, flat, labels="folders")
    assert counts(kept) == {"cat": 10, "dog": 10}
    assert left_out(kept) == ["flat/0.png", "flat/1.png", "flat/2.png", "pets/x.png"]


def test_a_class_of_several_sources_is_one_however_it_is_spelled(tmp_path: Path) -> None:
    other = fill(tmp_path / "b", ("Cat/{}.png", 2), ("owl/{}.png", 2))
    assert counts(listed(fill(tmp_path / "a", *PETS), other)) == {"cat": 12, "dog": 10, "owl": 2}


def test_a_table_that_leaves_few_pictures_without_a_label_leaves_those_out(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", ("{}.png", 6))
    lines = ["file_name,label", *(f"{number}.png,{'ab'[number % 2]}" for number in range(4))]
    (source / "metadata.csv").write_text("\n".join(lines))
    assert counts(listed(source)) == {"a": 2, "b": 2}
    assert left_out(listed(source)) == ["4.png", "5.png"]


def test_a_table_of_labels_beside_pictures_that_nobody_gave_is_spoken_of(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", ("{}.png", 4))
    (source / "labels.csv").write_text("image,label\n0.png,a\n1.png,b\n2.png,a\n3.png,b\n")
    (source / "other.csv").write_text("x,y\n1,2\n")
    assert listed(source).notes == (
        f"{source / 'labels.csv'} has labels of pictures here, which are not used; give it in place of the folder",
    )
    assert counts(listed(source / "labels.csv")) == {"a": 2, "b": 2}


def parquet(path: Path, count: int) -> Path:
    pa = pytest.importorskip("pyarrow", reason='needs pyarrow: pip install "steadygan[hub]"')
    from pyarrow import parquet as format_

    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": png(number), "path": None} for number in range(count)]
    format_.write_table(pa.table({"image": images, "label": [number % 2 for number in range(count)]}), path)
    return path


def test_a_cloned_data_set_is_its_columns_and_not_the_teasers_of_its_page(tmp_path: Path) -> None:
    source = fill(tmp_path / "clone", ("assets/{}.png", 3))
    (source / "README.md").write_text("# Forty pictures")
    parquet(source / "data" / "train-00000-of-00001.parquet", 40)
    assert isinstance(open_source(source), Columns)
    listing = listed(source)
    assert counts(listing) == {"0": 20, "1": 20}
    assert left_out(listing) == ["assets/0.png", "assets/1.png", "assets/2.png"]
    assert "beside columns that hold more pictures; give its folder by itself" in listing.problems[0].reason


def test_columns_beside_more_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    source = fill(tmp_path / "photos", ("{}.png", 9))
    parquet(source / "few.parquet", 2)
    listing = listed(source)
    assert len(listing.items) == 9
    assert left_out(listing) == ["few.parquet"]


def test_a_folder_of_one_archive_is_the_archive(tmp_path: Path) -> None:
    path = pack(tmp_path / "pets" / "download.zip", *PETS)
    (path.parent / "LICENSE").write_text("free")
    (path.parent / ".DS_Store").write_bytes(b"x")
    source = open_source(path.parent)
    assert isinstance(source, Archives)
    listing = list_items([source])
    assert counts(listing) == {"cat": 10, "dog": 10}
    assert [item.name for item in listing.items] == [item.name for item in listed(path).items]
    dataset = prepare(path.parent, tmp_path / "out", PrepareSettings(size=8), workers=0)
    assert dataset.meta["sources"] == [{"kind": "archives", "path": str(path.parent)}]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a.zip"], [""]),
        (["train.zip", "val.zip"], ["train", "val"]),
        (["data/train.tar.gz", "data/val.tar.gz"], ["data/train", "data/val"]),
        (["cat1.zip", "dog1.zip"], ["cat1", "dog1"]),
        (["00000.tar", "00001.tar"], ["00000.tar", "00001.tar"]),
        (["set-part1.zip", "set-part2.zip"], ["set-part1.zip", "set-part2.zip"]),
        (["x-00000-of-00002.tar", "x-00001-of-00002.tar"], ["x-00000-of-00002.tar", "x-00001-of-00002.tar"]),
        (["train-0.tar", "train-1.tar", "val-0.tar"], ["train/train-0.tar", "train/train-1.tar", "val-0"]),
        (["a/x.zip", "b/x.zip"], ["a/x", "b/x"]),
    ],
)
def test_archives_stand_for_folders_and_parts_of_one_for_none(files: list[str], expected: list[str]) -> None:
    assert prefixes(files) == expected


def test_several_archives_are_splits_classes_or_parts(tmp_path: Path) -> None:
    for split, count in (("train", 8), ("val", 2)):
        pack(tmp_path / "splits" / f"{split}.zip", ("cat/{}.png", count), ("dog/{}.png", count))
    assert counts(listed(tmp_path / "splits")) == {"cat": 10, "dog": 10}
    for kind, _ in PETS:
        pack(tmp_path / "classes" / f"{kind[:3]}.zip", ("{}.png", 5))
    assert counts(listed(tmp_path / "classes")) == {"cat": 5, "dog": 5}
    for number in range(3):
        tar(tmp_path / "shards" / f"{number:05d}.tar", ("{}.png", 5))
    assert counts(listed(tmp_path / "shards")) == {None: 15}
    for number in range(2):
        tar(tmp_path / "both" / f"{number:05d}.tar", *PETS)
    assert counts(listed(tmp_path / "both")) == {"cat": 20, "dog": 20}


def test_an_archive_beside_more_pictures_is_left_out_and_named_and_a_damaged_one_costs_itself(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", ("{}.png", 9))
    pack(photos / "old.zip", ("{}.png", 2))
    assert (len(listed(photos).items), left_out(listed(photos))) == (9, ["old.zip"])
    teasers = fill(tmp_path / "clone", ("assets/{}.png", 2))
    pack(teasers / "data" / "train.zip", ("{}.png", 9))
    (teasers / "data" / "val.zip").write_bytes(b"cut short")
    listing = listed(teasers)
    assert {item.name.rpartition("/")[0] for item in listing.items} == {"data/train"}
    assert left_out(listing) == ["assets/0.png", "assets/1.png"]
    assert "val.zip cannot be read as a .zip" in next(it.reason for it in listing.problems if it.file == "data/val")


def metadata(path: Path, *files: str) -> Path:
    rows = [{"file_name": name, "label": "ab"[index % 2], "year": index} for index, name in enumerate(files)]
    if path.suffix == ".csv":
        text = "\n".join(["file_name,label,year", *(",".join(map(str, row.values())) for row in rows)])
    else:
        text = "\n".join(map(json.dumps, rows))
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("inside", "spelled"),
    [
        ("{}.png", "{}.png"),
        ("{}.png", "images/{}.png"),
        ("{}.png", "images.zip/{}.png"),
        ("images/{}.png", "{}.png"),
        ("images/{}.png", "images/{}.png"),
        ("other/{}.png", "{}.png"),
    ],
)
@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_metadata_beside_a_zip_speaks_of_the_pictures_in_it_whichever_of_the_three_is_given(
    name: str, spelled: str, inside: str, tmp_path: Path
) -> None:
    archive = pack(tmp_path / "images.zip", (inside, 4))
    table = metadata(tmp_path / name, *names((spelled, 4)))
    for given in (tmp_path, archive, table):
        listing = listed(given)
        assert [item.label for item in listing.items] == ["a", "b", "a", "b"], given
        assert [dict(item.attributes) for item in listing.items] == [{"year": year} for year in range(4)]
        assert listing.problems == ()
        with listing.items[2].open() as stream:
            assert stream.read() == png(2)


def test_metadata_of_something_else_beside_an_archive_is_not_taken_for_its_own(tmp_path: Path) -> None:
    archive = pack(tmp_path / "photos.zip", *PETS)
    metadata(tmp_path / "metadata.csv", "sunset.jpg", "cat/0.png", "beach.jpg")
    assert counts(listed(archive)) == {"cat": 10, "dog": 10}
    assert listed(archive).problems == ()


def test_pictures_that_metadata_lists_and_the_archive_lacks_are_counted(tmp_path: Path) -> None:
    archive = pack(tmp_path / "photos.zip", ("{}.png", 4))
    table = metadata(tmp_path / "metadata.csv", *names(("{}.png", 6)))
    assert [(it.file, it.reason) for it in listed(archive).problems] == [
        ("metadata.csv", "lists 2 files that are not in photos.zip")
    ]
    assert [it.file for it in listed(table).problems] == ["4.png", "5.png"]


def test_a_table_names_pictures_in_several_archives_beside_it(tmp_path: Path) -> None:
    pack(tmp_path / "one.zip", ("a{}.png", 2))
    tar(tmp_path / "two.tar", ("b{}.png", 2))
    table = metadata(tmp_path / "any.csv", "a0.png", "b0.png", "a1.png", "two/b1.png")
    assert {item.name: item.label for item in listed(table).items} == {
        "a0.png": "a", "b0.png": "b", "a1.png": "a", "two/b1.png": "b",
    }  # fmt: skip


def test_settings_of_labels_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="labels"):
        PrepareSettings(labels="some")
    kinds: dict[str, Any] = {kind: type(open_source(fill(tmp_path / kind, ("{}.png", 2)))) for kind in ("a", "b")}
    assert set(kinds.values()) == {Folder}
