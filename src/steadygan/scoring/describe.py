"""From pictures to rows: what metrics compare, computed batch by batch, so that no set of pictures need be held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from steadygan.features import Extractor
from steadygan.metrics.colour import colour_histograms
from steadygan.metrics.patches import patches_per_image, pyramid_patches
from steadygan.metrics.pictures import thumbnails
from steadygan.metrics.spectrum import checkerboard, log_spectrum
from steadygan.metrics.ssim import diversity

Rows = tuple[Tensor, ...]
"""One row for each picture, or pair of pictures, in each of the tensors."""

BATCH = 64


class Describer(Protocol):
    """Makes rows of pictures uint8 (N, C, S, S), of which the first has the number `first` in its set.

    Two with the same `fingerprint` make the same rows, on every machine up to rounding and in batches of any even size.
    """

    @property
    def fingerprint(self) -> str: ...

    def __call__(self, images: Tensor, first: int) -> Rows: ...


def describe(describers: Mapping[str, Describer], batches: Iterable[Tensor]) -> dict[str, Rows]:
    """The rows of every describer, by the same names, from one pass over batches of pictures."""
    parts: dict[str, list[Rows]] = {name: [] for name in describers}
    first = 0
    for images in batches:
        for name, describer in describers.items():
            parts[name].append(describer(images, first))
        first += len(images)
    return {name: tuple(torch.cat(each) for each in zip(*rows, strict=True)) for name, rows in parts.items()}


def even(batches: Iterable[Tensor], count: int) -> Iterator[Tensor]:
    """The first `count` pictures of a stream, `BATCH` at a time; fewer where the stream ends before."""
    waiting: Tensor | None = None
    for images in batches:
        taken = images[:count]
        count -= len(taken)
        waiting = taken if waiting is None else torch.cat([waiting, taken])
        while len(waiting) >= BATCH:
            yield waiting[:BATCH]
            waiting = waiting[BATCH:]
        if not count:
            break
    if waiting is not None and len(waiting):
        yield waiting


@dataclass(frozen=True)
class Features:
    """Features and, from an extractor with classes, logits: what Fréchet and kernel distances compare."""

    extractor: Extractor

    @property
    def fingerprint(self) -> str:
        return self.extractor.fingerprint

    def __call__(self, images: Tensor, first: int) -> Rows:
        return tuple(part for part in self.extractor(images) if part is not None)


@dataclass(frozen=True)
class Patches:
    """Patches of every level of a pyramid: what the sliced Wasserstein distance compares. `count` pictures in all."""

    count: int
    seed: int

    @property
    def fingerprint(self) -> str:
        return f"patches-1 per-image={patches_per_image(self.count)}"

    def __call__(self, images: Tensor, first: int) -> Rows:
        return tuple(pyramid_patches(images, patches_per_image(self.count), self.seed, first))


@dataclass(frozen=True)
class Plain:
    """Rows that a function of the pictures alone gives."""

    fingerprint: str
    function: Callable[[Tensor], Tensor]

    def __call__(self, images: Tensor, first: int) -> Rows:
        return (self.function(images),)


SPECTRA = Plain("spectra-1", log_spectrum)
GRIDS = Plain("grids-1", checkerboard)
COLOURS = Plain("colours-1", colour_histograms)
PAIRS = Plain("pairs-1", diversity)
THUMBNAILS = Plain("thumbnails-1 float16", lambda images: thumbnails(images).half())  # enough to find twins by
