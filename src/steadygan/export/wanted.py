"""Which pictures of a generator are asked for: the first of a seed, some by number, or those of given latents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from steadygan.errors import ConfigError, DataError, reason
from steadygan.names import in_utf8

_COUNT = 64
_MOST_PICKED = 1_000_000


@dataclass(frozen=True)
class Wanted:
    """The first `count` pictures of a seed (None: 64), or those that `pick` numbers from 0, in its order.

    With `latents`, a file of them, the pictures are those of its rows (`count` None: all). `label` asks for one class,
    by name or number; None for all in turn.
    """

    count: int | None = None
    seed: int = 0
    pick: tuple[int, ...] | None = None
    label: str | None = None
    latents: Path | None = None

    def numbers(self, available: int | None = None) -> Sequence[int]:
        """The numbers of the pictures, where there are so many; ConfigError for one that there is not."""
        if self.count is not None and available is not None and self.count > available:
            raise ConfigError(f"-n {self.count}: {self.latents} holds {available} latents; ask for no more")
        unasked = _COUNT if self.pick is None and available is None else available
        return numbers_of(unasked if self.count is None else self.count, self.pick)


def numbers_of(count: int | None, pick: Sequence[int] | None) -> Sequence[int]:
    """Those picked, or all of the first `count`; ConfigError if there is none, or a picked one is not among them."""
    if pick is None:
        if count is None or count < 1:
            raise ConfigError(f"sample: {count or 0} images cannot be made; ask for at least 1")
        return range(count)
    if not len(pick):
        raise ConfigError("pick: no picture is named; give numbers from 0, such as 5,17")
    for number in pick:
        if number < 0 or (count is not None and number >= count):
            there = "they count from 0" if count is None else f"of {count} pictures the last is {count - 1}"
            raise ConfigError(f"pick: there is no picture {number}; {there}")
    return [int(number) for number in pick]


def parse_pick(text: str) -> tuple[int, ...]:
    """`5,17,20-25` as numbers, in that order; ConfigError for anything else."""
    picked: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,18})(?:\s*-\s*([0-9]{1,18}))?\s*", part)
        if not found or int(found[2] or found[1]) < int(found[1]):
            raise ConfigError(f"--pick {text}: '{part}' is no picture; give numbers and ranges, such as 5,17,20-25")
        first, last = int(found[1]), int(found[2] or found[1])
        if len(picked) + last - first >= _MOST_PICKED:
            raise ConfigError(f"--pick {text}: that is more than {_MOST_PICKED:,} pictures; pick fewer")
        picked += range(first, last + 1)
    return tuple(picked)


def read_latents(path: Path, dim: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Latents float32 (N, dim) from a .npy or .safetensors file, and labels int64 (N,) if `project` wrote some beside.

    DataError for a file that holds anything else.
    """
    if path.suffix not in (".npy", ".safetensors"):
        raise ConfigError(f"--latents {path}: latents come as FILE.npy or FILE.safetensors")
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"--latents {path}: it is no ordinary file; choose another path")
        with in_utf8(path) as name:
            named = {"": torch.from_numpy(np.load(path))} if path.suffix == ".npy" else load_file(name)
    except OSError as problem:
        raise DataError(f"--latents {path}: {reason(problem)}") from problem
    except (ValueError, TypeError, EOFError, SafetensorError) as problem:
        raise DataError(f"--latents {path}: it cannot be read ({problem})") from problem
    labels = (named.pop("labels"),) if named.keys() == {"latents", "labels"} else ()
    held = list(named.values())
    if len(held) != 1 or held[0].ndim != 2 or held[0].shape[1] != dim or not len(held[0]):
        shapes = ", ".join(str(tuple(one.shape)) for one in held) or "nothing"
        raise DataError(f"--latents {path}: it holds {shapes}, and this generator takes one array of shape (N, {dim})")
    if held[0].is_complex() or not held[0].float().isfinite().all():
        raise DataError(f"--latents {path}: not all of its numbers are finite; write it again")
    for one in labels:
        if one.dtype != torch.int64 or one.shape != held[0].shape[:1]:
            raise DataError(f"--latents {path}: its labels are no whole numbers, one for each row; write it again")
    return held[0].float(), labels
