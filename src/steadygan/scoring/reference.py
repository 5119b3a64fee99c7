"""Which reals generated pictures are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steadygan.data import Dataset
from steadygan.errors import DataError
from steadygan.scoring.describe import BATCH
from steadygan.spec import LEAST_SCORED

__all__ = ["choose_reference"]

Split = Literal["held-out", "training", "all"]

_POOL = 20_000


@dataclass(frozen=True)
class Reference:
    """Reals to compare with, and as many others that show what reals score.

    `real`, `other` and `pool` are indices int64; `pool` are training images, up to 20,000, to look for copies among.
    """

    dataset: Dataset
    split: Split
    seed: int
    real: NDArray[np.int64]
    other: NDArray[np.int64]
    pool: NDArray[np.int64]

    @property
    def count(self) -> int:
        """How many pictures stand on each side."""
        return len(self.real)

    def pictures(self, indices: NDArray[np.int64]) -> Iterator[Tensor]:
        """Images of the set by their indices, uint8 (at most `BATCH`, C, S, S)."""
        for start in range(0, len(indices), BATCH):
            yield torch.from_numpy(self.dataset.images[indices[start : start + BATCH]]).permute(0, 3, 1, 2).contiguous()


def choose_reference(dataset: Dataset, split: Split = "held-out", count: int | None = None, seed: int = 0) -> Reference:
    """Draw reals from a split of a set, all of it or `count`, and as many others from the rest.

    The others are training images where those held out are compared with, and the other way round, so that the floor
    is what a generator that had learned the training images' distribution would score. DataError if there are not
    enough.
    """
    if dataset.spec.size == 1:
        raise DataError("these are points, not pictures; count their modes with `steadygan bench modes --data ring`")
    rng = np.random.default_rng(seed)
    everything = np.arange(len(dataset))
    first = {"held-out": dataset.held_out, "training": dataset.training, "all": everything}[split]
    rest = np.setdiff1d(everything, first) if split == "held-out" else first
    number = min(len(first), len(rest)) if split == "held-out" else len(first) // 2
    number = min(number, count or number)
    if number < LEAST_SCORED:
        raise DataError(_too_few(dataset, split, number, count))
    real = rng.permutation(first)[:number]  # in no order: pairs and blocks are taken of neighbours
    other = rng.permutation(np.setdiff1d(rest, real))[:number]
    pool = np.sort(rng.permutation(np.setdiff1d(dataset.training, real))[:_POOL])
    return Reference(dataset, split, seed, real, other, pool)


def _too_few(dataset: Dataset, split: Split, number: int, count: int | None) -> str:
    if number == count:
        return f"{number} pictures on each side say nothing; at least {LEAST_SCORED} are needed, so give a larger -n"
    if split == "held-out" and len(dataset.held_out) < LEAST_SCORED <= len(dataset) // 2:
        return (
            f"{dataset.path} holds {len(dataset.held_out)} images out of training and at least {LEAST_SCORED} are "
            "needed to compare with; prepare it with --held-out 0.2, or compare with what was trained on: --split "
            "training"
        )
    return (
        f"{dataset.path} has {number} of {len(dataset)} images for each side and at least {LEAST_SCORED} are needed to "
        "compare with; add images, and prepare them anew"
    )
