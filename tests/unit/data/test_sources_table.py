from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from steadygan.data.sources.opening import Listing, list_items, open_source
from steadygan.data.sources.table import Table
from steadygan.errors import ConfigError, DataError

BUFFER = io.BytesIO()
Image.new("L", (4, 4)).save(BUFFER, "PNG")


@pytest.fixture(autouse=True)
def _images(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "sub/c.png", "with, comma.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(BUFFER.getvalue())


def table(folder: Path, text: str | bytes, name: str = "table.csv") -> Path:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder / name


def listed(path: Path, query: str = "") -> Listing:
    source = open_source(f"{path}{query}")
    assert isinstance(source, Table)
    return list_items([source])


def labels(listing: Listing) -> dict[str, str | None]:
    return {item.name: item.label for item in listing.items}


CAT_DOG = {"a.png": "cat", "b.png": "dog"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "path,label\na.png,cat\nb.png,dog\n"),
        ("t.csv", "\ufeffFilename,Class\r\na.png,cat\r\nb.png,dog\r\n"),
        ("t.csv", "label;Image Path\ncat;a.png\ndog;b.png"),
        ("t.csv", 'file_name|"target"\n"a.png"|"cat"\n\n./b.png|dog\n'),
        ("t.tsv", "y\timg\ncat\ta.png\ndog\tb.png\n"),
        ("t.csv", "id,category\na.png,cat\nb.png,dog\n"),
        ("t.csv", "a.png,cat\nb.png,dog\n"),
        ("T.CSV", "path,label\nsub\\..\\a.png,cat\nb.png,dog\n"),
        ("t.jsonl", '{"file": "a.png", "label": "cat"}\n\n{"label": "dog", "file": "b.png"}\r\n'),
        ("t.csv", "file,image,label\nx,a.png,cat\ny,b.png,dog\n"),
    ],
)
def test_the_columns_of_paths_and_labels_are_found_by_name(name: str, text: str, tmp_path: Path) -> None:
    listing = listed(table(tmp_path, text, name))
    assert labels(listing) == CAT_DOG
    assert listing.problems == ()
    for item in listing.items:
        with item.open() as stream:
            assert stream.read() == BUFFER.getvalue()


def test_columns_can_be_said(tmp_path: Path) -> None:
    path = table(tmp_path, "left,right,one,label\na.png,b.png,cat,x\nb.png,a.png,dog,y\n")
    assert labels(listed(path, "?image=left&label=one")) == CAT_DOG
    assert labels(listed(path, "?image=right&label=")) == {"a.png": None, "b.png": None}
    assert labels(listed(path, "?image=LEFT")) == {"a.png": "x", "b.png": "y"}


def test_quotes_folders_absolute_paths_and_numbers_are_understood(tmp_path: Path) -> None:
    rows = f'"with, comma.png",1.0,"say ""x"""\nsub/c.png,2.0,007\n{tmp_path / "b.png"},1.0,3\n'
    listing = listed(table(tmp_path, f"path,label,note\n{rows}"))
    assert labels(listing) == {"b.png": "1", "sub/c.png": "2", "with, comma.png": "1"}
    assert [item.attributes for item in listing.items] == [{"note": 3}, {"note": "007"}, {"note": 'say "x"'}]


def test_all_other_columns_become_attributes(tmp_path: Path) -> None:
    listing = listed(table(tmp_path, "path,age,height,name,gap\na.png,-3,1.5e2,Ann,\nb.png,4,nan,Bob,x\n"))
    first, second = (dict(item.attributes) for item in listing.items)
    assert first == {"age": -3, "height": 150.0, "name": "Ann"}
    assert isinstance(first["age"], int)
    assert isinstance(first["height"], float)
    assert second == {"age": 4, "height": "nan", "name": "Bob", "gap": "x"}
    rows = [{"path": "a.png", "ok": True, "list": [1], "none": None, "size": 2.5}]
    listing = listed(table(tmp_path, "\n".join(map(json.dumps, rows)), "t.jsonl"))
    assert listing.items[0].attributes == {"ok": 1, "size": 2.5}


def test_a_column_of_measurements_is_no_label_unless_said(tmp_path: Path) -> None:
    path = table(tmp_path, "path,target\na.png,0.5\nb.png,1.25\n")
    listing = listed(path)
    assert labels(listing) == {"a.png": None, "b.png": None}
    assert listing.items[0].attributes == {"target": 0.5}
    assert labels(listed(path, "?label=target")) == {"a.png": "0.5", "b.png": "1.25"}


def test_class_folders_count_where_a_table_has_no_labels_unless_that_is_said(tmp_path: Path) -> None:
    for name in ("cat/1.png", "dog/2.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(BUFFER.getvalue())
    path = table(tmp_path, "path\ncat/1.png\ndog/2.png\n")
    assert labels(listed(path)) == {"cat/1.png": "cat", "dog/2.png": "dog"}
    assert labels(listed(path, "?label=")) == {"cat/1.png": None, "dog/2.png": None}


def test_files_that_are_missing_are_named_with_their_line(tmp_path: Path) -> None:
    text = "path,label\na.png,x\n\nlost.png,x\nb.png/c.png,x\nsub,y\nhttps://example.org/a.png,y\n\0.png,z\n"
    listing = listed(table(tmp_path, text.replace("\0.png,z\n", "")))
    assert labels(listing) == {"a.png": "x"}
    assert {problem.file: problem.reason for problem in listing.problems} == {
        "lost.png": "is listed in table.csv line 4 but does not exist",
        "b.png/c.png": "is listed in table.csv line 5 but does not exist",
        "sub": "is listed in table.csv line 6 but is no ordinary file",
        "https://example.org/a.png": "is listed in table.csv line 7 but lies on the web; download it and name the file",
    }
    listing = listed(table(tmp_path, '{"path": "a.png"}\n{"path": "x\\u0000y"}\n', "t.jsonl"))
    assert "cannot be read (embedded null byte)" in listing.problems[0].reason


def test_a_file_that_is_listed_twice_counts_once_and_two_labels_for_it_are_a_problem(tmp_path: Path) -> None:
    text = f"path,label\na.png,x\n./a.png,x\nb.png,x\n{tmp_path / 'sub'}/../a.png,x\nb.png,y\nb.png,z\n"
    listing = listed(table(tmp_path, text))
    assert labels(listing) == {"a.png": "x"}
    (problem,) = listing.problems
    assert problem.file == "b.png"
    assert problem.reason == "has two labels in table.csv: 'x' in line 4 and 'y' in line 6"


def test_a_label_that_contradicts_under_another_spelling_of_the_path_is_seen(tmp_path: Path) -> None:
    listing = listed(table(tmp_path, f"path,label\na.png,x\nb.png,x\n{tmp_path / 'a.png'},y\n"))
    assert labels(listing) == {"b.png": "x"}
    assert "has two labels in table.csv: 'x' in line 2 and 'y' in line 4" in listing.problems[0].reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,kind\na.png,cat\n", r"no column is the path of the image; it has the columns name, kind; say which as"),
        ("path,file\na.png,b.png\n", r"more than one column is the path of the image \(path, file\); it has"),
        (
            "path,label,class\na.png,1,cat\n",
            r"more than one column is the label \(label, class\); it has .*\?label=COLUMN",
        ),
    ],
)
def test_columns_that_are_not_clear_are_listed_with_the_way_to_say_them(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"^table\.csv: {words}"):
        open_source(table(tmp_path, text))


def test_a_setting_that_is_wrong_is_named(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label\na.png,x\n")
    with pytest.raises(ConfigError, match="has no column 'klass', as label=klass says; it has the columns path, label"):
        open_source(f"{path}?label=klass")
    with pytest.raises(ConfigError, match=r"table\.csv: lable: no such setting.*; its settings are image, label"):
        open_source(f"{path}?lable=klass")
    with pytest.raises(ConfigError, match="image: no such setting; it has no settings"):
        open_source(f"{tmp_path}?image=x")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"path,label\na.png,\xe9\n", r"t\.csv is not UTF-8 \(line 2, byte 0xe9\); save it as UTF-8"),
        ("t.csv", "path,label\na.png,x\n".encode("utf-16"), r"t\.csv is not UTF-8 \(line 1, byte 0xff\)"),
        ("t.csv", b"", r"t\.csv has no rows; it should list one image in each line"),
        ("t.csv", b"path,label\n", r"t\.csv has no rows"),
        ("t.jsonl", b'{"path": \n', r"t\.jsonl line 1 is no JSON object"),
        ("t.jsonl", b'["a.png"]\n', r"t\.jsonl line 1 is no JSON object"),
        ("t.csv", b"path\n" + b"x" * 200_000, r"t\.csv line 2 is no CSV \(field larger than field limit"),
        ("t.csv", b"path,label\nlost.png,x\n", r"no image in .*t\.csv that can be read: lost\.png: is listed in"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_one_line(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        open_source(table(tmp_path, content, name))


def test_a_file_whose_name_has_a_question_mark_is_a_file(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label\na.png,x\n", "what?label=x.csv")
    assert labels(listed(path)) == {"a.png": "x"}


def test_a_line_that_is_broken_or_empty_costs_only_itself_and_a_blank_label_is_no_second_one(tmp_path: Path) -> None:
    for name in "ab":
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png")
    lines = ['{"path": "a.png", "label": "cat"}', '{"path": ', '{"label": "dog"}', '{"path": "a.png", "label": ""}',
             '{"path": "b.png"}', '{"path": "b.png", "label": "dog"}']  # fmt: skip
    listing = listed(table(tmp_path, "\n".join(lines), "t.jsonl"))
    assert [(item.name, item.label) for item in listing.items] == [("a.png", "cat"), ("b.png", "dog")]
    assert {problem.file: problem.reason for problem in listing.problems} == {
        "t.jsonl line 2": 'is no JSON object; each line should be one, like {"file": …}',
        "t.jsonl line 3": "names no file",
    }
