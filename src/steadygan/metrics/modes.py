"""How many modes of a data set a generator covers, and how evenly: counts and divergences of predicted classes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from steadygan.errors import DataError
from steadygan.ops.images import from_uint8

Classes = NDArray[np.int64]
Images = NDArray[np.uint8]

LEAST_ACCURACY = 0.98
"""Below it, mistakes alone would fill modes that a generator lacks."""

_BATCH = 64
_AT_ONCE = 512
_LR = 3e-3
_SHIFT = 2


def modes_hit(classes: Classes) -> int:
    """Modes with at least one sample. Metz et al. (2017), section 3.3.1. `classes`: (N,)."""
    return len(np.unique(classes))


def shares(classes: Classes, modes: int) -> NDArray[np.float64]:
    """The share of each mode among samples (N,) of classes 0 to modes - 1: (modes,), sum 1."""
    return np.bincount(classes, minlength=modes) / len(classes)


def mode_divergence(classes: Classes, data: NDArray[np.float64]) -> float:
    """KL(generated ‖ data) between shares of modes, in nats; the reverse KL of Metz et al. (2017), section 3.3.1.

    sum_k g_k ln(g_k / p_k) with g the shares among `classes` (N,) and p = `data` (K,), the shares of the data or 1/K
    each; as Srivastava et al. (2017, arXiv:1705.07761, table 2) and others since. 0 is best and ln K one mode of K
    equal ones; a mode that is never generated adds nothing by itself, so that the value stays finite. N perfect
    samples score (K - 1) / 2N on average, the bias of counting. Infinite if a mode is generated that the data lack.
    """
    generated = shares(classes, len(data))
    hit = generated > 0
    with np.errstate(divide="ignore"):
        return float((generated[hit] * np.log(generated[hit] / data[hit])).sum())


def nearest_modes(points: NDArray[np.floating], centres: NDArray[np.floating]) -> Classes:
    """For each point (N, D) the nearest of the centres (K, D), as its index (N,)."""
    distance = np.linalg.norm(np.asarray(points, np.float64)[:, None] - centres, axis=-1)
    return distance.argmin(axis=1)


class Classifier:
    """Tells the classes of small grey pictures apart, to count modes by; three convolutions, trained when made.

    `images`: uint8 (N, H, W), `labels`: (N,) from 0; those at the indices `held_out` are not trained on, and
    `accuracy` is the share of them that it gets right. `shown` pictures are trained on in all, shifted by up to 2
    pixels. All is done by one thread, so that the same arguments give the same network on as many cores as there are.
    Raises DataError if `accuracy` is below 0.98.
    """

    def __init__(self, images: Images, labels: Classes, held_out: Classes, seed: int = 0, shown: int = 60_000) -> None:
        start = time.perf_counter()
        self.classes = int(labels.max()) + 1
        training = np.setdiff1d(np.arange(len(images)), held_out)
        with torch.random.fork_rng(devices=[]), _one_thread():
            torch.manual_seed(seed)
            self.network = _network(self.classes)
            _fit(self.network, torch.from_numpy(images[training]), torch.from_numpy(labels[training]), shown)
        self.network.eval()
        self.accuracy = float((self(images[held_out]) == labels[held_out]).mean())
        self.seconds = time.perf_counter() - start
        if self.accuracy < LEAST_ACCURACY:
            raise DataError(
                f"the {self.classes} classes cannot be told apart well enough to count modes by them: "
                f"{self.accuracy:.1%} of the held-out pictures are recognised and {LEAST_ACCURACY:.0%} are needed; "
                "give more or clearer ones"
            )

    @torch.inference_mode()
    def __call__(self, images: Images) -> Classes:
        """Classes (N,) of pictures uint8 (N, H, W)."""
        parts = torch.from_numpy(np.ascontiguousarray(images)).split(_AT_ONCE)
        with _one_thread():
            return torch.cat([self.network(_form(part)).argmax(dim=1) for part in parts]).numpy()

    def stacked_modes(self, images: Images) -> Classes:
        """Modes (N,) of three pictures stacked into the channels, uint8 (N, H, W, 3): digits a, b, c are mode abc."""
        first, second, third = (self(images[..., channel]) for channel in range(3))
        return (first * self.classes + second) * self.classes + third


@contextmanager
def _one_thread() -> Iterator[None]:
    """More would round otherwise, and gain little on networks as small as this."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _network(classes: int) -> nn.Module:
    """(N, 1, H, W) in -1..1, of any size from 8 pixels -> (N, classes)."""
    layers: list[nn.Module] = []
    for inside, outside, kernel, stride in ((1, 16, 5, 2), (16, 32, 3, 2), (32, 64, 3, 1)):
        layers += [nn.Conv2d(inside, outside, kernel, stride, kernel // 2), nn.BatchNorm2d(outside), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(64 * 16, classes))


def _form(images: Tensor) -> Tensor:
    return from_uint8(images[:, None])


def _fit(network: nn.Module, images: Tensor, labels: Tensor, shown: int) -> None:
    """Adam on a one-cycle learning rate (Smith and Topin 2018); randomness from torch's global state."""
    steps = max(shown // _BATCH, 2)
    optimizer = torch.optim.Adam(network.parameters(), _LR)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LR, total_steps=steps)
    for _, batch in zip(range(steps), _batches(len(images)), strict=False):
        down, right = torch.randint(-_SHIFT, _SHIFT + 1, (2,)).tolist()
        loss = cross_entropy(network(_form(images[batch].roll((down, right), (1, 2)))), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _batches(count: int) -> Iterator[Tensor]:
    """Indices, pass after pass in a new order."""
    while True:
        yield from torch.randperm(count).split(_BATCH)
