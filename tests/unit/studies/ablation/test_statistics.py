"""Against simulated studies whose truth is known, published tables, and scipy's own paired test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from steadygan.studies.ablation.records import Outcome
from steadygan.studies.ablation.statistics import (
    ALPHA,
    _effect_size,
    arm,
    effects,
    holm,
    interval,
    outlying,
    seeds_wanted,
    t_test,
)

TECHNIQUES = 12
STUDIES = 4000
BELOW = ALPHA + 2.6 * np.sqrt(ALPHA * (1 - ALPHA) / STUDIES)  # once in two hundred by the simulation's own chance


def simulated(seed, pairs, effect=0.0, tail="normal", shared=False, techniques=TECHNIQUES):
    """Differences (studies, techniques, pairs). `shared`: of variants against one base, as in a real study."""
    rng = np.random.default_rng(seed)
    draw = {
        "normal": rng.standard_normal,
        "heavy": lambda shape: rng.standard_t(2, shape),
        "contaminated": lambda shape: rng.standard_normal(shape) * np.where(rng.random(shape) < 0.1, 20, 1),
    }[tail]
    own, base = draw((STUDIES, techniques, pairs)), draw((STUDIES, 1, pairs)) if shared else 0.0
    return (own - base) / np.sqrt(1 + shared) + np.broadcast_to(effect, techniques)[:, None]


def decided(differences):
    """Which techniques (studies, techniques) are told from nothing, and at which alpha each was tested."""
    adjusted, alphas = holm(t_test(differences)[2], differences.shape[-2])
    return adjusted < ALPHA, alphas


def outcome(variant, seed, value, state="finished", **more):
    given = {"better": "lower", "floor": 0.5, "seconds": 10.0, "images": 1000} | more
    told = {"peak_memory_bytes": 10**9, "collapsed": False} | given
    return Outcome(variant=variant, seed=seed, value=value, state=state, **told)


def runs(**scores):
    """One finished run for each score; a string is the state of a run without one."""
    return [
        outcome(name, seed, None, value) if isinstance(value, str) else outcome(name, seed, value)
        for name, values in scores.items()
        for seed, value in enumerate(values)
    ]


BASE = [10.0, 11.5, 9.0, 10.5, 12.0]


@pytest.mark.parametrize("pairs", [5, 10])
@pytest.mark.parametrize(
    ("tail", "shared"), [("normal", False), ("normal", True), ("heavy", False), ("contaminated", True)]
)
def test_where_no_technique_does_anything_few_studies_say_that_one_did(pairs, tail, shared):
    wrong = decided(simulated(1, pairs, tail=tail, shared=shared))[0].any(-1).mean()
    assert wrong <= BELOW
    if tail == "normal" and not shared:
        assert wrong > 0.04, "a test that is never wrong is one that never decides"


@pytest.mark.parametrize("pairs", [5, 10])
def test_techniques_that_do_much_do_not_bring_others_along(pairs):
    effect = np.where(np.arange(TECHNIQUES) < 8, 12.0, 0.0)
    found, _ = decided(simulated(2, pairs, effect, shared=True))
    assert found[:, 8:].any(-1).mean() <= BELOW
    assert found[:, :8].mean() > 0.95


def test_runs_that_diverge_as_often_with_as_without_decide_nothing():
    rng = np.random.default_rng(3)
    scores = rng.gamma(4.0, 1.0, (STUDIES, TECHNIQUES + 1, 6))
    lost = rng.random(scores.shape) < 0.2
    own, base = scores[:, 1:], scores[:, :1]
    there = np.where(lost, -np.inf, scores)
    worst = np.maximum(there[:, 1:].max(-1), there[:, :1].max(-1))[..., None]
    differences = np.where(lost[:, 1:], worst, own) - np.where(lost[:, :1], worst, base)
    assert decided(differences)[0].any(-1).mean() <= BELOW

    for study in range(8):
        named = {f"v{row}" if row else "base": scores[study, row] for row in range(TECHNIQUES + 1)}
        states = {
            name: [("diverged" if gone else value) for value, gone in zip(values, lost[study, row], strict=True)]
            for row, (name, values) in enumerate(named.items())
        }
        for row, effect in enumerate(effects(runs(**states))):
            assert [dot.difference for dot in effect.dots] == pytest.approx(differences[study, row].tolist())


@pytest.mark.parametrize(("pairs", "effect"), [(3, 3.3), (5, 1.8), (10, 1.0)])
def test_power_is_that_of_the_noncentral_t(pairs, effect):
    alone = decided(simulated(4, pairs, effect, techniques=1))[0].mean()
    bound = stats.t.ppf(0.975, pairs - 1)
    assert alone == pytest.approx(stats.nct.sf(bound, pairs - 1, effect * np.sqrt(pairs)), abs=0.015)


@pytest.mark.parametrize(
    ("effect", "level", "wanted"),
    [(0.2, 0.95, 199), (0.3, 0.95, 90), (0.5, 0.95, 34), (0.8, 0.95, 15), (1.0, 0.95, 10), (9.0, 0.95, 5)],
)
def test_pairs_wanted_are_those_of_the_tables(effect, level, wanted):
    assert seeds_wanted(effect, level) == wanted


@pytest.mark.parametrize("effect", [0.9, 1.4])
def test_with_the_pairs_wanted_four_studies_in_five_decide_and_with_one_less_fewer(effect):
    level = 1 - ALPHA / TECHNIQUES
    wanted = seeds_wanted(effect, level)
    less, enough = (
        (t_test(simulated(5, pairs, effect, techniques=1))[2] < 1 - level).mean() for pairs in (wanted - 1, wanted)
    )
    assert less - 0.01 < 0.8 < enough + 0.01


def test_beyond_a_thousand_pairs_the_number_goes_on_smoothly_and_nothing_wants_none():
    below, above = seeds_wanted(0.0900, 0.95), seeds_wanted(0.0880, 0.95)
    assert (below, above) == pytest.approx((971, 1014), abs=2)
    assert seeds_wanted(0.0, 0.95) is None


@pytest.mark.parametrize("pairs", [3, 5, 10])
def test_effects_are_not_overstated_on_average(pairs):
    rows = simulated(6, pairs, 1.5, techniques=1)[:, 0]
    signed = [_effect_size(row) * np.sign(row.mean()) for row in rows]
    assert np.mean(signed) == pytest.approx(1.5, abs=4 * np.std(signed) / np.sqrt(STUDIES))


@pytest.mark.parametrize("pairs", [3, 5, 10])
def test_intervals_cover_as_they_claim(pairs):
    effect = np.linspace(0, 3, TECHNIQUES)
    differences = simulated(7, pairs, effect, shared=True)
    found, alphas = decided(differences)
    low, high = interval(differences, 1 - alphas)
    each = ((low <= effect) & (effect <= high)).mean(0)
    assert (each > 0.95 - 2.6 * np.sqrt(0.95 * 0.05 / STUDIES)).all()
    assert np.array_equal((low > 0) | (high < 0), found), "zero is outside exactly where it is decided"

    plain = interval(differences, 0.95)
    assert ((plain[0] <= effect) & (effect <= plain[1])).mean() == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("pairs", [3, 5, 10])
def test_all_intervals_cover_together_where_nothing_differs(pairs):
    differences = simulated(8, pairs)
    low, high = interval(differences, 1 - decided(differences)[1])
    assert ((low <= 0) & (high >= 0)).all(-1).mean() == pytest.approx(0.95, abs=0.012)


def test_one_run_in_ten_gone_astray_is_pointed_at_and_bells_are_not():
    bells = [outlying(simulated(9, pairs)).mean() for pairs in (5, 10)]
    assert bells == pytest.approx([0.01, 0.01], abs=0.002)
    differences = simulated(10, 10)
    differences[..., 3] += 15
    assert outlying(differences).mean() > 0.99


def test_of_heavy_tails_a_decision_is_only_rarer_and_the_seed_far_off_is_named():
    astray = effects(runs(base=[*BASE, 11.0], far=[9.0, 10.4, 8.1, 9.5, 11.1, -20.0]))[0]
    assert (astray.verdict, astray.outlier, astray.better_at) == ("not decided", 5, 6)
    assert astray.median == pytest.approx(-1.0)
    tame = effects(runs(base=[*BASE, 11.0], near=[9.0, 10.4, 8.1, 9.5, 11.1, 10.0]))[0]
    assert (tame.verdict, tame.outlier) == ("helped", None)
    few = effects(runs(base=BASE[:4], far=[*(value - 1 for value in BASE[:3]), BASE[3] - 30]))[0]
    assert (few.undecided, few.outlier) == ("few seeds", None), "of four nobody can say which is the odd one"


def test_holm_adjusts_as_r_does():
    """R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")."""
    adjusted, alphas = holm(np.array([0.01, 0.04, 0.03, 0.005]), 4)
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert alphas == pytest.approx([0.05 / 3, 0.05 / 2, 0.05 / 2, 0.05 / 4])


def test_an_effect_agrees_with_scipys_paired_test():
    rng = np.random.default_rng(11)
    base, variant = rng.normal(10, 2, 7), rng.normal(9, 2, 7)
    found = effects(runs(base=base, other=variant))[0]
    truth = stats.ttest_rel(variant, base)
    assert found.p_value == pytest.approx(truth.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(truth.confidence_interval(0.95)))
    assert found.mean == pytest.approx(float((variant - base).mean()))


def test_effects_of_a_whole_study_are_those_of_the_arrays():
    differences = simulated(12, 6, np.linspace(-6, 6, TECHNIQUES))[:8]
    found, alphas = decided(differences)
    base = np.random.default_rng(13).normal(30, 5, 6)
    for rows, yes, alpha in zip(differences, found, alphas, strict=True):
        study = effects(runs(base=base, **{f"v{at}": base + row for at, row in enumerate(rows)}))
        assert [one.verdict != "not decided" for one in study] == yes.tolist()
        assert [1 - one.level for one in study] == pytest.approx(alpha.tolist())
        assert all(one.verdict != "hurt" for one in study if one.mean < 0)
        assert all(one.verdict != "helped" for one in study if one.mean > 0)


def test_higher_may_be_better():
    more = [value + 5 + 0.1 * at for at, value in enumerate(BASE)]
    up = [one.model_copy(update={"better": "higher"}) for one in runs(base=BASE, more=more)]
    assert effects(up)[0].verdict == "helped"
    assert effects(runs(base=BASE, more=more))[0].verdict == "hurt"
    assert effects(up)[0].better_at == 5


@pytest.mark.parametrize("pairs", [2, 3, 4])
def test_below_five_pairs_nothing_is_decided_however_large(pairs):
    noise = np.random.default_rng(14).normal(0, 0.01, pairs)
    found = effects(runs(base=BASE[:pairs], huge=np.array(BASE[:pairs]) - 9 + noise))[0]
    assert (found.verdict, found.undecided, found.p_value, found.p_holm) == ("not decided", "few seeds", None, None)
    assert found.high < 0
    assert found.more_seeds == (None if pairs == 2 else 5 - pairs)


def test_the_undecidable_stay_in_the_family_and_hold_nobody_back():
    close = [9.0, 10.4, 8.1, 9.3, 11.1]
    alone = effects(runs(base=BASE, good=close))[0]
    beside = effects(runs(base=BASE, good=close, few=[1.0, 2.0]), variants=["few", "good", "to come"])
    assert [one.variant for one in beside] == ["few", "good", "to come"]
    assert beside[1].p_holm == pytest.approx(3 * alone.p_value)
    assert (beside[1].verdict, beside[0].undecided, beside[2].undecided) == ("helped", "few seeds", "no pairs")
    assert beside[1].level == pytest.approx(1 - 0.05 / 3)
    assert beside[0].level == pytest.approx(1 - 0.05 / 2)


def test_a_diverged_run_counts_as_the_worst_score_of_the_two():
    found = effects(runs(base=[10.0, 11.0, "diverged", 12.0], bad=[9.0, "diverged", "diverged", 14.0]))[0]
    assert [(dot.difference, dot.value, dot.base, dot.diverged) for dot in found.dots] == [
        (-1.0, 9.0, 10.0, ""),
        (3.0, None, 11.0, "variant"),
        (0.0, None, None, "both"),
        (2.0, 14.0, 12.0, ""),
    ]
    assert (found.arm.diverged, found.arm.runs, found.arm.mean) == (2, 4, 11.5)


def test_a_technique_under_which_every_run_diverges_is_no_better_than_the_worst():
    found = effects(runs(base=BASE, bad=["diverged"] * 5))[0]
    assert [dot.difference for dot in found.dots] == [2.0, 0.5, 3.0, 1.5, 0.0]
    assert effects(runs(base=["diverged"] * 5, bad=["diverged"] * 5))[0].undecided == "no pairs"


def test_a_failed_run_leaves_its_pair_out_and_is_counted():
    found = effects(runs(base=[*BASE, 9.0], other=[9.0, "failed", 8.0, 9.4, 11.0, "finished"]))[0]
    assert [dot.seed for dot in found.dots] == [0, 2, 3, 4]
    assert (found.arm.failed, found.arm.runs, found.undecided) == (2, 6, "few seeds")


def test_of_two_outcomes_of_a_run_the_last_counts():
    assert [dot.seed for dot in effects([*runs(base=["failed"], a=[1.0]), *runs(base=[2.0])])[0].dots] == [0]


def test_a_variant_stopped_early_is_never_called_worse():
    worse = [*(value + 20 + at for at, value in enumerate(BASE)), "stopped early"]
    found = effects(runs(base=[*BASE, 10.0], slow=worse))[0]
    assert (found.verdict, found.undecided, found.p_value, found.low) == ("not decided", "stopped early", None, None)
    assert len(found.dots) == 5
    assert found.mean == pytest.approx(22)


def test_looking_in_between_decides_nothing():
    good = [value - 5 + 0.1 * at for at, value in enumerate(BASE)]
    early = effects(runs(base=BASE, good=good), seeds=range(6))[0]
    assert (early.verdict, early.undecided, early.p_value) == ("not decided", "unfinished", None)
    assert effects(runs(base=BASE, good=good), seeds=range(5))[0].verdict == "helped"
    assert effects(runs(base=[*BASE, 9.0], good=[*good, "failed"]), seeds=range(6))[0].verdict == "helped"


def test_the_same_difference_at_every_seed_is_no_sample():
    for shift in (0.0, 0.1):
        found = effects(runs(base=BASE, same=[value + shift for value in BASE]))[0]
        assert (found.verdict, found.undecided, found.more_seeds) == ("not decided", "no spread", None)


def test_costs_are_of_an_image_and_of_runs_that_both_finished():
    told = [
        outcome("base", 0, 1.0, seconds=10, images=100, peak_memory_bytes=100),
        outcome("base", 1, 1.0, seconds=10, images=100, peak_memory_bytes=None),
        outcome("base", 2, 1.0, seconds=10, images=100),
        outcome("slow", 0, 1.0, seconds=10, images=50, peak_memory_bytes=150),
        outcome("slow", 1, 1.0, seconds=20, images=100),
        outcome("slow", 2, None, "diverged", seconds=1, images=100),
    ]
    found = effects(told)[0]
    assert (found.time, found.memory) == pytest.approx((2.0, 1.5))


def test_an_arm_counts_and_averages():
    told = [
        outcome("a", 0, 2.0, collapsed=True, peak_memory_bytes=None),
        outcome("a", 1, 4.0, collapsed=None, seconds=30.0, images=3000),
        outcome("a", 2, None, "diverged", collapsed=True),
        outcome("a", 3, None, "failed", collapsed=True),
        outcome("a", 4, 9.0, "stopped early"),
        outcome("b", 0, 99.0),
    ]
    found = arm(told, "a")
    assert (found.runs, found.diverged, found.failed, found.stopped) == (5, 1, 1, 1)
    assert (found.collapsed, found.examined) == (2, 2)
    assert (found.mean, found.spread, found.floor) == pytest.approx((3.0, np.sqrt(2), 0.5))
    assert (found.seconds, found.images, found.peak_memory_bytes) == (20.0, 2000.0, 1e9)
    assert arm(told, "none").mean is None


def test_scores_of_two_directions_are_no_study():
    with pytest.raises(ValueError, match="lower, one higher"):
        effects([outcome("base", 0, 1.0), outcome("a", 0, 1.0, better="higher")])


def test_without_a_base_or_without_anything_there_is_no_effect():
    assert effects([]) == ()
    assert effects([], variants=["a"])[0].undecided == "no pairs"
    assert effects(runs(a=[1.0, 2.0]))[0].dots == ()
