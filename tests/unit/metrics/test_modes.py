from __future__ import annotations

import numpy as np
import pytest
import torch

from steadygan.data.builtin import Glyphs, Ring, modes_recovered
from steadygan.data.builtin.stacked import stack, triples
from steadygan.errors import DataError
from steadygan.metrics.modes import Classifier, mode_divergence, modes_hit, nearest_modes, shares

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
