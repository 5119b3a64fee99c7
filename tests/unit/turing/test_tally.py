from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from steadygan.errors import DataError
from steadygan.turing.exact import (
    answers_needed,
    beta_share,
    chi_square_tail,
    clopper_pearson,
    fleiss_kappa,
    guess_tail,
    sign_flip,
    student_quantile,
)
from steadygan.turing.glyphs import LETTERS, dots
from steadygan.turing.questions import (
    LetterQuestion,
    PairQuestion,
    SingleQuestion,
    letter_places,
    make_letters,
    make_pairs,
    make_singles,
)
from steadygan.turing.tally import Answer, TuringResult, turing_result

OTHER = {"left": "right", "right": "left", "real": "fake", "fake": "real"}


def answered(questions, right, rater="a", seconds=2.0):
    """One answer to each question, right where `right` says so."""
    return [
        Answer(question=q, rater=rater, choice=q.truth if ok else OTHER[q.truth], seconds=seconds, time="t")
        for q, ok in zip(questions, right, strict=True)
    ]


def first(hits, count, rater="a", questions=None):
    return answered(questions or make_pairs(count, count, count, 0), [n < hits for n in range(count)], rater)


def tail(right, count):
    """Chance of so many heads or more among `count` coins, in whole numbers."""
    return sum(math.comb(count, k) for k in range(right, count + 1)) / 2**count


@pytest.mark.parametrize("seed", range(5))
def test_pairs_use_each_picture_once_and_put_the_real_one_left_as_often_as_right(seed):
    pairs = make_pairs(60, 50, 40, seed)
    assert len({pair.real for pair in pairs}) == len({pair.fake for pair in pairs}) == 40
    assert all(0 <= pair.real < 60 and 0 <= pair.fake < 50 for pair in pairs)
    assert Counter(pair.truth for pair in pairs) == {"left": 20, "right": 20}
    assert {pair.real for pair in make_pairs(50, 50, 50, seed)} == set(range(50))


def test_questions_follow_from_the_seed_alone():
    for make in (make_pairs, make_singles):
        assert make(90, 90, 40, 7) == make(90, 90, 40, 7)
        assert make(90, 90, 40, 7) != make(90, 90, 40, 8)
    sides = [make_pairs(9, 9, 1, seed)[0].truth for seed in range(40)]
    assert 8 < sides.count("left") < 32


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_single_pictures_are_half_real_and_used_once(count):
    singles = make_singles(20, 20, count, 3)
    assert len({(one.truth, one.image) for one in singles}) == len(singles) == count
    assert abs(sum(one.truth == "real" for one in singles) - count / 2) <= 0.5


@pytest.mark.parametrize(("reals", "fakes", "count"), [(9, 20, 10), (20, 9, 10), (9, 9, 0)])
def test_more_questions_than_pictures_are_refused(reals, fakes, count):
    with pytest.raises(DataError, match="needs"):
        make_pairs(reals, fakes, count, 0)


def test_too_few_pictures_for_a_sheet_are_refused():
    make_singles(5, 5, 10, 0)
    with pytest.raises(DataError, match="needs 6 generated pictures and there are 5"):
        make_singles(6, 5, 11, 0)


def test_a_pair_is_answered_by_a_side_and_a_single_picture_by_a_kind():
    pair, single = PairQuestion(real=0, fake=0, truth="left"), SingleQuestion(image=0, truth="fake")
    assert Answer(question=pair, rater="a", choice="left", seconds=1).right
    assert not Answer(question=single, rater="a", choice="real", seconds=1).right
    assert Answer(question=single, rater="a", choice="fake", seconds=1).right
    for question, choice in ((pair, "real"), (single, "left")):
        with pytest.raises(ValidationError, match="is answered by"):
            Answer(question=question, rater="a", choice=choice, seconds=1)


def test_answers_come_back_from_json_as_they_went():
    answer = Answer(question=SingleQuestion(image=3, truth="real"), rater="a", choice="fake", seconds=1.5)
    assert Answer.model_validate_json(answer.model_dump_json()) == answer
    assert answer.time
    result = turing_result(first(7, 12))
    assert TuringResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(0, 10, 0.0, 0.3085), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1.0), (1, 20, 0.0013, 0.2487)],
)
def test_the_interval_is_that_of_the_published_tables(right, count, low, high):
    assert clopper_pearson(right, count) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("right", "count"), [(1, 2), (62, 100), (499, 1000), (2990, 3000)])
def test_at_the_ends_of_the_interval_the_tails_are_half_of_five_percent(right, count):
    """The definition of Clopper and Pearson, summed from binomial probabilities."""
    low, high = clopper_pearson(right, count)

    def at_least(k, share):
        logs = [math.lgamma(count + 1) - math.lgamma(i + 1) - math.lgamma(count - i + 1) for i in range(k, count + 1)]
        powers = [i * math.log(share) + (count - i) * math.log1p(-share) for i in range(k, count + 1)]
        return math.fsum(math.exp(a + b) for a, b in zip(logs, powers, strict=True))

    assert at_least(right, low) == pytest.approx(0.025, rel=1e-6)
    assert 1 - at_least(right + 1, high) == pytest.approx(0.025, rel=1e-6)


def test_the_incomplete_beta_function_has_its_closed_forms():
    for x in (0.01, 0.3, 0.5, 0.9, 0.999):
        assert beta_share(x, 1, 1) == pytest.approx(x)
        assert beta_share(x, 3, 1) == pytest.approx(x**3)
        assert beta_share(x, 0.5, 0.5) == pytest.approx(2 / math.pi * math.asin(math.sqrt(x)))
    assert (beta_share(0, 2, 3), beta_share(1, 2, 3)) == (0, 1)


def test_special_functions_agree_with_scipy():
    stats, special = pytest.importorskip("scipy.stats"), pytest.importorskip("scipy.special")
    for a, b in itertools.product((0.5, 1, 2.7, 31, 500, 4000), repeat=2):
        for x in (0.003, 0.2, a / (a + b), 0.7, 0.98):
            assert beta_share(x, a, b) == pytest.approx(special.betainc(a, b, x), rel=1e-8, abs=1e-14)
    for freedom, value in itertools.product((1, 2, 3, 8, 31), (0.01, 1.0, 9.0, 60.0)):
        assert chi_square_tail(value, freedom) == pytest.approx(stats.chi2.sf(value, freedom), rel=1e-9)
    for freedom in (1, 2, 5, 40):
        assert student_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)


@pytest.mark.parametrize(("right", "count"), [(62, 100), (38, 100), (50, 100), (0, 6), (1, 1), (530, 1000)])
def test_the_whole_of_a_simple_test_agrees_with_scipy(right, count):
    stats = pytest.importorskip("scipy.stats")
    result, truth = turing_result(first(right, count)), stats.binomtest(right, count)
    interval = truth.proportion_ci(0.95, method="exact")
    assert (result.low, result.high) == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert result.p_value == pytest.approx(truth.pvalue, rel=1e-9)
    assert result.p_better == pytest.approx(stats.binomtest(right, count, alternative="greater").pvalue, rel=1e-9)


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 3.8415), (2, 5.9915), (3, 7.8147), (4, 9.4877), (10, 18.3070), (15, 24.9958)]
)
def test_chi_square_exceeds_the_values_of_the_tables_in_a_twentieth_of_cases(freedom, value):
    assert chi_square_tail(value, freedom) == pytest.approx(0.05, abs=5e-6)
    assert chi_square_tail(0, freedom) == 1


@pytest.mark.parametrize(("freedom", "value"), [(1, 12.706), (2, 4.303), (4, 2.776), (10, 2.228), (120, 1.980)])
def test_students_quantiles_are_those_of_the_tables(freedom, value):
    assert student_quantile(freedom) == pytest.approx(value, abs=5e-4)


@pytest.mark.parametrize("scores", [[1], [1, 1, -1], [2, -1, 3], [3, 3, -3, 1, 0], [-1, -2], [0, 0]])
def test_the_sign_flip_test_counts_all_signs(scores):
    total = sum(scores)
    sums = [
        sum(s * x for s, x in zip(signs, scores, strict=True))
        for signs in itertools.product((1, -1), repeat=len(scores))
    ]
    better = np.mean([value >= total for value in sums])
    both = np.mean([abs(value) >= abs(total) for value in sums])
    assert sign_flip(scores) == pytest.approx((both, better))


def test_p_values_are_the_sums_of_binomial_coefficients_and_know_their_side():
    better, worse = turing_result(first(15, 20)), turing_result(first(5, 20))
    assert better.p_value == worse.p_value == pytest.approx(2 * tail(15, 20))
    assert better.p_better == pytest.approx(tail(15, 20)) == pytest.approx(0.0207, abs=5e-5)
    assert worse.p_better == pytest.approx(tail(5, 20)) == pytest.approx(0.9941, abs=5e-5)


def test_fleiss_kappa_of_the_well_known_table_of_fourteen_raters():
    table = [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
             [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]  # fmt: skip
    assert fleiss_kappa(table) == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa([[2, 0], [0, 2]]) == pytest.approx(1)
    assert fleiss_kappa([[1, 1], [1, 1]]) == pytest.approx(-1)
    assert fleiss_kappa([[2, 0], [2, 0]]) is None


def test_raters_who_copy_each_other_prove_no_more_than_one():
    questions = make_pairs(100, 100, 100, 0)
    one = turing_result(first(62, 100, questions=questions))
    three = turing_result([answer for rater in "abc" for answer in first(62, 100, rater, questions)])
    assert (three.answers, three.right) == (300, 186)
    assert (three.p_value, three.p_better) == pytest.approx((one.p_value, one.p_better))
    assert (three.low, three.high) == pytest.approx((one.low, one.high), abs=2e-3)
    assert three.error == pytest.approx(one.error, rel=0.01)
    assert three.kappa == pytest.approx(1)
    assert three.differ == pytest.approx(1)
    assert one.kappa is one.differ is None


def test_raters_with_questions_of_their_own_add_up():
    pairs = make_pairs(300, 300, 300, 0)
    answers = [a for n, rater in enumerate("abc") for a in first(62, 100, rater, pairs[100 * n : 100 * n + 100])]
    result = turing_result(answers)
    assert result.p_value == pytest.approx(2 * tail(186, 300))
    assert (result.low, result.high) == pytest.approx(clopper_pearson(186, 300))
    assert result.kappa is None


def test_raters_who_differ_are_found_and_widen_the_interval():
    pairs = make_pairs(120, 120, 120, 0)
    shares = {"a": 38, "b": 22, "c": 21}
    answers = [a for n, (r, hits) in enumerate(shares.items()) for a in first(hits, 40, r, pairs[40 * n : 40 * n + 40])]
    result = turing_result(answers)
    low, high = clopper_pearson(81, 120)
    assert result.low < low - 0.05 < high + 0.05 < result.high
    # (11² + 5² + 6²) / 40 / (0.675 · 0.325), two degrees: exp(-value / 2)
    assert result.differ == pytest.approx(math.exp(-182 / 40 / 0.219375 / 2))
    assert [rater.right for rater in result.raters] == [38, 22, 21]
    assert result.raters[0].p_value == pytest.approx(2 * tail(38, 40))
    assert "the raters differ (p < 0.001)" in result.describe()


def test_the_design_effect_of_raters_is_that_of_whole_raters_drawn():
    """Two raters of 30 with 20 and 28 right: variance of the mean of two, (p1 - p2)² / 4."""
    pairs = make_pairs(60, 60, 60, 0)
    result = turing_result(first(20, 30, "a", pairs[:30]) + first(28, 30, "b", pairs[30:]))
    assert result.error == pytest.approx((28 - 20) / 30 / 2)


def test_without_a_difference_few_tests_find_one_though_raters_agree():
    """Three raters who follow the looks of 40 pairs in four cases of five; single answers prove too much."""
    random = np.random.default_rng(0)
    found = single = 0
    for _ in range(500):
        rights = np.where(random.random((3, 40)) < 0.8, random.random(40) < 0.5, random.random((3, 40)) < 0.5)
        signs = 2 * rights.astype(int) - 1
        found += sign_flip(signs.sum(0).tolist())[0] < 0.05
        single += sign_flip(signs.flatten().tolist())[0] < 0.05
    assert found <= 0.05 * 500 + 2 * math.sqrt(500 * 0.05 * 0.95)
    assert single > 0.1 * 500


@pytest.mark.parametrize(
    ("right", "count", "said"),
    [
        (62, 100, "62 of 100 right (52% to 72%), p = 0.021: the fakes can be told apart"),
        (38, 100, "38 of 100 right (28% to 48%), p = 0.021: the fakes are taken for real more often than the reals"),
        (54, 100, "54 of 100 right (44% to 64%), p = 0.48: no proof that the fakes can be told apart, nor that they"),
        (20, 20, "20 of 20 right (83% to 100%), p < 0.001: the fakes can be told apart"),
    ],
)  # fmt: skip
def test_the_sentence_says_what_may_be_concluded(right, count, said):
    assert turing_result(first(right, count)).describe().startswith(said)


def test_where_nothing_is_proved_the_sentence_says_what_is_still_possible():
    assert turing_result(first(54, 100)).describe().endswith("nor that they cannot in up to 64% of cases")


def test_seconds_are_the_median_of_each_rater_and_of_all():
    pairs = make_pairs(6, 6, 6, 0)
    answers = answered(pairs[:3], [True] * 3, "a", 1.0) + answered(pairs[3:], [True, True, False], "b", 4.0)
    answers += answered(pairs[:1], [True], "b", 4.0)
    result = turing_result(answers)
    assert result.seconds == 4.0
    assert {rater.rater: rater.seconds for rater in result.raters} == {"a": 1.0, "b": 4.0}


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(DataError, match="no answer"):
        turing_result([])
    with pytest.raises(DataError, match="a answered one question 2 times"):
        turing_result(first(3, 5) + first(2, 5))
    with pytest.raises(DataError, match="two tests"):
        turing_result(first(3, 5) + answered(make_singles(5, 5, 5, 0), [True] * 5))


def lettered(letters, guesses, rater="a"):
    """Answers to sheets of these letters; the guesses say which."""
    sheets = [of_letter(letter, number) for number, letter in enumerate(letters)]
    return [
        Answer(question=sheet, rater=rater, choice=guess, seconds=9.0, time="t")
        for sheet, guess in zip(sheets, guesses, strict=True)
    ]


def of_letter(letter, number=0):
    places = letter_places(letter, 1)
    first = 100 * number
    reals, fakes = (range(first, first + places.count(fake)) for fake in (False, True))
    return LetterQuestion(truth=letter, column=1, reals=tuple(reals), fakes=tuple(fakes))


@pytest.mark.parametrize(("right", "count"), [(0, 1), (1, 1), (1, 5), (2, 5), (5, 5), (3, 40)])
def test_letters_are_judged_by_the_exact_binomial_test_against_one_of_all_letters(right, count):
    stats = pytest.importorskip("scipy.stats")
    result = turing_result(lettered("N" * count, "N" * right + "M" * (count - right)))
    truth = stats.binomtest(right, count, 1 / len(LETTERS), alternative="greater")
    interval = stats.binomtest(right, count).proportion_ci(0.95, method="exact")
    assert result.p_value == result.p_better == pytest.approx(truth.pvalue)
    assert (result.low, result.high) == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert result.chance == 1 / len(LETTERS)


def test_raters_of_one_letter_share_its_luck():
    """Two raters say N to each of two sheets; both truths are drawn: by counting all 34² cases."""
    hits = [2 * (one == 0) + 2 * (other == 0) for one in range(34) for other in range(34)]
    guesses = [Counter({"N": 2}), Counter({"N": 2})]
    assert guess_tail(guesses, 34, 2) == pytest.approx(np.mean([hit >= 2 for hit in hits]))
    mixed = [Counter({"N": 2, "M": 1}), Counter({"Z": 1})]
    hits = [{0: 2, 1: 1}.get(one, 0) + (other == 0) for one in range(34) for other in range(34)]
    for right in range(5):
        assert guess_tail(mixed, 34, right) == pytest.approx(np.mean([hit >= right for hit in hits]))
    same = turing_result(lettered("NZ", "NX", "a") + lettered("NZ", "NX", "b"))
    assert same.p_value == pytest.approx(turing_result(lettered("NZ", "NX")).p_value)


def test_one_letter_read_is_proof_and_none_is_not():
    assert turing_result(lettered("N", "N")).describe().endswith("p = 0.029: the fakes can be told apart")
    assert "no proof" in turing_result(lettered("NNN", "ABC")).describe()


def test_letters_and_places_are_drawn_evenly_and_use_each_picture_once():
    sheets = make_letters(20_000, 20_000, 400, 3)
    counts = Counter(sheet.truth for sheet in sheets)
    assert set(counts) == set(LETTERS)
    stats = pytest.importorskip("scipy.stats")
    assert stats.chisquare(list(counts.values())).pvalue > 0.01
    assert {sheet.column for sheet in sheets} == {0, 1, 2}
    for kind in ("reals", "fakes"):
        used = [one for sheet in sheets for one in getattr(sheet, kind)]
        assert len(set(used)) == len(used)
    assert make_letters(99, 99, 1, 5) == make_letters(99, 99, 1, 5)
    with pytest.raises(DataError, match="real pictures for these letters and there are 30"):
        make_letters(30, 99, 2, 5)


def test_letters_are_of_5_by_7_dots_no_two_alike():
    drawn = {letter: tuple(map(tuple, dots(letter))) for letter in LETTERS}
    assert len(set(drawn.values())) == len(LETTERS) == 34
    assert all(len(rows) == 7 and {len(row) for row in rows} == {5} for rows in drawn.values())
    assert all(any(row[0] for row in rows) or letter == "I" for letter, rows in drawn.items() if letter not in "J4")
    assert (
        "/".join("".join(".#"[dot] for dot in row) for row in dots("7")) == "#####/....#/...#./..#../.#.../.#.../.#..."
    )
    least = min(
        sum(a != b for one, other in zip(drawn[x], drawn[y], strict=True) for a, b in zip(one, other, strict=True))
        for x, y in itertools.combinations(LETTERS, 2)
    )
    assert least >= 2


def test_a_sheet_with_other_numbers_of_pictures_is_refused():
    sheet = of_letter("N")
    with pytest.raises(ValidationError, match="do not form this letter"):
        LetterQuestion(truth="L", column=1, reals=sheet.reals, fakes=sheet.fakes)
    with pytest.raises(ValidationError, match="is answered by one of A B"):
        Answer(question=sheet, rater="a", choice="left", seconds=1)


def power(count, share, chance=0.5):
    """How often the exact test at 5 % finds it if raters are right in this share."""
    stats, hits = pytest.importorskip("scipy.stats"), np.arange(count + 1)
    other = "two-sided" if chance == 0.5 else "greater"
    found = [stats.binomtest(k, count, chance, alternative=other).pvalue < 0.05 for k in hits.tolist()]
    return stats.binom.pmf(hits, count, share)[found].sum()


@pytest.mark.parametrize(
    ("share", "chance"), [(0.6, 0.5), (0.75, 0.5), (0.95, 0.5), (0.2, 0.5), (0.2, 1 / 34), (0.7, 1 / 34)]
)
def test_so_many_answers_have_the_power_that_is_said_and_one_less_has_not(share, chance):
    count = answers_needed(share, chance)
    assert power(count, share, chance) >= 0.8 > power(count - 1, share, chance)


def test_small_differences_take_thousands_of_answers():
    stats, count = pytest.importorskip("scipy.stats"), answers_needed(0.52)
    assert 4000 < count < 6000
    assert stats.binom.sf(stats.binom.isf(0.025, count, 0.5), count, 0.52) == pytest.approx(0.8, abs=0.01)
