from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from scores import Bench, blur, colour, copying, dropping, grid, noise, repeating

from steadygan.errors import ConfigError, DataError
from steadygan.features import Described
from steadygan.scoring import Judge, choose_metrics, choose_reference
from steadygan.scoring import judge as judging
from steadygan.scoring.metrics import DEFAULT, AnyMetric, InceptionScore

MEMBERS = get_args(get_args(AnyMetric)[0])

WORSE = {
    "swd": noise,
    "fd": blur,
    "fd-infinity": noise,
    "kid": colour,
    "precision": noise,
    "recall": dropping,
    "density": noise,
    "coverage": repeating,
    "ms-ssim": repeating,
    "spectrum": blur,
    "checkerboard": grid,
    "colour": colour,
    "memorised": copying,
    "duplicates": repeating,
}
"""A disturbance that each metric must see; a new member without one fails."""


class WithClasses:
    """Features that are the mean colour, with two logits that a tint decides."""

    name, dimensions, classes, fingerprint = "tints", 3, 2, "tints-1"

    def __call__(self, images):
        means = images.float().mean((2, 3)) / 255
        return Described(means, 40 * torch.stack([means[:, 0], means[:, 2]], 1))


@pytest.fixture(scope="module")
def bench(scenes):
    reference = choose_reference(scenes, "all", 80)
    pool = np.setdiff1d(reference.pool, reference.other)
    reference = replace(reference, pool=pool)
    fresh, copied = (torch.cat(list(reference.pictures(part))) for part in (reference.other, pool))
    return Bench(reference, fresh, copied, np.random.default_rng(0))


@pytest.fixture(scope="module")
def judge(bench, extractor):
    return Judge(DEFAULT, bench.reference, extractor)


@pytest.fixture(scope="module")
def undisturbed(judge, bench):
    return {score.metric: score for score in judge([bench.fresh])}


def test_every_metric_has_a_disturbance_it_must_see():
    lacking = {kind().name for kind in MEMBERS} - {*WORSE, "is"}
    assert not lacking, f"add {lacking} to WORSE above, with a disturbance of benchmarks/scores.py"


@pytest.mark.parametrize("name", WORSE)
def test_a_metric_gets_worse_step_by_step(name, bench, extractor, undisturbed):
    one = Judge(choose_metrics([name]), bench.reference, extractor, repeats=0)
    levels = [one([WORSE[name](bench, level)])[0].value for level in (1, 2, 3)]
    before = undisturbed[name]
    sign = -1 if before.better == "higher" else 1
    assert np.all(np.diff(np.array(levels) * sign) >= 0), levels  # some are as bad as can be before the last
    assert sign * (levels[2] - before.value) > 2 * (before.high - before.value) + 1e-3, (before, levels)


@pytest.mark.parametrize("name", WORSE)
def test_fresh_reals_score_about_the_floor(name, undisturbed):
    score = undisturbed[name]
    reach = 3 * (score.high - score.value) + 1e-9
    assert abs(score.value - score.floor) <= reach
    if name not in {"ms-ssim", "checkerboard", "duplicates", "memorised"}:
        assert score.value == pytest.approx(score.floor)  # here the fresh reals are the very others


def test_a_score_does_not_depend_on_the_batches_its_pictures_come_in(judge, bench, undisturbed):
    for score in judge(bench.fresh.split(7)):
        assert score.value == pytest.approx(undisturbed[score.metric].value, rel=1e-4, abs=1e-6)


def test_the_first_pictures_of_a_longer_stream_are_scored(judge, bench, undisturbed):
    endless = iter(lambda: bench.fresh, None)
    scores = {score.metric: score.value for score in judge(endless)}
    assert scores["swd"] == pytest.approx(undisturbed["swd"].value)


def test_the_reals_themselves_are_at_distance_0(judge, bench):
    own = torch.cat(list(bench.reference.pictures(bench.reference.real)))
    scores = {score.metric: score for score in judge([own])}
    for name in ("swd", "fd", "spectrum", "colour"):
        assert scores[name].value == pytest.approx(0, abs=1e-6)
    assert scores["kid"].value < 0.01 * scores["fd"].floor
    assert scores["precision"].value == scores["recall"].value == 1


def test_the_inception_score_is_that_of_two_equal_classes(scenes):
    reference = choose_reference(scenes, "all", 80)
    tinted = torch.zeros(80, 3, 32, 32, dtype=torch.uint8)
    tinted[0::2, 0], tinted[1::2, 2] = 255, 255
    judge = Judge([InceptionScore(splits=1)], reference, WithClasses(), repeats=0)
    assert judge([tinted])[0].value == pytest.approx(2, abs=1e-6)
    assert judge([tinted[0::2].repeat(2, 1, 1, 1)])[0].value == pytest.approx(1, abs=1e-6)


def test_the_inception_score_asks_for_classes(bench, extractor):
    with pytest.raises(ConfigError, match="--features inception"):
        Judge([InceptionScore()], bench.reference, extractor)


def test_a_protocol_changes_with_all_that_decides_the_numbers_and_with_nothing_else(scenes, renamed, extractor):
    def protocol(reference, features=extractor, metric="fd"):
        judge = Judge(choose_metrics([metric]), reference, features, repeats=0)
        return judge(reference.pictures(reference.pool))[0].protocol

    plain = protocol(choose_reference(scenes))
    assert plain == protocol(choose_reference(scenes))
    others = [
        protocol(choose_reference(scenes, count=20)),
        protocol(choose_reference(scenes, seed=1)),
        protocol(choose_reference(scenes, "all", 40)),
        protocol(choose_reference(renamed("0" * 64))),
        protocol(choose_reference(scenes), WithClasses()),
        protocol(choose_reference(scenes), metric="kid"),
    ]
    assert len({plain, *others}) == 1 + len(others)
    assert "held-out" in plain
    assert "n=40" in plain


def test_too_few_pictures_say_how_many_there_are(judge, bench):
    with pytest.raises(DataError, match=r"are 50 generated pictures and 80 are needed; give more, or ask for -n 50"):
        judge([bench.fresh[:50]])


@pytest.mark.parametrize(
    "wrong",
    [torch.zeros(80, 3, 32, 32), torch.zeros(80, 1, 32, 32).byte(), torch.zeros(80, 3, 16, 16).byte()],
    ids=["float", "grey", "small"],
)
def test_pictures_of_another_form_are_refused(judge, wrong):
    with pytest.raises(DataError, match=r"must be uint8 \(N, 3, 32, 32\) like the reals"):
        judge([wrong])


def test_features_that_are_no_numbers_are_refused(bench):
    class Broken(WithClasses):
        fingerprint = "broken-1"

        def __call__(self, images):
            return Described(torch.full((len(images), 3), math.nan))

    with pytest.raises(DataError, match=r"not a number|finite"):
        Judge(choose_metrics(["fd"]), bench.reference, Broken(), repeats=0)([bench.fresh])


def test_the_pictures_nearest_to_training_images_are_found(bench, extractor):
    judge = Judge(choose_metrics(["memorised"]), bench.reference, extractor, repeats=0)
    mixed = bench.fresh.clone()
    mixed[[5, 60]] = bench.pool[[2, 11]]
    fake, training, held_out = judge.closest(judge.rows([mixed]), 2, len(mixed))
    assert set(fake.tolist()) == {5, 60}
    assert set(training.tolist()) == set(bench.reference.pool[[2, 11]].tolist())
    assert set(held_out.tolist()) <= set(bench.reference.real.tolist())


def test_no_training_image_hides_the_others_that_were_copied(bench, extractor):
    judge = Judge(choose_metrics(["memorised"]), bench.reference, extractor, repeats=0)
    mixed = bench.fresh.clone()
    mixed[:8], mixed[8] = bench.pool[2], bench.pool[11]
    fake, training, _ = judge.closest(judge.rows([mixed]), 10, len(mixed))
    assert set(training[:2].tolist()) == set(bench.reference.pool[[2, 11]].tolist())
    assert len(set(training.tolist())) == len(set(fake.tolist())) == 10


def test_a_misspelled_metric_is_answered_with_the_one_that_was_meant():
    with pytest.raises(ConfigError, match=r"no metric 'fid' \(did you mean fd with --features inception\?\)"):
        choose_metrics(["fid"])
    with pytest.raises(ConfigError, match="did you mean coverage"):
        choose_metrics(["coverge"])


def test_dropping_modes_lowers_recall_more_than_precision(bench, extractor, undisturbed):
    judge = Judge(choose_metrics(["precision", "recall"]), bench.reference, extractor, repeats=0)
    precision, recall = (score.value for score in judge([dropping(bench, 3)]))
    assert undisturbed["recall"].value - recall > undisturbed["precision"].value - precision


@pytest.mark.parametrize("name", ["precision", "fd", "kid", "ms-ssim"])
def test_an_interval_ends_where_its_metric_does(name, bench, extractor, monkeypatch):
    [metric] = choose_metrics([name])
    monkeypatch.setattr(judging, "interval", lambda *_: (-1e6, 1e6))
    [score] = Judge([metric], bench.reference, extractor)([bench.fresh])
    assert (score.low, score.high) == (max(-1e6, metric.lowest), min(1e6, metric.highest))
    assert score.low <= score.value <= score.high


def test_metrics_end_where_their_formulas_do():
    ends = {kind().name: (kind.lowest, kind.highest) for kind in MEMBERS}
    for name in ("precision", "recall", "coverage", "ms-ssim", "memorised", "duplicates"):
        assert ends[name] == (0, 1), name
    assert ends["fd"] == ends["swd"] == (0, math.inf)
    assert ends["kid"] == (-math.inf, math.inf), "an unbiased estimate may be negative"
