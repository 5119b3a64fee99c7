from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadygan.visual.walk import latent_walk, slerp, straight

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(2, 5, 64))


def test_a_quarter_circle_is_walked_at_even_angles() -> None:
    east, north = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    for t in (0.0, 0.25, 1 / 3, 0.5, 1.0):
        expected = [[np.cos(t * np.pi / 2), np.sin(t * np.pi / 2)]]
        np.testing.assert_allclose(slerp(east, north, t), expected, atol=1e-12)


def test_the_ends_are_the_vectors_themselves() -> None:
    np.testing.assert_allclose(slerp(A, B, 0), A, rtol=1e-12)
    np.testing.assert_allclose(slerp(A, B, 1), B, rtol=1e-12)


@given(st.floats(0, 1))
def test_lengths_change_linearly_on_the_way(t: float) -> None:
    expected = (1 - t) * np.linalg.norm(A, axis=1) + t * np.linalg.norm(B, axis=1)
    np.testing.assert_allclose(np.linalg.norm(slerp(A, B, t), axis=1), expected, rtol=1e-9)


def test_the_way_back_is_the_same_way() -> None:
    np.testing.assert_allclose(slerp(A, B, 0.3), slerp(B, A, 0.7), rtol=1e-9)


@pytest.mark.parametrize("factor", [1.0, 2.0, 1 + 1e-9])
def test_parallel_vectors_are_joined_by_a_straight_line(factor: float) -> None:
    np.testing.assert_allclose(slerp(A, factor * A, 0.5), (1 + factor) / 2 * A, rtol=1e-6)


def test_opposite_and_zero_vectors_stay_finite() -> None:
    assert np.isfinite(slerp(A, -A, 0.5)).all()
    np.testing.assert_allclose(slerp(np.zeros_like(A), A, 0.5), 0.5 * A)


def test_single_precision_stays_single() -> None:
    assert slerp(A.astype(np.float32), B.astype(np.float32), 0.5).dtype == np.float32


def test_each_row_is_walked_on_its_own() -> None:
    np.testing.assert_allclose(slerp(A, B, 0.4)[2:3], slerp(A[2:3], B[2:3], 0.4), rtol=1e-12)


def test_a_loop_passes_every_key_and_comes_back_without_a_jump() -> None:
    walk = latent_walk(A, frames_per_leg=10)
    assert walk.shape == (50, 64)
    np.testing.assert_allclose(walk[::10], A, rtol=1e-12)
    steps = np.linalg.norm(np.roll(walk, -1, axis=0) - walk, axis=1)
    assert steps.max() < 2 * steps.min()


def test_an_open_walk_ends_on_the_last_key() -> None:
    walk = latent_walk(A, frames_per_leg=4, loop=False)
    assert walk.shape == (17, 64)
    np.testing.assert_allclose(walk[::4], A, rtol=1e-12)


def test_a_straight_walk_goes_at_even_steps_and_stays_between_its_ends() -> None:
    walk = latent_walk(A, frames_per_leg=4, between=straight)
    np.testing.assert_allclose(np.diff(walk[:5], axis=0), np.tile((A[1] - A[0]) / 4, (4, 1)), atol=1e-12)
    assert straight(A.astype(np.float32), B.astype(np.float32), 0.5).dtype == np.float32
