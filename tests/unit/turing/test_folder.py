"""The folder of a test: order, answers that stay, what is damaged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from judged import choice, make_test, take
from steadygan.errors import ConfigError, DataError
from steadygan.turing.folder import TuringFolder, TuringTest, named, rater_named, turing_folders
from steadygan.turing.questions import letter_places


@pytest.mark.parametrize("kind", ["pairs", "sheets", "letters"])
def test_a_test_comes_back_from_its_file_as_it_was_and_shows_each_picture_where_the_truth_says(kind, tmp_path):
    folder = make_test(tmp_path / "run", kind, 3)
    test = TuringFolder(folder.path).test
    assert TuringTest.model_validate_json((folder.path / "test.json").read_bytes()) == test
    for question in test.questions:
        shown, fakes = test.shown(question), set(test.fakes.values())
        if kind == "pairs":
            assert (shown[0] in fakes) == (question.truth == "right")
        elif kind == "sheets":
            assert (shown[0] in fakes) == (question.truth == "fake")
        else:
            assert len(shown) == 49 == len(set(shown))
            rows = ["".join(".#"[name in fakes] for name in shown[row * 7 : row * 7 + 7]) for row in range(7)]
            assert sum(row.count("#") for row in rows) == len(question.fakes)
    assert len(test.screens) == 3


def test_the_places_of_a_letter_read_as_that_letter():
    places = letter_places("L", 1)
    rows = ["".join(".#"[place] for place in places[row * 7 : row * 7 + 7]) for row in range(7)]
    assert rows == [".#....."] * 6 + [".#####."]


def test_each_rater_has_an_order_of_their_own_the_same_every_time(tmp_path):
    test = make_test(tmp_path / "run", count=12).test
    assert sorted(test.order("Ada")) == sorted(test.screens) == sorted(test.order("Bo"))
    assert test.order("Ada") != test.order("Bo")
    code = "from pathlib import Path; from steadygan.turing.folder import TuringFolder; "
    code += f"print(TuringFolder(Path({str(tmp_path / 'run' / 'turing' / 'pairs-01')!r})).test.order('Ada'))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(test.order("Ada"))


def test_a_rater_goes_on_where_they_were(tmp_path):
    folder = make_test(tmp_path / "run", "sheets", 5)
    order = folder.test.order("Ada")
    for number, screen in enumerate(order):
        assert TuringFolder(folder.path).next_screen("Ada") == screen
        take(folder, "Ada", screens=1)
        assert folder.raters()["Ada"] == 4 * (number + 1)
    assert folder.next_screen("Ada") == ()
    assert folder.next_screen("Bo") == folder.test.order("Bo")[0]


def test_answers_survive_a_kill_right_after_they_were_given(tmp_path):
    folder = make_test(tmp_path / "run")
    code = f"""
import os, signal
from pathlib import Path
from steadygan.turing.folder import TuringFolder
folder = TuringFolder(Path({str(folder.path)!r}))
for _ in range(3):
    [number] = folder.next_screen("Ada")
    folder.give("Ada", {{number: "left"}}, 1.0)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert folder.raters() == {"Ada": 3}
    assert [given.question for given in folder.given()] == [screen[0] for screen in folder.test.order("Ada")[:3]]
    assert folder.next_screen("Ada") == folder.test.order("Ada")[3]


def test_answers_are_on_the_disk_before_the_next_question(tmp_path, monkeypatch):
    folder, synced = make_test(tmp_path / "run"), []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), real(handle)))
    take(folder, "Ada", screens=1)
    assert (folder.path / "answers.jsonl").stat().st_ino in synced


def test_a_line_cut_short_is_passed_over_and_written_again(tmp_path):
    folder = make_test(tmp_path / "run")
    take(folder, "Ada", screens=2)
    file = folder.path / "answers.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    assert folder.raters() == {"Ada": 1}
    take(folder, "Ada")
    assert folder.raters() == {"Ada": 6}


def test_two_raters_at_once_lose_nothing(tmp_path):
    folder = make_test(tmp_path / "run", count=40)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: take(TuringFolder(folder.path), name), ["Ada", "Bo", "Cy", "Dee"]))
    assert folder.raters() == dict.fromkeys(folder.raters(), 40)
    assert len(folder.raters()) == 4
    assert len((folder.path / "answers.jsonl").read_text().splitlines()) == 160


def test_the_first_answer_counts_however_often_it_is_sent(tmp_path):
    folder = make_test(tmp_path / "run")
    [number] = folder.next_screen("Ada")
    folder.give("Ada", {number: choice(folder, number, True)}, 1)
    folder.give("Ada", {number: choice(folder, number, False)}, 1)
    assert [answer.right for answer in folder.answers()] == [True]
    line = (folder.path / "answers.jsonl").read_text()
    other = json.loads(line) | {"choice": choice(folder, number, False)}
    (folder.path / "answers.jsonl").write_text(line + json.dumps(other) + "\n")  # as two windows could
    assert [answer.right for answer in folder.answers()] == [True]


def test_what_is_no_answer_to_the_next_question_is_refused_and_leaves_no_trace(tmp_path):
    folder = make_test(tmp_path / "run")
    first, second = folder.test.order("Ada")[:2]
    for choices in ({second[0]: "left"}, {first[0]: "left", second[0]: "left"}, {99: "left"}):
        with pytest.raises(ConfigError, match="load the page again"):
            folder.give("Ada", choices, 1)
    with pytest.raises(ConfigError, match="'real' is no answer here; choose left or right"):
        folder.give("Ada", {first[0]: "real"}, 1)
    assert folder.given() == []
    folder.end()
    with pytest.raises(ConfigError, match="has ended"):
        folder.give("Ada", {first[0]: "left"}, 1)


def test_truth_waits_for_everybody_who_began_or_for_the_end(tmp_path):
    folder = make_test(tmp_path / "run")
    assert not folder.open_for_all
    take(folder, "Ada")
    assert folder.open_for_all
    take(folder, "Bo", screens=2)
    assert not folder.open_for_all
    assert folder.unfinished() == {"Bo": 4}
    folder.end()
    assert folder.open_for_all


def test_names_are_cleaned_or_refused():
    assert rater_named("  Ada   Lovelace ") == "Ada Lovelace"
    assert rater_named("Zoë 👩") == "Zoë 👩"
    for name in ("", "  ", "x" * 61, "a\x00b", "\u202eevil"):
        with pytest.raises(ConfigError):
            rater_named(name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda test: test.pop("questions"), "questions: Field required"),
        (lambda test: test.update(questions=[]), "questions"),
        (lambda test: test.update(reals={}), "digest"),
        (lambda test: test["digests"].update({"../../etc/passwd": "0" * 64}), "digests"),
        (lambda test: test["questions"][0].update(real=7777), "is asked for, and there is none"),
        (lambda test: test.update(kind="letters"), "asks something else"),
        (lambda test: test.update(size=float("nan")), "size"),
        (lambda test: test.update(seed=10**400), "seed"),
    ],
)
def test_a_damaged_test_is_one_line_that_names_its_file(change, said, tmp_path):
    folder = make_test(tmp_path / "run")
    tree = json.loads((folder.path / "test.json").read_text())
    change(tree)
    (folder.path / "test.json").write_text(json.dumps(tree))
    with pytest.raises(DataError, match=r"test\.json is no Turing test") as found:
        _ = TuringFolder(folder.path).test
    assert said in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("text", ["", "[" * 100_000, "{}", "null", "\x00\xff"])
def test_a_file_that_is_no_test_is_one_line(text, tmp_path):
    folder = make_test(tmp_path / "run")
    (folder.path / "test.json").write_text(text)
    with pytest.raises(DataError, match=r"test\.json is no Turing test"):
        _ = TuringFolder(folder.path).test


@pytest.mark.parametrize("line", ["no json", '{"question": 99, "rater": "a", "choice": "left", "seconds": 1}', "[]"])
def test_a_damaged_answer_is_named_by_its_line(line, tmp_path):
    folder = make_test(tmp_path / "run")
    take(folder, "Ada", screens=1)
    with (folder.path / "answers.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=r"answers\.jsonl, line 2 is no answer to this test; delete that line"):
        folder.given()


def test_tests_are_found_by_their_names_alone(tmp_path):
    make_test(tmp_path / "run", "pairs")
    make_test(tmp_path / "run", "letters", 1)
    folders = turing_folders(tmp_path / "run")
    assert [folder.path.name for folder in folders] == ["letters-01", "pairs-01"]
    assert named(folders, "pairs-01").test.kind == "pairs"
    for name in ("../pairs-01", "", ".", "pairs-02"):
        with pytest.raises(DataError, match="there are: letters-01, pairs-01"):
            named(folders, name)
    assert Counter(turing_folders(tmp_path)) == Counter()
