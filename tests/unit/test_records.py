from __future__ import annotations

import json
import subprocess
import sys

import pytest

from steadygan import records
from steadygan.errors import DataError, StorageError
from steadygan.records import DatedScore, Finding, Note, Score
from steadygan.rundir import append_line, atomic_folder, atomic_path, atomic_write


def test_records_come_back_in_order(tmp_path):
    file = tmp_path / "notes.jsonl"
    for step in range(3):
        records.append(file, Note(step=step, images=step, text=f"note {step}"))
    assert [note.text for note in records.read(file, Note)] == ["note 0", "note 1", "note 2"]
    assert records.read(tmp_path / "none.jsonl", Note) == []


def test_a_line_cut_short_by_a_crash_is_passed_over_and_removed_by_the_next(tmp_path):
    file = tmp_path / "notes.jsonl"
    records.append(file, Note(step=1, text="whole"))
    with file.open("a") as handle:
        handle.write('{"step": 2, "te')
    assert len(records.read(file, Note)) == 1
    records.append(file, Note(step=3, text="after"))
    assert [note.step for note in records.read(file, Note)] == [1, 3]


def test_damage_in_the_middle_names_file_and_line(tmp_path):
    file = tmp_path / "notes.jsonl"
    append_line(file, "garbage")
    records.append(file, Note(step=3, text="after"))
    with pytest.raises(DataError, match=r"notes\.jsonl, line 1 is not a Note"):
        records.read(file, Note)


def test_later_records_are_dropped_at_a_resume(tmp_path):
    file = tmp_path / "notes.jsonl"
    for images in (10, 20, 30):
        records.append(file, Note(step=1, images=images, text="x"))
    records.keep_until(file, 20, Note)
    assert [note.images for note in records.read(file, Note)] == [10, 20]


def test_an_act_of_care_at_a_checkpoint_is_later_than_it_and_decided_again(tmp_path):
    file = tmp_path / "findings.jsonl"
    for rule in ("mode-collapse", "care-set-back"):
        records.append(file, Finding(step=1, images=20, rule=rule, severity="info", evidence="", remedy=""))
    records.keep_until(file, 20, Finding)
    assert [one.rule for one in records.read(file, Finding)] == ["mode-collapse"]
    assert Finding(step=1, rule="care-set-back", severity="info", evidence="", remedy="").act == "set back"


def test_unknown_fields_of_a_newer_version_are_kept(tmp_path):
    file = tmp_path / "notes.jsonl"
    append_line(file, '{"step": 1, "images": 5, "text": "x", "colour": "red"}')
    records.keep_until(file, 5, Note)
    assert '"colour":"red"' in file.read_text()


def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(tmp_path):
    file = tmp_path / "a.txt"
    atomic_write(file, "old")
    with pytest.raises(RuntimeError), atomic_path(file) as part:
        part.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "folder") as part:
        (part / "x").write_text("half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_write_that_is_not_permitted_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="a part of the path is a file, not a folder"):
        atomic_write(tmp_path / "file" / "inside.txt", "x")


def test_values_that_are_not_finite_come_back(tmp_path):
    file = tmp_path / "scores.jsonl"
    records.append(file, DatedScore(step=1, metric="x", value=float("inf"), protocol="p"))
    records.append(file, DatedScore(step=2, metric="x", value=1.0, protocol="p"))
    assert [score.value for score in records.read(file, DatedScore)] == [float("inf"), 1.0]


def test_unusual_line_separators_inside_a_text_do_no_harm(tmp_path):
    file = tmp_path / "notes.jsonl"
    for text in ("a\u2028b\x85c", "after"):
        records.append(file, Note(step=1, text=text))
    assert [note.text for note in records.read(file, Note)] == ["a\u2028b\x85c", "after"]


APPENDS = """
import sys
from pathlib import Path
from steadygan import records
from steadygan.records import Note
for step in range(200):
    records.append(Path(sys.argv[1]), Note(step=step, author="user", text=sys.argv[2] * 50))
"""


def test_what_others_write_down_beside_a_run_that_rewrites_its_records_is_neither_lost_nor_torn(tmp_path):
    file = tmp_path / "notes.jsonl"
    file.write_text('{"step": 0, "text": "cut sho')
    others = [subprocess.Popen([sys.executable, "-c", APPENDS, str(file), name]) for name in "abc"]
    while any(other.poll() is None for other in others):
        records.keep_until(file, 10**9, Note)
    assert [other.returncode for other in others] == [0, 0, 0]
    found = records.read(file, Note)
    for name in "abc":
        assert [note.step for note in found if note.text == name * 50] == list(range(200))
    assert len(found) == 600


def test_bytes_that_are_no_text_at_the_end_are_a_line_cut_short(tmp_path):
    file = tmp_path / "notes.jsonl"
    records.append(file, Note(step=1, text="whole"))
    with file.open("ab") as handle:
        handle.write(b'{"step": 2, "text": "\xc3')
    assert [note.text for note in records.read(file, Note)] == ["whole"]
    records.keep_until(file, 10, Note)
    assert len(file.read_bytes().splitlines()) == 1


def test_dropping_later_records_makes_no_file_where_there_is_none(tmp_path):
    records.keep_until(tmp_path / "scores.jsonl", 10, DatedScore)
    assert list(tmp_path.iterdir()) == []


def test_a_score_is_written_with_its_date_and_what_its_metric_says(tmp_path):
    score = Score(metric="colour", value=2.0, floor=0.5, unit="levels", says="how far", protocol="p")
    fields = ["metric", "value", "floor", "low", "high", "better"]
    assert list(json.loads(score.model_dump_json())) == [*fields, "unit", "says", "protocol"]
    dated = score.at(step=3, images=192)
    records.append(tmp_path / "scores.jsonl", dated)
    line = json.loads((tmp_path / "scores.jsonl").read_text())
    assert line == {"step": 3, "images": 192, **json.loads(score.model_dump_json())}
    assert (dated.unit, isinstance(dated, Score)) == ("levels", True)
    assert records.read(tmp_path / "scores.jsonl", DatedScore)[0].floor == 0.5


def test_what_a_newer_version_adds_to_a_score_is_kept(tmp_path):
    file = tmp_path / "scores.jsonl"
    file.write_text('{"step": 1, "images": 2, "metric": "x", "value": 1.0, "protocol": "p", "colour": "blue"}\n')
    records.keep_until(file, 2, DatedScore)
    assert json.loads(file.read_text())["colour"] == "blue"
