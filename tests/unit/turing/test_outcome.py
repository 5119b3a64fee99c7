"""What a test found: pictures in their order, sentences, raters who have not finished."""

from __future__ import annotations

import pytest

from judged import make_test, take
from steadygan.errors import DataError
from steadygan.turing.outcome import Verdict, outcome, sentences
from steadygan.turing.tally import turing_result


def test_fakes_that_passed_come_first_and_so_do_reals_that_did_not(tmp_path):
    folder = make_test(tmp_path / "run", count=6)
    take(folder, "Ada", wrong=(0, 1))
    take(folder, "Bo", wrong=(1,))
    found = outcome(folder)
    test = folder.test
    assert (found.result.answers, found.result.right) == (12, 9)
    pair = [test.questions[number] for number in (1, 0)]
    assert [one.name for one in found.fakes[:2]] == [test.fakes[one.fake] for one in pair]
    assert [one.name for one in found.reals[:2]] == [test.reals[one.real] for one in pair]
    assert [(one.real, one.answers) for one in found.fakes] == [(2, 2), (1, 2)] + [(0, 2)] * 4
    assert [(one.real, one.answers) for one in found.reals] == [(0, 2), (1, 2)] + [(2, 2)] * 4
    assert [one.rater for one in found.result.raters] == ["Ada", "Bo"]
    assert Verdict.model_validate_json(found.model_dump_json()) == found


def test_of_single_pictures_each_has_its_own_votes(tmp_path):
    folder = make_test(tmp_path / "run", "sheets", 2)
    take(folder, "Ada", wrong=(3,))
    found, question = outcome(folder), folder.test.questions[3]
    first = (found.fakes if question.truth == "fake" else found.reals)[0]
    assert first.name == folder.test.shown(question)[0]
    assert first.share == (1 if question.truth == "fake" else 0)
    assert len(found.fakes) == len(found.reals) == 4


def test_of_letters_there_are_guesses_and_no_votes(tmp_path):
    folder = make_test(tmp_path / "run", "letters", 2)
    take(folder, "Ada", wrong=(1,))
    found = outcome(folder)
    assert found.fakes == found.reals == ()
    assert [sheet.guesses["Ada"] == sheet.letter for sheet in found.sheets] == [True, False]
    assert found.result.p_value == pytest.approx(1 - (33 / 34) ** 2)


def test_who_has_not_finished_is_named(tmp_path):
    folder = make_test(tmp_path / "run")
    with pytest.raises(DataError, match="nobody has answered pairs-01"):
        outcome(folder)
    take(folder, "Ada")
    take(folder, "Bo", screens=1)
    found = outcome(folder)
    assert found.unfinished == {"Bo": 5}
    assert "Not finished: Bo (5 left)." in found.sentences


def said_of(folder, **takes):
    for rater, wrong in takes.items():
        take(folder, rater, wrong)
    return " ".join(sentences(folder.test.kind, turing_result(folder.answers())))


def test_a_p_value_is_put_into_words(tmp_path):
    said = said_of(make_test(tmp_path / "a", count=20), Ada=tuple(range(5)))
    assert "15 of 20 answers are right; by guessing it would be about 10." in said
    assert "Guessing gives an outcome as far from half in 4 of 100 such tests (p = 0.041): the fakes can be" in said
    assert "That is enough to decide" in said
    said = said_of(make_test(tmp_path / "b", count=20), Ada=())
    assert "in fewer than 1 of 1,000 such tests (p < 0.001)" in said
    said = said_of(make_test(tmp_path / "c", count=20), Ada=tuple(range(10)))
    assert "no proof that the fakes can be told apart" in said
    assert "If they can be told apart 60% of the time, about 199 pairs" in said
    said = said_of(make_test(tmp_path / "d", count=20), Ada=tuple(range(7)))
    assert "If they go on like this, about 9" in said  # 13 of 20: 65 %


def test_agreement_is_put_into_words(tmp_path):
    assert "agree almost always (Fleiss's kappa 1.00)" in said_of(make_test(tmp_path / "a"), Ada=(0,), Bo=(0,))
    apart = said_of(make_test(tmp_path / "b"), Ada=(0, 1, 2), Bo=(3, 4, 5))
    assert "agree no more than by chance" in apart
