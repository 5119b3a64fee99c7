"""The score that picks the best checkpoint."""

from __future__ import annotations

import numpy as np
import pytest

from steadygan.features import Described
from steadygan.scoring.pick import FrechetToTraining


class OnePixel:
    """The level of red in the second row of the first column."""

    fingerprint = "one-pixel-1"

    def __call__(self, images):
        return Described(images[:, :1, 1, 0].float())


@pytest.fixture
def real():
    return np.random.default_rng(0).integers(0, 200, (300, 4, 4, 3), np.uint8)


def test_it_is_the_square_of_how_far_the_features_were_moved(real):
    picker = FrechetToTraining(real, OnePixel(), "abc")
    assert picker(real) == pytest.approx(0, abs=1e-6)
    moved = real.copy()
    moved[:, 1, 0, 0] += 5
    assert picker(moved) == pytest.approx(25, rel=1e-4)
    moved[:, 0, 1] += 5
    assert picker(moved) == pytest.approx(25, rel=1e-4)
    assert picker.count == 300


def test_its_protocol_names_the_features_the_number_and_the_data(real):
    protocols = {
        FrechetToTraining(images, OnePixel(), data).protocol
        for images, data in ((real, "abc"), (real, "abd"), (real[:200], "abc"))
    }
    assert len(protocols) == 3
    assert all("one-pixel-1" in protocol and "training of ab" in protocol for protocol in protocols)
