from __future__ import annotations

import io
import os
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from steadygan.data import prepare
from steadygan.data.builtin import Critters
from steadygan.data.sources.archive import Zip
from steadygan.data.sources.folder import Folder
from steadygan.data.sources.labels import class_names, find_classes
from steadygan.data.sources.opening import is_missing, list_items, open_source
from steadygan.errors import ConfigError, DataError


def png(level: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (level, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def fill(folder: Path, *names: str, data: bytes | None = None) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png() if data is None else data)
    return folder


def pack(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def names(folder: Path) -> list[str]:
    return [item.name for item in list_items([Folder(path=folder)]).items]


def test_a_folder_yields_its_images_sorted_by_name_at_any_depth(tmp_path: Path) -> None:
    fill(tmp_path, "b.png", "a/z.JPG", "a/b/c.Png", "c.tiff")
    assert names(tmp_path) == ["a/b/c.Png", "a/z.JPG", "b.png", "c.tiff"]


def test_hidden_files_system_folders_and_other_documents_are_passed_over_and_counted(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", ".hidden.png", ".git/b.png", "__MACOSX/._a.png", "@eaDir/a.png")
    fill(tmp_path, "notes.TXT", "labels.csv", "more.csv", "README", data=b"words\n")
    listing = list_items([Folder(path=tmp_path)])
    assert [item.name for item in listing.items] == ["a.png"]
    assert dict(listing.passed_over) == {
        "hidden": 2, "of the system": 2, ".txt": 1, ".csv": 2, "without suffix": 1,
    }  # fmt: skip


def test_a_file_with_an_unknown_suffix_or_none_is_judged_by_its_content(tmp_path: Path) -> None:
    fill(tmp_path, "a.dat", "b", "photo.original")
    fill(tmp_path, "c.dat", data=b"no picture")
    assert names(tmp_path) == ["a.dat", "b", "photo.original"]


def test_loops_of_links_end_and_no_folder_is_read_twice(tmp_path: Path) -> None:
    root = fill(tmp_path / "root", "deep/a.png", "b.png")
    fill(tmp_path / "elsewhere", "c.png")
    fill(tmp_path, "outside.png")
    (root / "deep" / "loop").symlink_to(root)
    (root / "again").symlink_to(root / "deep")
    (root / "up").symlink_to(tmp_path)
    (root / "itself").symlink_to(root / "itself")
    (root / "more").symlink_to(tmp_path / "elsewhere")
    listing = list_items([Folder(path=root)])
    assert [item.name for item in listing.items] == ["b.png", "deep/a.png", "more/c.png"]
    assert [problem.file for problem in listing.problems] == ["itself"]
    assert dict(listing.passed_over) == {"folder linked twice": 3}


def test_what_steadygan_wrote_itself_is_not_taken_for_input(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "prepared/montage.png", "runs/a/samples/1.png")
    fill(tmp_path, "prepared/dataset.json", "prepared/images.npy", "runs/a/run.json", "runs/a/log.jsonl", data=b"{}")
    assert names(tmp_path) == ["a.png"]
    with pytest.raises(DataError, match="prepared was made by steadygan"):
        open_source(tmp_path / "prepared")


def test_a_pipe_is_passed_over_and_not_waited_for(tmp_path: Path) -> None:
    fill(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert names(tmp_path) == ["a.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow only names in UTF-8")
def test_a_name_that_is_no_utf8_can_be_read_and_written_down(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(png())
    (item,) = list_items([Folder(path=tmp_path)]).items
    assert os.fsencode(item.name) == b"caf\xe9.png"
    with item.open() as stream:
        assert stream.read() == png()


def test_a_zip_yields_what_the_unpacked_folder_does(tmp_path: Path) -> None:
    files = {
        "cat/a.png": png(1),
        "dog/b.png": png(2),
        "cat/n.txt": b"x",
        "__MACOSX/cat/._a.png": b"x",
        ".x/c.png": b"x",
    }
    source = open_source(pack(tmp_path / "set.ZIP", **files))
    assert isinstance(source, Zip)
    listing = list_items([source])
    assert [(item.name, item.label) for item in listing.items] == [("cat/a.png", "cat"), ("dog/b.png", "dog")]
    assert dict(listing.passed_over) == {"hidden": 1, "of the system": 1, ".txt": 1}
    with listing.items[1].open() as stream:
        assert stream.read() == png(2)


def test_an_archive_replaced_while_we_run_is_read_anew(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", **{"a.png": png(1)})
    before = list_items([Zip(path=path)])
    pack(path, **{"a.png": png(1), "b.png": png(2)})
    os.utime(path, (1, 1))
    after = list_items([Zip(path=path)])
    assert (len(before.items), len(after.items)) == (1, 2)


def test_several_sources_keep_their_names_apart_and_lose_labels_that_not_all_have(tmp_path: Path) -> None:
    first = Folder(path=fill(tmp_path / "x" / "pets", "cat/a.png", "dog/a.png"))
    second = Folder(path=fill(tmp_path / "y" / "pets", "cat/a.png", "owl/a.png"))
    third = Folder(path=fill(tmp_path / "flat", "a.png", "b.png"))
    both = list_items([first, second])
    assert [item.name for item in both.items][:2] == ["pets-1/cat/a.png", "pets-1/dog/a.png"]
    assert [item.label for item in both.items] == ["cat", "dog", "cat", "owl"]
    assert {item.label for item in list_items([first, third]).items} == {None}


def test_the_fingerprint_changes_with_name_size_and_time_of_a_file_and_with_nothing_else(tmp_path: Path) -> None:
    folder = fill(tmp_path / "a", "x.png", "y.png")
    os.utime(folder / "x.png", ns=(1, 1))
    os.utime(folder / "y.png", ns=(1, 1))
    found = [list_items([Folder(path=folder)]).fingerprint]
    fill(folder, "notes.txt", data=b"x")
    folder = folder.rename(tmp_path / "moved")
    assert list_items([Folder(path=folder)]).fingerprint == found[0]
    os.utime(folder / "y.png", ns=(1, 2))
    found.append(list_items([Folder(path=folder)]).fingerprint)
    (folder / "y.png").rename(folder / "z.png")
    found.append(list_items([Folder(path=folder)]).fingerprint)
    (folder / "z.png").write_bytes(png() + b"0")
    os.utime(folder / "z.png", ns=(1, 2))
    found.append(list_items([Folder(path=folder)]).fingerprint)
    assert len(set(found)) == 4


@pytest.mark.parametrize(
    ("files", "labels"),
    [
        (["a.jpg", "b.jpg"], None),
        (["cat/1.jpg", "dog/1.jpg"], ("cat", "dog")),
        (["cat/1.jpg", "dog/deep/1.jpg"], ("cat", "dog")),
        (["cat/1.jpg", "dog/1.jpg", "x.jpg"], None),
        (["cat/1.jpg", "cat/2.jpg"], None),
        (["all/cat/1.jpg", "all/dog/1.jpg"], ("cat", "dog")),
        (["all/pets/cat/1.jpg", "all/pets/dog/1.jpg"], ("cat", "dog")),
        (["train/cat/1.jpg", "train/dog/1.jpg", "test/cat/1.jpg"], ("cat", "dog", "cat")),
        (["Train/cat/1.jpg", "VAL/dog/1.jpg"], ("cat", "dog")),
        (["train/cat/1.jpg", "train/dog/1.jpg"], ("cat", "dog")),
        (["train/1.jpg", "test/1.jpg"], None),
        (["train/cat/1.jpg", "test/1.jpg"], None),
        (["train/images/1.jpg", "val/images/1.jpg"], None),
        (
            ["rome/day/1.jpg", "rome/night/1.jpg", "oslo/day/1.jpg", "oslo/night/1.jpg"],
            ("day", "night", "day", "night"),
        ),
        (["rome/day/1.jpg", "rome/night/1.jpg", "oslo/day/1.jpg"], ("rome", "rome", "oslo")),
        (["rome/day/1.jpg", "oslo/day/1.jpg"], ("rome", "oslo")),
        (["rome/day/1.jpg", "rome/1.jpg", "oslo/day/1.jpg", "oslo/1.jpg"], ("rome", "rome", "oslo", "oslo")),
    ],
)
def test_folders_are_classes_only_where_every_image_lies_in_one(
    files: list[str], labels: tuple[str, ...] | None
) -> None:
    assert find_classes(files).labels == (labels or (None,) * len(files))


def test_classes_named_by_numbers_are_in_the_order_of_the_numbers() -> None:
    assert class_names(["10", "9", "1", "9"]) == ("1", "9", "10")
    assert class_names(["10", "9", "b", "a"]) == ("10", "9", "a", "b")


def test_a_builtin_is_named_by_its_prefix() -> None:
    assert isinstance(open_source("builtin:critters"), Critters)


def test_a_missing_path_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file or folder .*nowhere; check the path"):
        open_source(tmp_path / "nowhere")


def test_a_source_without_images_says_what_is_there_instead(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    fill(tmp_path / "texts", "a.txt", "b.txt", "c.zip", data=b"x")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(DataError, match="is empty; give a folder"):
        open_source(tmp_path / "empty")
    with pytest.raises(DataError, match=r"no image in .*texts that can be read: c\.zip: .* cannot be read as a \.zip"):
        open_source(tmp_path / "texts")
    pack(tmp_path / "texts" / "c.zip", **{"d.csv": b"x"})
    with pytest.raises(DataError, match=r"only 2 \.txt, 1 \.csv; a table inside is not looked into"):
        open_source(tmp_path / "texts")
    with pytest.raises(DataError, match=r"a\.png: cannot be read \(No such file"):
        open_source(tmp_path / "broken")
    with pytest.raises(DataError, match="is empty"):
        open_source(pack(tmp_path / "e.zip"))


def test_a_single_file_that_is_no_archive_is_refused_with_the_way_out(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    fill(tmp_path, "a.tar", data=b"x" * 1000)
    with pytest.raises(DataError, match="is one image, and one image is not a set; give a folder"):
        prepare(tmp_path / "a.jpg", tmp_path / "set", workers=0)
    with pytest.raises(DataError, match="neither an image nor a readable"):
        open_source(tmp_path / "a.tar")
    with pytest.raises(DataError, match="not an ordinary file"):
        open_source("/dev/null")


def test_a_damaged_archive_is_refused_in_one_line(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", **{"a.png": png()})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02")] = 0
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.zip cannot be read as a \.zip: .*pack it again"):
        open_source(path)


def test_only_a_path_can_be_missing_and_its_settings_are_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "table.csv").touch()
    (tmp_path / "what?").touch()
    elsewhere = ["builtin:nothing", "hub:nobody/nothing", "https://nowhere/x"]
    here = [str(tmp_path / name) for name in ("table.csv", "table.csv?image=x", "what?")]
    assert [text for text in (*elsewhere, *here) if is_missing(text)] == []
    assert is_missing(tmp_path / "other.csv?image=x")
    assert is_missing(tmp_path / "nothing")
