"""Labelled images to learn from and to be judged on, for studies that train small classifiers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel
from torch import Tensor

from steadygan.data import Dataset
from steadygan.errors import DataError
from steadygan.metrics.probe import few_labels, mean_interval
from steadygan.runs import Run, SavedCheckpoint

Indices = NDArray[np.int64]

_JUDGED = 2_000
_SETTLING = 512


class Estimate(BaseModel):
    """A mean over the seeds with its 95% interval by Student's t, which a single seed does not have.

    The interval is of other draws of labels and weights, judged on the same held-out images.
    """

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float], least: float = 0.0) -> Estimate:
        """The estimate from one value for each seed; the interval ends at `least` and 1, beyond which no value is."""
        mean, low, high = mean_interval(values)
        return cls(mean=mean, low=None if low is None else max(least, low), high=None if high is None else min(1, high))

    def __str__(self) -> str:
        reach = "" if self.low is None or self.high is None else f" ({self.low:.1%} to {self.high:.1%})"
        return f"{self.mean:.1%}{reach}"


class LabelledReport(BaseModel, ABC):
    """What reports of such studies share. `chance` is the share of the most frequent class among those `judged`."""

    run: str
    checkpoint: str
    images: int
    classes: int
    judged: int
    seeds: int
    chance: float
    same_data: bool

    @abstractmethod
    def table(self) -> str:
        """The figures as Markdown, with `about` below."""

    def about(self) -> list[str]:
        """Sentences that belong below the table."""
        notes = [f"Judged on {self.judged:,} held-out images; always the most frequent class: {self.chance:.1%}."]
        if not self.same_data:
            notes.append("These are not the images of the run, which may have been trained on some that are judged.")
        return notes


@dataclass(frozen=True)
class Labelled:
    """A data set with labels and held-out images; DataError for one that lacks either."""

    dataset: Dataset

    def __post_init__(self) -> None:
        if self.dataset.labels is None:
            raise DataError(f"{self.dataset.path} has no labels; prepare it from a folder for each class")
        if not len(self.dataset.held_out):
            raise DataError(
                f"{self.dataset.path} holds no images out to judge on; prepare it again with --held-out 0.1"
            )

    @cached_property
    def labels(self) -> Tensor:
        """Labels int64 (N,) of all images."""
        return torch.from_numpy(np.array(self.dataset.labels))

    @cached_property
    def judged(self) -> Indices:
        """The held-out images to judge on, up to 2,000 of them, evenly spread."""
        held = self.dataset.held_out
        count = min(_JUDGED, len(held))
        return held[np.arange(count) * len(held) // count]

    def pictures(self, indices: Indices) -> Tensor:
        """uint8 (N, C, S, S)."""
        return torch.from_numpy(np.array(self.dataset.images[indices])).permute(0, 3, 1, 2)

    def few(self, per_class: int, seed: int) -> Indices:
        """Training images, so many of each class, class after class; fewer of one seed begin those of more."""
        training = self.dataset.training
        return training[few_labels(self.labels[training], per_class, seed).numpy()]

    @property
    def settling(self) -> Tensor:
        """Training images to measure batch norms on, up to 512, drawn at random and always the same."""
        return self.pictures(np.random.default_rng(0).permutation(self.dataset.training)[:_SETTLING])

    @property
    def least(self) -> int:
        """How many training images the smallest class has."""
        return int(self.labels[self.dataset.training].bincount(minlength=self.dataset.spec.classes).min())

    def possible(self, asked: Sequence[int]) -> list[int]:
        """Those of the numbers that every class has for training, ascending; DataError if it is none."""
        if counts := sorted({count for count in asked if 1 <= count <= self.least}):
            return counts
        raise DataError(
            f"the smallest class of {self.dataset.path} has {self.least} images to train on, and "
            f"{min(asked, default=1)} of each are asked for; ask for fewer, or leave that class out"
        )

    def must_fit(self, run: Path, classes: int) -> None:
        """DataError unless the run's images have this form, with so many `classes`."""
        trained = Run(run).info().data.spec
        if trained.model_copy(update={"classes": classes}) != self.dataset.spec:
            raise DataError(
                f"{run} was trained on images of {trained}, not {self.dataset.spec}; give images like those"
            )

    def facts(self, run: Path, saved: SavedCheckpoint, seeds: int) -> dict[str, Any]:
        """The fields of a `LabelledReport`."""
        return {
            "run": str(run),
            "checkpoint": saved.name,
            "images": saved.images,
            "classes": self.dataset.spec.classes,
            "judged": len(self.judged),
            "seeds": seeds,
            "chance": float(self.labels[self.judged].bincount().max() / len(self.judged)),
            "same_data": Run(run).info().data.digest == self.dataset.digest,
        }


def markdown(lines: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """A table whose first line is its head, and sentences below it."""
    head, *rest = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([head, "|" + " --- |" * len(lines[0]), *rest, "", *notes])
