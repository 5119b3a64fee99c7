from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch

from steadygan.data.builtin import Glyphs, Ring, modes_recovered
from steadygan.data.builtin.stacked import stack, triples
from steadygan.errors import ConfigError, DataError
from steadygan.metrics.modes import Classifier, mode_divergence, modes_hit, nearest_modes, shares
from steadygan.networks import DCGAN, Points
from steadygan.studies.bench_modes import (
    ModesReport,
    ModesScore,
    RingTest,
    Trial,
    _summary,
    as_ring,
    bench_modes,
    open_test,
)
from steadygan.training.config import Budget, Optimizers, RunConfig
from steadygan.training.optim import Adam
from tiny import TINY

EVEN = np.full(1000, 1e-3)


@pytest.fixture(scope="module")
def glyphs():
    """2,500 digits of 16 pixels, with their labels; the last 500 are held out."""
    drawings = [Glyphs().draw(index, 16) for index in range(2500)]
    images = np.stack([drawing.image[..., 0] for drawing in drawings])
    return images, np.array([drawing.label for drawing in drawings]), np.arange(2000, 2500)


@pytest.fixture(scope="module")
def classifier(glyphs):
    return Classifier(*glyphs, shown=15_000)


def levels(*greys):
    """30 plain pictures of 8 pixels for each level of grey; the class is its number."""
    labels = np.arange(30 * len(greys)) % len(greys)
    return np.array(greys, np.uint8)[labels][:, None, None].repeat(8, 1).repeat(8, 2), labels


def test_modes_are_counted_once_each_whatever_their_number():
    assert modes_hit(np.array([3, 3, 999, 0, 3])) == 3
    assert modes_hit(np.full(500, 7)) == 1


def test_shares_are_those_of_the_samples_and_zero_where_there_are_none():
    assert shares(np.array([0, 2, 2, 2]), 4).tolist() == [0.25, 0, 0.75, 0]


def test_divergence_of_half_the_modes_is_the_logarithm_of_two():
    assert mode_divergence(np.arange(500), EVEN) == pytest.approx(np.log(2))
    assert mode_divergence(np.zeros(9, int), EVEN) == pytest.approx(np.log(1000))
    assert mode_divergence(np.arange(1000), EVEN) == pytest.approx(0, abs=1e-12)


def test_divergence_is_of_the_generated_shares_from_the_data_and_not_the_other_way():
    """KL((3/4, 1/4) ‖ (1/2, 1/2)) = ln 2 - H(1/4) = 0.1308; the other way it is 0.1438."""
    half, skew = np.array([0.5, 0.5]), np.array([0.75, 0.25])
    assert mode_divergence(np.array([0, 0, 0, 1]), half) == pytest.approx(0.130812, abs=1e-6)
    assert mode_divergence(np.array([0, 1]), skew) == pytest.approx(0.143841, abs=1e-6)


def test_divergence_is_finite_for_a_mode_that_is_missing_and_infinite_for_one_too_many():
    assert np.isfinite(mode_divergence(np.array([0, 0]), np.array([0.5, 0.5])))
    assert mode_divergence(np.array([0, 1]), np.array([1.0, 0.0])) == np.inf


def test_divergence_of_perfect_samples_is_the_bias_of_counting():
    rng = np.random.default_rng(0)
    values = [mode_divergence(rng.integers(0, 1000, 25_600), EVEN) for _ in range(20)]
    bias = 999 / (2 * 25_600)
    assert np.mean(values) == pytest.approx(bias, rel=0.03)


def test_a_point_belongs_to_the_nearest_middle_as_the_count_of_modes_has_it():
    ring = Ring()
    images, modes = ring.draw_many(0, 2500)
    points = images[:, 0, 0] / 127.5 - 1
    found = nearest_modes(points, ring.centres())
    np.testing.assert_array_equal(found, modes)
    assert modes_hit(found) == modes_recovered(points, ring)[0] == 8
    few = points[(modes == 2) | (modes == 5)]
    assert modes_hit(nearest_modes(few, ring.centres())) == modes_recovered(few, ring)[0] == 2


def test_held_out_digits_are_recognised(classifier, glyphs):
    images, labels, held_out = glyphs
    assert classifier.accuracy >= 0.98
    assert classifier.accuracy == (classifier(images[held_out]) == labels[held_out]).mean()
    assert classifier.classes == 10


def test_the_same_arguments_give_the_same_network_and_leave_the_random_state_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again, other = (Classifier(*levels(0, 200), np.arange(20), seed, shown=2_560) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [torch.cat([value.flatten() for value in c.network.state_dict().values()]) for c in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_classes_that_cannot_be_told_apart_are_refused():
    images, labels = levels(0, 0)
    with pytest.raises(DataError, match=r"2 classes cannot be told apart .* 98% are needed"):
        Classifier(images, labels, np.arange(20), shown=2_560)


def test_held_out_pictures_are_not_trained_on():
    """The third class is easily learned, but not by who has never seen it."""
    images, labels = levels(0, 100, 200)
    assert Classifier(images, labels, np.arange(20), shown=2_560).accuracy == 1
    with pytest.raises(DataError, match=r"apart .*: 0.0% of the held-out"):
        Classifier(images, labels, np.flatnonzero(labels == 2), shown=2_560)


def test_the_modes_of_stacks_are_those_of_their_three_channels(classifier, glyphs):
    images, labels, _ = glyphs
    which = triples(300, len(images))
    modes = classifier.stacked_modes(stack(images, which))
    np.testing.assert_array_equal(modes, classifier(images)[which] @ [100, 10, 1])
    assert (modes == labels[which] @ [100, 10, 1]).mean() > 0.94


def test_the_data_themselves_recover_all_thousand_modes_evenly(classifier, glyphs):
    images, labels, _ = glyphs
    modes = classifier(images)[triples(25_600, len(images))] @ [100, 10, 1]
    single = shares(labels, 10)
    assert modes_hit(modes) == 1000
    bias = 999 / (2 * 25_600)
    assert 0.9 * bias < mode_divergence(modes, np.einsum("a,b,c->abc", single, single, single).ravel()) < 1.3 * bias


def test_one_picture_repeated_is_one_mode(classifier, glyphs):
    images, labels, _ = glyphs
    modes = classifier.stacked_modes(stack(images, np.full((100, 3), [4, 5, 6])))
    assert modes_hit(modes) == 1
    assert modes[0] == 100 * labels[4] + 10 * labels[5] + labels[6]
    assert mode_divergence(modes, EVEN) == pytest.approx(np.log(1000))


def test_the_ring_itself_has_all_modes_evenly_and_points_of_one_mode_have_one():
    test = RingTest("builtin:ring", Ring())
    perfect = test.score(test.perfect(2500))
    assert perfect.modes == 8
    assert perfect.kl < 4 * 7 / (2 * 2500)
    assert perfect.high_quality == pytest.approx(1 - np.exp(-4.5), abs=0.01)
    images, modes = test.ring.draw_many(0, 800)
    one = test.score(images[modes == 3])
    assert (one.modes, one.kl) == (1, pytest.approx(np.log(8), abs=1e-4))


def test_a_recipe_on_the_ring_differs_in_networks_and_size_alone():
    adam = Adam(lr=7e-4)
    config = RunConfig(recipe="mine", size=32, batch=48, networks=DCGAN(width=9), ema={"half_life_images": 5},
                       optimizer=Optimizers(generator=adam, discriminator=adam))  # fmt: skip
    ring = as_ring(config)
    assert ring.networks == Points()
    assert ring.size is None
    assert ring.model_copy(update={"networks": config.networks, "size": 32}) == config
    assert as_ring(RunConfig(networks=Points(width=7))).networks == Points(width=7)


def test_a_summary_is_over_the_seeds_that_did_not_diverge():
    def trial(recipe, seed, score):
        return Trial(recipe=recipe, seed=seed, images=1, seconds=1.0, score=score)

    trials = [
        trial("a", 0, ModesScore(modes=10, kl=1.0)),
        trial("a", 1, ModesScore(modes=14, kl=1.5)),
        trial("a", 2, None),
        trial("b", 0, ModesScore(modes=8, kl=0.0, high_quality=0.5)),
    ]
    a, b = _summary("a", trials), _summary("b", trials)
    assert (a.runs, a.diverged, a.high_quality) == (3, 1, None)
    assert (a.modes.mean, a.modes.std) == (12, pytest.approx(8**0.5, abs=1e-4))
    assert (a.kl.mean, a.kl.std) == (1.25, pytest.approx(0.125**0.5, abs=1e-4))
    assert (b.modes.mean, b.modes.std, b.high_quality.mean) == (8, 0, 0.5)
    assert _summary("a", trials[2:3]).modes is None


def test_data_whose_modes_cannot_be_told_are_refused(tmp_path, pictures):
    with pytest.raises(ConfigError, match="builtin:critters has no modes to count; choose ring, stacked-glyphs"):
        open_test("builtin:critters", tmp_path)
    with pytest.raises(DataError, match="has no labels to tell modes by"):
        open_test(str(pictures), tmp_path, 16)


def idx_pair(folder, images, labels):
    """Files like those of MNIST."""
    folder.mkdir()
    for name, array in (("t-images-idx3-ubyte.gz", images), ("t-labels-idx1-ubyte.gz", labels.astype(np.uint8))):
        sizes = b"".join(length.to_bytes(4, "big") for length in array.shape)
        (folder / name).write_bytes(gzip.compress(bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()))
    return folder / "t-images-idx3-ubyte.gz"


@pytest.mark.slow
def test_recipes_on_the_ring_are_trained_and_scored_seed_by_seed(tmp_path):
    said = []
    report = bench_modes(
        "ring", ["dcgan", "steady"], range(2), Budget(images=640), 300, folder=tmp_path, say=said.append
    )
    assert [(trial.recipe, trial.seed) for trial in report.trials] == [
        ("dcgan", 0), ("dcgan", 1), ("steady", 0), ("steady", 1)
    ]  # fmt: skip
    assert all(trial.images == 640 and 0 <= trial.score.high_quality <= 1 for trial in report.trials)
    assert (report.modes, report.samples, report.accuracy, report.perfect.modes) == (8, 300, None, 8)
    assert [line.partition(":")[0] for line in said] == [f"{r}, seed {s}" for r in ("dcgan", "steady") for s in (0, 1)]
    assert ModesReport.model_validate_json(report.model_dump_json()) == report
    assert (tmp_path / "steady-1" / "run.json").is_file()


@pytest.mark.slow
def test_a_run_that_diverges_is_counted_and_the_others_go_on():
    wild = RunConfig(recipe="wild", networks=Points(), optimizer={"generator": {"kind": "adam", "lr": 1e30}})
    report = bench_modes("ring", [wild, "dcgan"], [0], Budget(images=1280), 100)
    assert [summary.diverged for summary in report.recipes] == [1, 0]
    assert report.trials[0].score is None
    assert report.trials[1].score is not None


@pytest.mark.slow
def test_two_recipes_of_one_name_are_refused_before_any_run(tmp_path):
    with pytest.raises(ConfigError, match="two recipes are called dcgan"):
        bench_modes("ring", ["dcgan", "steady", "dcgan"], [0], Budget(images=64), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_digits_of_an_idx_pair_are_stacked_trained_on_and_counted(tmp_path, glyphs):
    images, labels, _ = glyphs
    path = idx_pair(tmp_path / "digits", images, labels)
    settings = {**TINY, "size": 16}
    report = bench_modes(str(path), ["dcgan"], [0], Budget(steps=3), 2000, settings, tmp_path / "runs")
    assert report.accuracy > 0.98
    assert report.modes == 1000
    assert 800 < report.perfect.modes < 920  # of 2,000 draws among 1,000 modes some 865 differ
    assert 1 <= report.trials[0].score.modes < 300
    assert report.trials[0].score.kl > 2
