from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
import torch

from steadygan.errors import DataError
from steadygan.metrics.probe import (
    DECAYS,
    _batch,
    _best_decay,
    _coordinates,
    _logits,
    _path,
    convolution_probe,
    few_labels,
    linear_probe,
    mean_interval,
)

LABELS = torch.arange(600) % 3


def gaussians(centres, count, seed):
    """As many points of unit spread around each centre (K, D)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % len(centres)
    return centres[labels] + torch.randn(count, centres.shape[1], generator=generator), labels


def probed(centres, train=600, test=4000):
    return linear_probe(*gaussians(centres, train, 1), *gaussians(centres, test, 2), len(centres))


@pytest.mark.parametrize("distance", [0.5, 1.5, 3.0])
def test_two_gaussians_are_told_apart_almost_as_well_as_can_be(distance):
    """The best any rule can do is Φ(half their distance)."""
    centres = torch.zeros(2, 10)
    centres[1, 0] = distance
    best = NormalDist().cdf(distance / 2)
    assert best - 0.03 < probed(centres) < best + 3 * (best * (1 - best) / 4000) ** 0.5


def test_many_classes_in_a_plane_do_not_mask_each_other():
    """Least squares on one-hot targets would miss the middle of a line of classes, and half of a ring."""
    for centres in (
        torch.tensor([[-4.0, 0], [0, 0], [4, 0]]),
        4 * torch.view_as_real(torch.polar(torch.ones(8), torch.arange(8) * torch.pi / 4)),
    ):
        points, labels = gaussians(centres, 4000, 2)
        best = float((torch.cdist(points, centres).argmin(1) == labels).float().mean())
        assert probed(centres) > best - 0.02


def test_shuffled_labels_teach_nothing():
    features, _ = gaussians(torch.eye(4) * 5, 800, 0)
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(4, (800,), generator=generator)
    accuracy = linear_probe(features[:400], labels[:400], features[400:], labels[400:], 4)
    assert abs(accuracy - 0.25) < 4 * (0.25 * 0.75 / 400) ** 0.5


def test_more_labels_give_more():
    centres = torch.randn(5, 40, generator=torch.Generator().manual_seed(0)) / 3
    features, labels = gaussians(centres, 2000, 1)
    test = gaussians(centres, 2000, 2)
    found = []
    for count in (1, 8, 64):
        runs = [few_labels(labels, count, seed) for seed in range(3)]
        found.append(np.mean([linear_probe(features[part], labels[part], *test, 5) for part in runs]))
    assert found[0] + 0.05 < found[1] < found[2] - 0.05


def test_units_of_the_features_do_not_matter():
    generator = torch.Generator().manual_seed(5)
    train, test = gaussians(torch.eye(3, 30) * 2, 90, 1), gaussians(torch.eye(3, 30) * 2, 900, 2)
    scale, shift = torch.logspace(-3, 3, 30), torch.randn(30, generator=generator)
    plain = linear_probe(*train, *test, 3)
    changed = linear_probe(train[0] * scale + shift, train[1], test[0] * scale + shift, test[1], 3)
    assert changed == pytest.approx(plain, abs=0.003)
    assert plain == linear_probe(*train, *test, 3)


def test_a_feature_that_is_constant_in_training_has_no_say():
    (train, labels), (test, truth) = gaussians(torch.eye(3) * 3, 60, 1), gaussians(torch.eye(3) * 3, 300, 2)
    plain = linear_probe(train, labels, test, truth, 3)
    train, test = torch.cat([train, torch.full((60, 1), 7.0)], 1), torch.cat([test, 1000 * torch.randn(300, 1)], 1)
    assert linear_probe(train, labels, test, truth, 3) == plain


def test_features_without_any_difference_give_chance():
    labels = torch.arange(40) % 4
    assert linear_probe(torch.ones(40, 3), labels, torch.ones(40, 3), labels, 4) == 0.25


def test_turning_wide_features_keeps_all_their_products():
    train, test = torch.randn(12, 50).double(), torch.randn(7, 50).double()
    standard = [(x - train.mean(0)) / train.std(0, correction=0) / 50**0.5 for x in (train, test)]
    turned = _coordinates(train, test)
    assert turned[0].shape == (12, 12)
    for each, plain in zip(turned, standard, strict=True):
        assert torch.allclose(each @ turned[0].T, plain @ standard[0].T)
    assert torch.allclose(turned[0].square().sum(1).mean(), torch.ones((), dtype=torch.float64))


def test_the_weights_are_where_the_penalised_loss_is_flat_for_each_penalty():
    rows, labels = torch.randn(60, 4).double(), LABELS[:60]
    for decay, weights in zip((0.1, 0.001), _path(rows, labels, 3, (0.1, 0.001)), strict=True):
        shares = _logits(rows, weights).softmax(1)
        off = (shares - torch.eye(3).double()[labels]) / 60
        assert off.sum(0).abs().max() < 2e-5
        assert (rows.T @ off + decay * weights[1:]).abs().max() < 2e-5


def test_the_penalty_is_strong_where_nothing_can_be_learned_and_weak_where_much_can():
    noise = torch.randn(120, 8, generator=torch.Generator().manual_seed(0)).double()
    assert _best_decay(noise, LABELS[:120], 3) == max(DECAYS)
    assert _best_decay(noise / 10 + torch.eye(3, 8).double()[LABELS[:120]], LABELS[:120], 3) == min(DECAYS)


@pytest.mark.parametrize("count", [1, 4, 20])
def test_few_labels_are_so_many_of_each_class_and_grow_from_fewer(count):
    chosen = few_labels(LABELS, count, 2)
    assert LABELS[chosen].tolist() == [0] * count + [1] * count + [2] * count
    assert len(chosen.unique()) == 3 * count
    more = few_labels(LABELS, 30, 2).view(3, 30)
    assert torch.equal(chosen.view(3, count), more[:, :count])
    assert torch.equal(chosen, few_labels(LABELS, count, 2))
    assert not torch.equal(chosen, few_labels(LABELS, count, 3))


def test_mean_and_interval_of_three_values_by_hand():
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    assert (mean, low, high) == pytest.approx((2, 2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4)
    assert mean_interval([0.7]) == (0.7, None, None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"train_features": torch.full((6, 2), float("nan"))}, "not finite"),
        ({"test_features": torch.zeros(4, 3)}, "features"),
        ({"train_labels": torch.tensor([0, 1, 0, 1, 0])}, "give one for each"),
        ({"train_labels": torch.tensor([0, 1, 2, 0, 1, 3])}, "not in 0 to 2"),
        ({"test_labels": torch.tensor([0, 1, -1, 0])}, "not in 0 to 2"),
        ({"train_labels": torch.tensor([0, 1, 0, 1, 0, 1])}, "class 2 has no image to train on"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(change, said):
    given = {
        "train_features": torch.randn(6, 2),
        "train_labels": torch.arange(6) % 3,
        "test_features": torch.randn(4, 2),
        "test_labels": torch.arange(4) % 3,
    }
    with pytest.raises(DataError, match=said):
        linear_probe(**{**given, **change}, classes=3)


def test_a_class_with_too_few_labels_is_named():
    with pytest.raises(DataError, match="class 1 has 2 labelled images and 3 are needed"):
        few_labels(torch.tensor([0, 0, 0, 1, 1]), 3, 0)


def colours(count, seed, classes=2):
    """Noise, brighter on the left half in class 1."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    images = torch.randn(count, 1, 16, 16, generator=generator) / 3
    images[labels == 1, :, :, :8] += 0.5
    return images, labels


def test_convolutions_learn_what_is_there_and_nothing_else():
    test, train = colours(200, 0), colours(40, 1)
    assert convolution_probe([train], test, 2, steps=40, seed=0) > 0.95
    wrong = (train[0], 1 - train[1])
    assert convolution_probe([wrong], test, 2, steps=40, seed=0) < 0.05
    assert convolution_probe([train], test, 2, steps=0, seed=0) == pytest.approx(0.5, abs=0.2)


def test_every_source_has_the_same_part_in_a_batch_however_small():
    (first, _), (second, second_labels) = colours(3, 1), colours(300, 2)
    batch, labels = _batch([(first, torch.full((3,), 7)), (second, second_labels)])
    assert batch.shape == (64, 1, 16, 16)
    assert (labels == 7).tolist() == [True] * 32 + [False] * 32


def test_pictures_move_by_a_sixteenth_at_most_and_keep_their_labels():
    images = torch.arange(16.0).view(16, 1, 1, 1).expand(16, 1, 32, 32).clone()
    images[:, :, 10, 20] += 100
    seen = set()
    for _ in range(60):
        batch, labels = _batch([(images, torch.arange(16))])
        assert torch.equal(batch[:, 0, 0, 0].long(), labels)
        places = (batch >= 100).nonzero()[:, 2:].unique(dim=0)
        assert len(places) == 1
        seen.add(tuple(places[0].tolist()))
    assert {row for row, _ in seen} == set(range(8, 13))
    assert {column for _, column in seen} == set(range(18, 23))


def test_convolutions_give_the_same_number_again_and_leave_the_random_state_alone():
    state = torch.get_rng_state()
    found = [convolution_probe([colours(20, 1)], colours(100, 0), 2, steps=2, seed=seed) for seed in (3, 3, 4, 5)]
    assert found[0] == found[1]
    assert len(set(found)) > 1
    assert torch.equal(state, torch.get_rng_state())
