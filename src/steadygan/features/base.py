"""What turns pictures into rows of numbers, so that sets of pictures can be compared: settings and extractors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from steadygan.errors import DataError

SMALLEST = 8


class Described(NamedTuple):
    """Pictures as numbers: `features` (N, D), and a classifier's `logits` (N, classes), None where there is none.

    Both are float32 on the CPU when they come from an extractor.
    """

    features: Tensor
    logits: Tensor | None = None


class Extractor(Protocol):
    """Describes pictures: uint8 (N, C, S, S) -> features (N, D), the same for a picture whatever its batch.

    `fingerprint` is one line that names all that decides the numbers; features of different fingerprints must never be
    compared. `classes` is the number of the logits, 0 where there are none.
    """

    @property
    def name(self) -> str:
        """The kind of the settings, and the variant where there are several."""

    @property
    def dimensions(self) -> int:
        """D."""

    @property
    def classes(self) -> int:
        """How many logits there are for each picture; 0 for none."""

    @property
    def fingerprint(self) -> str:
        """Name, version, resize filter and size, and the first 12 digits of the weights' SHA-256."""

    def __call__(self, images: Tensor) -> Described:
        """Describe pictures uint8 (N, C, S, S), C any number. Raises DataError for anything else."""


class PictureExtractor:
    """An extractor around `network`, which describes uint8 (n, 3, S, S) on `device`, n at most `at_once`.

    On a processor, a network of many small steps should be `light`: then each of torch's threads takes batches of its
    own. Sharing out each step, they would wait for one another at its end, on a busy machine up to ten times as long.

    Grey pictures are repeated to three channels. Of two channels the first is taken for grey, of more than three the
    first three are the colours, as everywhere here: the others are as often infrared as transparency. All is computed
    in float32, whatever autocast or TF32 are set to.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Described],
        *,
        name: str,
        dimensions: int,
        fingerprint: str,
        device: torch.device,
        classes: int = 0,
        at_once: int = 32,
        light: bool = False,
    ) -> None:
        self.name, self.dimensions, self.fingerprint, self.classes = name, dimensions, fingerprint, classes
        self.network, self.device, self.at_once = network, device, at_once
        self.threads = torch.get_num_threads() if light and device.type == "cpu" else 0

    def __call__(self, images: Tensor) -> Described:
        colours = as_colours(images)
        with exact(self.device):
            parts = self._parts(colours.split(self.at_once))
        # outside inference mode, so that the results are ordinary tensors
        features = torch.cat([part.features.float().cpu() for part in parts])
        logits = [part.logits.float().cpu() for part in parts if part.logits is not None]
        if features.shape != (len(images), self.dimensions):
            raise DataError(f"{self.name} features are {tuple(features.shape)}, not {(len(images), self.dimensions)}")
        if not features.isfinite().all():
            raise DataError(f"{self.name} features of some pictures are not finite numbers; check the weights")
        return Described(features, torch.cat(logits) if logits else None)

    def _parts(self, batches: Sequence[Tensor]) -> list[Described]:
        if not self.threads:
            return [self._describe(batch) for batch in batches]
        before = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                return list(pool.map(self._describe, batches))
        finally:
            torch.set_num_threads(before)  # the number is the thread's own, but new threads take the last one set

    @torch.inference_mode()
    def _describe(self, batch: Tensor) -> Described:
        return self.network(batch.to(self.device))


def as_colours(images: Tensor) -> Tensor:
    """Check pictures and bring uint8 (N, C, S, S) to three channels: (N, 3, S, S). Raises DataError."""
    if images.dtype != torch.uint8:
        raise DataError(f"features are taken of uint8 pictures, 0 to 255, not of {images.dtype}; convert them first")
    shape = tuple(images.shape)
    if images.dim() != 4 or shape[1] < 1:
        raise DataError(f"features are taken of pictures (N, C, S, S), not of {shape}")
    if not len(images):
        raise DataError("there are no pictures to take features of")
    if shape[2] != shape[3]:
        raise DataError(
            f"features are taken of square pictures, not of {shape[3]} × {shape[2]} pixels; crop them first"
        )
    if shape[2] < SMALLEST:
        raise DataError(f"features need pictures of {SMALLEST} pixels or more, not {shape[2]}")
    return images[:, :3] if shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Full float32 inside: no autocast, no TF32, and no choosing among cuDNN's algorithms by their speed."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    steady = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    try:
        with torch.autocast(device.type, enabled=False), steady:
            yield
    finally:
        torch.set_float32_matmul_precision(before)
