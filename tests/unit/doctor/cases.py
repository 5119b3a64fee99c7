"""Hand-made cases for the doctor's rules: what a run would have written, told as names and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steadygan.doctor.case import SCORES, SIGNALS, Case, Series, series_of

Columns = Mapping[str, Sequence[float]]
NONE: Columns = {}
BATCH = 50


def case(
    ticks: Columns = NONE, signals: Columns = NONE, scores: Columns = NONE, images: int = 100_000, **fields: Any
) -> Case:
    """A run of so many images, by default at the end of its budget; each column is spread evenly over it.

    `fields` are those of `Case`; a column of one value stands at the end of the run.
    """
    series = {
        prefix + name: spread(values, images)
        for prefix, columns in (("", ticks), (SIGNALS, signals), (SCORES, scores))
        for name, values in columns.items()
    }
    return Case(series, **{"budget_images": images, "training": 10_000, "held_out": 1_000} | fields)


def spread(values: Sequence[float], images: int) -> Series:
    """Values at equal distances, the last one after all images."""
    seen = [images * (place + 1) // len(values) for place in range(len(values))]
    return series_of([(at // BATCH, at, value) for at, value in zip(seen, values, strict=True)])


def course(start: float, end: float, lines: int = 40, noise: float = 0.05, seed: int = 0) -> list[float]:
    """Values from one towards the other, quickly first and slowly then, each off by that share at random."""
    rng = np.random.default_rng(seed)
    way = 1 - np.exp(-4 * np.linspace(0, 1, lines))
    values: list[float] = ((start + (end - start) * way) * rng.normal(1, noise, lines)).tolist()
    return values


def health(ticks: Columns = NONE, signals: Columns = NONE, scores: Columns = NONE, **fields: Any) -> Case:
    """A run that goes well, with these columns in place of its own."""
    pictures = {
        "diversity": course(0.05, 0.3),
        "diversity_real": course(0.33, 0.33, noise=0),
        "rank": course(2, 14),
        "rank_real": course(18, 18, noise=0),
        "ms_ssim": course(0.9, 0.2),
        "ms_ssim_real": course(0.15, 0.15, noise=0),
        "twins": course(1, 0.03),
        "movement": course(0.9, 0.2),
        "distance": course(40, 5),
        "contrast": course(0.1, 0.22),
        "contrast_real": course(0.24, 0.24, noise=0),
    }
    layers = {
        f"{kind}.{player}.{layer}": course(2 * size, size)
        for kind, size in (("gradients", 1e-3), ("updates", 2e-3))
        for player in ("generator", "discriminator")
        for layer in ("first", "second", "last")
    }
    players = {"grad_norm_d": course(5, 1.2), "grad_norm_g": course(20, 1)}
    lr = {"lr_d": [2e-4] * 40, "lr_g": [2e-4] * 40}
    fields = {"loss": "non_saturating"} | fields
    return case(
        {**GAMES[fields["loss"]], **players, **lr, **ticks}, {**pictures, **layers, **signals}, scores, **fields
    )


def _game(loss_d: float, loss_g: float, real: float, fake: float, right: float) -> Columns:
    return {
        "loss_d": course(loss_d * 1.5, loss_d),
        "loss_g": course(loss_g * 0.5, loss_g),
        "d_real": course(real * 2, real),
        "d_fake": course(fake * 2, fake, seed=1),
        "accuracy_real": course(right, right, noise=0),
        "accuracy_fake": course(right, right, noise=0),
    }


GAMES: Mapping[str, Columns] = {  # what ticks say where all goes well, by the kind of loss
    "non_saturating": _game(0.4, 3.0, 3.0, -3.0, 0.93),
    "minimax": _game(1.1, -0.5, 0.6, -0.6, 0.7),
    "least_squares": _game(0.12, 0.3, 0.8, 0.2, 0.9),
    "hinge": _game(0.9, 0.6, 1.0, -0.7, 0.9),
    "wasserstein": _game(-3.0, 40.0, -40.0, -43.0, 0.5),
    "relativistic": _game(0.66, 0.85, 0.3, 0.2, 0.6),
    "relativistic_average": _game(1.2, 1.5, 0.5, 0.1, 0.6),
    "": _game(1.0, 1.0, 0.5, -0.5, 0.8),
}
