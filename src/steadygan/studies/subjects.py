"""Whatever makes pictures that can be scored: a run, an exported generator, a folder of pictures, the user's code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from steadygan.config import python_function
from steadygan.data import Dataset, PrepareSettings, is_dataset, open_dataset, prepare_cached
from steadygan.errors import DataError
from steadygan.export import TrainedGenerator, load
from steadygan.ops.images import to_uint8
from steadygan.runs import Run, run_at
from steadygan.scoring.describe import BATCH
from steadygan.scoring.reference import Reference
from steadygan.training.config import RunConfig
from steadygan.training.exported import is_exported
from steadygan.training.sampling import generate, labels_in_turn
from steadygan.training.seeds import fixed_latents

Made = Tensor | np.ndarray[Any, Any]
Subject = str | Path | Iterable[Made] | Callable[[int], Made | Iterable[Made]]


class PictureSource(Protocol):
    """Where pictures to be scored come from; `available` is how many there are, None where there is no end."""

    @property
    def available(self) -> int | None: ...

    def pictures(self, reference: Reference, seed: int) -> Iterator[Tensor]:
        """Batches uint8 (N, C, S, S), at least `reference.count` pictures where there are as many."""


@dataclass(frozen=True)
class Generated:
    """A trained generator. Its labels, if it knows classes, are those of the reals it is compared with."""

    model: TrainedGenerator
    device: torch.device
    available: int | None = None

    def pictures(self, reference: Reference, seed: int) -> Iterator[Tensor]:
        model = self.model.to(self.device)
        latents = fixed_latents(range(reference.count), model.latent, seed, "evaluate")
        for part in zip(*(one.split(BATCH) for one in (latents, *self._labels(reference))), strict=True):
            yield generate(model, *part, batch=BATCH)

    def _labels(self, reference: Reference) -> tuple[Tensor, ...]:
        labels = reference.dataset.labels
        if labels is None or reference.dataset.spec.classes != self.model.classes:
            return labels_in_turn(range(reference.count), self.model.classes)
        return (torch.from_numpy(labels[reference.real]),)


@dataclass(frozen=True)
class Pictures:
    """A set of pictures that somebody made."""

    dataset: Dataset

    @property
    def available(self) -> int:
        return len(self.dataset)

    def pictures(self, reference: Reference, seed: int) -> Iterator[Tensor]:
        drawn = np.random.default_rng(seed).permutation(len(self.dataset))[: reference.count]
        yield from Reference(self.dataset, "all", seed, drawn, drawn, drawn).pictures(drawn)


@dataclass(frozen=True)
class OwnPictures:
    """Code of the user's: an iterable of batches, or a function of how many pictures are wanted that gives them."""

    source: Iterable[Made] | Callable[[int], Made | Iterable[Made]]
    available: int | None = None

    def pictures(self, reference: Reference, seed: int) -> Iterator[Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made: Any = self.source(reference.count) if callable(self.source) else self.source
            if not isinstance(made, Iterable):
                raise DataError(f"pictures must come as batches (N, C, H, W), not as {type(made).__name__}")
            for batch in [made] if isinstance(made, Tensor | np.ndarray) else made:
                yield from _as_pictures(batch).split(BATCH)


def _as_pictures(batch: Any) -> Tensor:
    """uint8 (N, C, H, W) as they are; floats in -1..1 as pictures."""
    if not isinstance(batch, Tensor | np.ndarray):
        raise DataError(f"a batch of pictures is a tensor or an array, not {type(batch).__name__}")
    images = torch.as_tensor(batch).detach().cpu()
    if images.ndim != 4 or not len(images):
        raise DataError(f"a batch of pictures has four axes (N, C, H, W), not the shape {tuple(images.shape)}")
    if images.dtype == torch.uint8:
        return images
    if not images.is_floating_point() or not bool((images.abs() <= 1.5).all()):
        raise DataError("pictures are uint8 in 0..255, or finite floats in -1..1; bring them there")
    if float(images.min()) >= 0:
        raise DataError("pictures as floats lie in -1..1, and these in 0..1: give 2 * pictures - 1")
    return to_uint8(images)


def digest_of(model: TrainedGenerator | None) -> str | None:
    """The digest of the set that a generator was trained on, where it is known."""
    return model.about.get("trained_on") if model else None


def trained(subject: Subject, checkpoint: str, recipe: str | RunConfig | None = None) -> TrainedGenerator | None:
    """The generator of a run, of one of its checkpoints or of an exported file; None if the subject is none of them."""
    if run_of(subject) is None and not (is_path(subject) and is_exported(Path(str(subject)))):
        return None
    return load(str(subject), checkpoint, recipe)


def run_of(subject: Subject) -> Run | None:
    """The run that the subject is, or is a checkpoint of."""
    return run_at(Path(str(subject))) if is_path(subject) else None


def is_path(subject: Subject) -> bool:
    """Whether the subject is a file or a folder, and no code."""
    return isinstance(subject, str | Path) and ".py:" not in str(subject)


def choose_source(
    subject: Subject, model: TrainedGenerator | None, like: Dataset, device: torch.device
) -> PictureSource:
    """What makes the pictures; those of a folder are brought to the form of the set `like`."""
    if model is not None:
        return Generated(model, device)
    if not isinstance(subject, str | Path):
        return OwnPictures(subject, len(subject) if isinstance(subject, Tensor | np.ndarray) else None)
    if not is_path(subject):
        return OwnPictures(python_function("evaluate", str(subject)))
    if is_dataset(Path(subject)):
        return Pictures(open_dataset(subject))
    channels = {1: "grey", 3: "rgb"}.get(like.spec.channels, "auto")
    settings = PrepareSettings.model_validate({"size": like.spec.size, "channels": channels, "held_out": 0})
    return Pictures(prepare_cached(subject, settings))
