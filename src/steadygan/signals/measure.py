"""One line of signals: everything the doctor reads of a game at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from steadygan.data import Dataset
from steadygan.data.indices import evenly
from steadygan.metrics.neighbours import nearest
from steadygan.metrics.sliced_wasserstein import SlicedWassersteinToReals
from steadygan.ops.images import from_uint8, to_uint8
from steadygan.signals import leak, pictures
from steadygan.signals.layers import gradients, updates
from steadygan.signals.players import Batch, Players
from steadygan.signals.units import Units
from steadygan.signals.untouched import untouched

COUNT = 64
"""Pictures that are looked at, and reals beside them."""

_POOL = 2048  # training images at most among which copies are searched
_GROUPS = 8  # of so many reals as there are pictures, for what is read off their extremes
_FEWEST = 16  # held-out images, below which nothing is said of them

Known = float | tuple[float, ...] | None


@dataclass(frozen=True)
class Reals:
    """Images of the data set that pictures are compared with, the same at every moment of a run.

    `labelled` if the networks are told the classes; `mirror` if training flips images left to right.
    """

    dataset: Dataset
    device: torch.device
    labelled: bool
    mirror: bool

    def batch(self, indices: np.ndarray[Any, Any]) -> Batch:
        """These images as a game takes them."""
        images = from_uint8(self._pictures(indices).to(self.device))
        labels = self.dataset.labels if self.labelled else None
        return images, *(() if labels is None else (torch.from_numpy(labels[indices]).to(self.device),))

    def _pictures(self, indices: np.ndarray[Any, Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.dataset.images[indices])).permute(0, 3, 1, 2)

    def _training(self, count: int) -> np.ndarray[Any, Any]:
        return self.dataset.training[evenly(len(self.dataset.training), count)]

    @cached_property
    def real(self) -> Batch:
        return self.batch(self._training(COUNT))

    @cached_property
    def held_out(self) -> Batch:
        """() if there are too few."""
        held = self.dataset.held_out
        return self.batch(held[evenly(len(held), min(COUNT, len(held)))]) if len(held) >= _FEWEST else ()

    @cached_property
    def sample(self) -> Tensor:
        """Pictures uint8 of more reals, for what is read off their extremes or their covariance."""
        return self._pictures(self._training(min(_GROUPS * COUNT, max(COUNT, len(self.dataset.training)))))

    @cached_property
    def pool(self) -> Tensor:
        """Thumbnails of the training images, or of many; mirrored too where training mirrors them."""
        shown = self._pictures(self._training(min(_POOL, len(self.dataset.training))))
        return pictures.small(torch.cat([shown, shown.flip(3)]) if self.mirror else shown)

    @cached_property
    def far(self) -> Tensor | None:
        """Distances of held-out images to the nearest of the pool, ascending; None if there are too few."""
        held = self.dataset.held_out
        if len(held) < _FEWEST:
            return None
        some = held[evenly(len(held), min(_GROUPS * COUNT, len(held)))]
        return nearest(pictures.small(self._pictures(some)), self.pool)[0]

    @cached_property
    def twin_limit(self) -> float:
        return pictures.twin_limit(
            [rows for rows in torch.split(pictures.small(self.sample), COUNT) if len(rows) == COUNT]
        )

    @cached_property
    def distance(self) -> SlicedWassersteinToReals:
        return SlicedWassersteinToReals(self.dataset.images[self._training(COUNT)])

    @cached_property
    def known(self) -> dict[str, Known]:
        """What the reals themselves have of what is measured of pictures, as `NAME_real`."""
        shown = to_uint8(self.real[0]).cpu()
        rows = pictures.small(shown)
        found = pictures.looks(shown) | {"diversity": pictures.diversity(rows), "rank": pictures.rank(rows)}
        return {f"{name}_real": value for name, value in found.items()}


@dataclass
class Measure:
    """Measures a game, again and again; `before` are the thumbnails of the last time."""

    reals: Reals
    before: Tensor | None = None
    _augmented: dict[float, Tensor] = field(default_factory=dict)

    def __call__(self, players: Players, moved: Mapping[str, Mapping[nn.Parameter, Tensor]]) -> dict[str, Any]:
        """Fields of `records.Signals`; `moved` is by player what the last update took from each parameter.

        Nothing of the game changes by it, see `untouched`. This waits for the device.
        """
        networks = {"generator": players.generator, "discriminator": players.discriminator}
        found: dict[str, Any] = {
            "gradients": {name: gradients(network) for name, network in networks.items()},
            "updates": {name: updates(network, moved[name]) for name, network in networks.items() if moved.get(name)},
        }
        with untouched(*networks.values(), players.show):
            units = {name: Units() for name in networks}
            made = players.made(units["generator"].watch(players.generator))
            judge = units["discriminator"].watch(players.discriminator)
            found |= players.opinions(judge, self.reals.real, self.reals.held_out, made)
            found["dead"] = {name: share for name, one in units.items() if (share := one.dead()) is not None}
            found["inputs"] = players.inputs(self.reals.real)
            found["augment"] = players.augment
            modes = players.modes()
            fake = players.pictures(made, self.reals.dataset.spec.size).cpu()
            found["leak"] = self._leak(players, fake)
        found = _numbers(found)
        found |= {name: _numbers(value) for name, value in (self._compared(fake) | self.reals.known).items()}
        contrast = found.get("contrast")
        found["modes"] = _numbers(float(modes) / 2 / contrast) if modes is not None and contrast else None
        return found

    def _compared(self, fake: Tensor) -> dict[str, Known]:
        """What is seen of pictures beside reals."""
        rows, before, reals = pictures.small(fake), self.before, self.reals
        self.before = rows
        diversity = reals.known["diversity_real"]
        assert isinstance(diversity, float)
        found = pictures.looks(fake) | {
            "diversity": pictures.diversity(rows),
            "rank": pictures.rank(rows),
            "twins": pictures.twins(rows, reals.twin_limit),
            "distance": reals.distance(fake.permute(0, 2, 3, 1).numpy()),
        }
        far = reals.far
        copied = None if far is None else pictures.copies(rows, reals.pool, far)
        moved = pictures.movement(rows, before) / diversity if before is not None and diversity else None
        return {**found, "copies": copied, "movement": moved}

    def _leak(self, players: Players, fake: Tensor) -> float | None:
        """None where nothing is augmented."""
        if isinstance(players.show, nn.Identity) or fake.shape[-1] == 1:
            return None
        strength = float(getattr(players.show, "amount", 0.0))
        if strength not in self._augmented:
            shown = [
                players.show(from_uint8(part.to(self.reals.device))) for part in torch.split(self.reals.sample, COUNT)
            ]
            self._augmented = {strength: leak.areas(to_uint8(torch.cat(shown)).cpu())}
        return leak.leak(leak.areas(fake), self._augmented[strength], leak.areas(self.reals.sample))


def _numbers(value: Any) -> Any:
    """Tensors as numbers of five digits, in whatever groups they are."""
    if isinstance(value, Mapping):
        return {name: _numbers(inner) for name, inner in value.items()}
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return tuple(_numbers(inner) for inner in value)
    return float(f"{value:.5g}") if isinstance(value, float) else value
