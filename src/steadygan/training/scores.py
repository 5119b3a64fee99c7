"""What a run measures itself by: one score picks the best checkpoint, others, of held-out images, are reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from steadygan.data.indices import evenly
from steadygan.features import Scattering
from steadygan.metrics.sliced_wasserstein import SlicedWassersteinToReals
from steadygan.records import DatedScore, Score
from steadygan.scoring import Judge, choose_reference
from steadygan.scoring.pick import FrechetToTraining
from steadygan.spec import LEAST_SCORED
from steadygan.training.sampling import rows
from steadygan.training.seeds import fixed_latents
from steadygan.training.session import Session
from steadygan.training.snapshot import Snapshot, shuffled_labels

_REALS = 512
_SMALLEST_DESCRIBED = 16


class Picker(Protocol):
    """The score that picks the best checkpoint: of `count` pictures uint8 (N, S, S, C), lower is better."""

    name: str
    says: str
    protocol: str
    count: int

    def __call__(self, fake: NDArray[np.uint8]) -> float: ...


@dataclass(frozen=True)
class Scores:
    """The score that picks, of pictures of one seed; and the judge, of others, if there are enough held-out images."""

    picker: Picker
    judge: Judge | None

    def pick(self, session: Session, now: Snapshot) -> DatedScore:
        """The score that picks."""
        count = self.picker.count
        latents = fixed_latents(range(count), session.latents, session.config.seed, "scores")
        name, says, protocol = self.picker.name, self.picker.says, self.picker.protocol
        value = self.picker(rows(now.pictures(latents, *shuffled_labels(session, count))))
        return _dated(session, Score(metric=name, value=value, says=says, protocol=protocol))

    def report(self, session: Session, now: Snapshot) -> list[DatedScore]:
        """The scores against held-out images; none without a judge."""
        if self.judge is None:
            return []
        reference = self.judge.reference
        latents = fixed_latents(range(reference.count), session.latents, session.config.seed, "held-out scores")
        labels = reference.dataset.labels
        given = () if labels is None else session.given(torch.from_numpy(labels[reference.real]))
        found = self.judge(now.batches(latents, *given))
        return [_dated(session, score) for score in found]


def _dated(session: Session, score: Score) -> DatedScore:
    return score.at(session.progress.steps, session.progress.images)


def choose_scores(session: Session) -> Scores | None:
    """How this run is scored; None in all processes but the first."""
    return Scores(_picker(session), _judge(session)) if session.runtime.main else None


def _picker(session: Session) -> Picker:
    """By features of training images; points and the smallest pictures have none worth the name."""
    training, images = session.dataset.training, session.dataset.images
    count = len(training)
    if session.dataset.spec.size < _SMALLEST_DESCRIBED:
        return SlicedWassersteinToReals(images[training[evenly(count, _REALS)]])
    extractor = Scattering().build(session.runtime.device)
    return FrechetToTraining(
        images[training[evenly(count, min(count, _REALS))]], extractor, session.dataset.digest[:12]
    )


def _judge(session: Session) -> Judge | None:
    """The judge by held-out images; None if it is off, or if there are too few of them."""
    settings, dataset = session.config.scores, session.dataset
    few = min(len(dataset.held_out), len(dataset.training)) < LEAST_SCORED or dataset.spec.size < _SMALLEST_DESCRIBED
    if not settings.metrics or few:
        return None
    reference = choose_reference(dataset, "held-out", settings.count)  # the same for every seed of the run
    return Judge(settings.metrics, reference, settings.features.build(session.runtime.device), repeats=0)
