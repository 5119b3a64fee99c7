from __future__ import annotations

import numpy as np
import pytest
import torch

from steadygan.errors import DataError
from steadygan.metrics.inception_score import inception_score


def irregular(rows, columns, start):
    """Numbers in 0..1 that are the same on every machine and in every version."""
    numbers = torch.arange(start, start + rows * columns, dtype=torch.float64)
    return (numbers.square() * 0.6180339887498949 % 1).reshape(rows, columns)


def sure_of(*classes):
    return 100 * torch.eye(10)[list(classes)]


def test_sure_and_even_classes_score_their_number():
    assert inception_score(sure_of(*range(10), *range(10)), splits=2) == pytest.approx((10, 0))
    assert inception_score(sure_of(*[0, 1, 2] * 4), splits=2) == pytest.approx((3, 0))


def test_one_class_and_no_opinion_score_one():
    assert inception_score(sure_of(*[4] * 20)) == pytest.approx((1, 0))
    assert inception_score(torch.zeros(20, 10)) == pytest.approx((1, 0))


def test_score_by_hand():
    """Classes (3/4, 1/4) and (1/4, 3/4): ln 2 - H(1/4) = 0.130812."""
    logits = torch.tensor([[3.0, 1.0], [1.0, 3.0]]).log()
    assert inception_score(logits, splits=1) == pytest.approx((np.exp(0.130812), 0), abs=1e-6)


def test_parts_lie_in_the_order_given_and_their_deviation_is_that_of_all_parts():
    logits = sure_of(0, 1, 0, 1, 5, 5, 5, 5)
    assert inception_score(logits, splits=2) == pytest.approx((1.5, 0.5))
    assert inception_score(logits[[0, 4, 1, 5, 2, 6, 3, 7]], splits=2) != pytest.approx((1.5, 0.5), abs=0.1)


def test_score_agrees_with_torch_fidelity():
    """isc_features_to_metric of torch-fidelity 0.4.0, of these logits, with shuffle=False; parts of 6 and of 7."""
    expected = 1.5032106741457867, 0.11904200484527334
    assert inception_score(5 * irregular(64, 7, 0)) == pytest.approx(expected, rel=1e-9)


def test_score_rises_with_sureness():
    logits = torch.randn(500, 10)
    values = [inception_score(scale * logits)[0] for scale in (0.1, 1, 10)]
    assert 1 <= values[0] < values[1] < values[2] <= 10


def test_classes_that_no_image_is_of_do_no_harm():
    logits = torch.tensor([[0.0, -1e4, -2e4], [-50.0, -1e4, -3e4]] * 2)
    assert inception_score(logits, splits=2) == pytest.approx((1, 0))


def test_logits_that_have_no_score_are_refused():
    with pytest.raises(DataError, match="19 generated images are too few; give 20 or more"):
        inception_score(torch.zeros(19, 10))
    with pytest.raises(DataError, match="1 of 20 generated images are not finite"):
        inception_score(torch.zeros(20, 10).index_fill(0, torch.tensor([3]), torch.nan))
    with pytest.raises(DataError, match="table"):
        inception_score(torch.zeros(20))
