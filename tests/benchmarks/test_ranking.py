from __future__ import annotations

import numpy as np
import ranking
import torch

from steadygan.features import Scattering


class Noisy:
    """A generator whose pictures are the reals and noise of so many grey levels."""

    def __init__(self, reals, levels):
        rng = np.random.default_rng(1)
        self.pictures = np.clip(reals + rng.normal(0, levels, reals.shape), 0, 255).astype(np.uint8)


def test_checkpoints_are_ranked_by_every_judge_and_the_ranks_correlate(monkeypatch, tmp_path):
    reals = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), np.uint8).repeat(4, 1).repeat(4, 2)
    steps = {"a": [60, 30, 9], "b": [50, 20, 5]}
    monkeypatch.setattr(ranking, "points_of", lambda run: [(n, Noisy(reals, v)) for n, v in enumerate(steps[run.name])])
    monkeypatch.setattr(ranking, "rows", lambda pictures: pictures)
    monkeypatch.setattr(Noisy, "sample", lambda self, count: self.pictures[:count], raising=False)
    scattering = ranking.distance_by(Scattering().build(torch.device("cpu")), reals)
    noise = lambda images: float(np.abs(images - reals.astype(float)).mean())  # noqa: E731
    runs = [tmp_path / name for name in steps]
    lines = ranking.table(
        [noise, scattering, lambda images: -noise(images)], ["noise", "fd", "odd"], runs, 40
    ).splitlines()
    assert len([line for line in lines if line.startswith("| a |")]) == 3
    assert "fd beside noise: 1.000 over 6 checkpoints; within runs 1.00, 1.00" in lines
    assert "odd beside noise: -1.000 over 6 checkpoints; within runs -1.00, -1.00" in lines
