"""Batches without end from a prepared data set, the same from wherever one starts."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from types import TracebackType
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from steadygan.data.dataset import Dataset
from steadygan.errors import ConfigError

__all__ = ["TorchImages"]

Indices = NDArray[np.int64]

_64_BITS = 2**64 - 1


class Batch(NamedTuple):
    """Images float32 (N, C, S, S) in [-1, 1], channels last in memory, and labels int64 (N,) or None."""

    images: torch.Tensor
    labels: torch.Tensor | None


_Rows = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]
"""A batch on the CPU: images uint8 (N, S, S, C), which of them to mirror (N,), labels (N,)."""


def positions_to_indices(seed: int, start: int, count: int, length: int) -> Indices:
    """Images at positions start to start + count of the endless stream over a set of `length`: int64 (count,).

    Pass k over the set, positions k·length and on, shows every image once, in an order that depends on
    (seed, k) alone. Nothing is kept between calls but the last orders, for speed.
    """
    positions = np.arange(start, start + count)
    passes, places = np.divmod(positions, length)
    indices = np.empty(count, np.int64)
    for number in np.unique(passes):
        inside = passes == number
        indices[inside] = _order(seed, int(number), length)[places[inside]]
    return indices


@lru_cache(maxsize=4)
def _order(seed: int, number: int, length: int) -> Indices:
    """A permutation for pass `number`, by sorting the raw output of Philox (Salmon et al. 2011).

    NumPy promises that raw output stays the same from version to version, of its shuffles it does not.
    """
    bits = np.random.Philox(key=np.array([seed & _64_BITS, number], np.uint64)).random_raw(length)
    return np.argsort(bits, kind="stable").astype(np.int64)


def mirrored(seed: int, start: int, count: int) -> NDArray[np.bool_]:
    """For each position from `start`, whether its image is mirrored: a fair coin (count,) from (seed, position).

    The finaliser of SplitMix64 (Steele et al. 2014, section 3) on a counter.
    """
    step, first, second = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
    offset = np.random.Philox(key=np.array([seed & _64_BITS, _64_BITS], np.uint64)).random_raw()
    word = (np.arange(start, start + count).astype(np.uint64) + np.uint64(offset)) * np.uint64(step)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(first)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(second)
    coins: NDArray[np.bool_] = (word ^ (word >> np.uint64(31))) >> np.uint64(63) == 1
    return coins


class TorchImages(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """Images one by one for a `torch.utils.data.DataLoader`: float32 (C, S, S) in [-1, 1] and a label.

    `part` is "training", "held-out" or "all". Without labels every label is 0. Workers map the files themselves.
    """

    def __init__(self, dataset: Dataset, part: Literal["training", "held-out", "all"] = "training") -> None:
        parts = {"training": dataset.training, "held-out": dataset.held_out, "all": np.arange(len(dataset))}
        if part not in parts:
            raise ConfigError(f"a data set has no part {part!r}; choose {', '.join(parts)}")
        self.dataset = dataset
        self.indices = parts[part]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image, label = self.dataset[int(self.indices[index])]
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        return pixels.to(torch.float32).div_(127.5).sub_(1), label or 0


class Batches:
    """An endless iterator over batches of training images, read ahead by one thread. Use it in `with`, or close it.

    Item n holds positions start_images + n·batch and on of the stream that `positions_to_indices` defines;
    process `rank` of `world` gets its share of batch / world of them. A run that continues at `position`
    sees what it would have seen, bit by bit. With `mirror` each image is mirrored left to right at random,
    every time it comes.

    `wait_seconds` is the time spent waiting for the thread so far, `position` how many images of the stream
    were given out to all processes. An error in the thread is raised by `next`.
    Raises ConfigError if `batch` cannot be shared out evenly.
    """

    PREFETCH = 2

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch: int,
        seed: int,
        start_images: int = 0,
        rank: int = 0,
        world: int = 1,
        device: torch.device | str = "cpu",
        mirror: bool = False,
    ) -> None:
        if batch < 1 or batch % world:
            raise ConfigError(f"a batch of {batch} cannot be shared by {world} processes; choose a multiple of {world}")
        self.wait_seconds = 0.0
        self.position = start_images
        self._dataset = dataset
        self._batch, self._share, self._offset = batch, batch // world, rank * (batch // world)
        self._seed, self._mirror = seed, mirror
        self._device = torch.device(device)
        self._pin = self._device.type == "cuda"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._ahead: deque[Future[_Rows]] = deque()
        self._next = start_images

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> Batch:
        while len(self._ahead) <= self.PREFETCH:
            self._ahead.append(self._thread.submit(self._read, self._next + self._offset))
            self._next += self._batch
        began = time.perf_counter()
        rows = self._ahead.popleft().result()
        self.wait_seconds += time.perf_counter() - began
        self.position += self._batch
        return self._on_device(rows)

    def close(self) -> None:
        """End the thread. What was read ahead is dropped; `position` is not affected by it."""
        self._thread.shutdown(cancel_futures=True)
        self._ahead.clear()

    def _read(self, start: int) -> _Rows:
        """Copy this process's rows of one batch out of the files; runs in the thread."""
        training = self._dataset.training
        indices = training[positions_to_indices(self._seed, start, self._share, len(training))]
        images = torch.empty((self._share, *self._dataset.images.shape[1:]), dtype=torch.uint8, pin_memory=self._pin)
        order = np.argsort(indices)  # ascending in the file, which disks read faster
        images.numpy()[order] = self._dataset.images[indices[order]]
        flips = torch.from_numpy(mirrored(self._seed, start, self._share)) if self._mirror else None
        labels = None if self._dataset.labels is None else torch.from_numpy(self._dataset.labels[indices])
        return images, self._pinned(flips), self._pinned(labels)

    def _pinned(self, rows: torch.Tensor | None) -> torch.Tensor | None:
        """In memory from which a GPU copies while the host goes on, where there is one."""
        return rows.pin_memory() if self._pin and rows is not None else rows

    def _on_device(self, rows: _Rows) -> Batch:
        images, flips, labels = (None if part is None else part.to(self._device, non_blocking=True) for part in rows)
        assert images is not None
        images = images.permute(0, 3, 1, 2)
        if flips is not None:
            images = torch.where(flips[:, None, None, None], images.flip(3), images)
        # a division, not a product with 1/127.5: only so 255 becomes exactly 1
        scaled = images.to(torch.float32, memory_format=torch.channels_last).div_(127.5).sub_(1)
        return Batch(scaled, labels)
