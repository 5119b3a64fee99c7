"""Randomness that needs no memory: every draw follows from the seed and the place in the run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from steadygan.networks.latents import Latents


def derive(seed: int, *place: int | str) -> int:
    """A seed for one place in a run (such as "step", rank, number), 0..2^63-1, unrelated to that of any other place."""
    text = repr((seed, *place)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def seed_everything(seed: int, *place: int | str) -> None:
    """Seed torch's generators of all devices for one place in a run. A resumed run draws what the first would have."""
    value = derive(seed, *place)
    torch.default_generator.manual_seed(value)  # torch.manual_seed takes half a millisecond, each step
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(value)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(value)


def shares(numbers: Iterable[int], width: int, seed: int, *place: int | str) -> Tensor:
    """Draws float64 (N, width), uniform in 0..1 without the ends: for each number, 0 or more, a row of its own.

    A row follows from seed, place and its number alone, whatever other rows are asked for and on every machine: it is
    a stream of Philox4x64-10 (Salmon et al. 2011, section 3.3), whose key is the place and whose counter starts at the
    number times 2^128. That is arithmetic on whole numbers, and numpy keeps the streams of its bit generators.
    """
    key = derive(seed, *place)
    bits = [np.random.Philox(key=key, counter=number << 128).random_raw(width) for number in numbers]
    # 52 bits and a half: both ends stay out, and the sum is exact
    return torch.from_numpy(((np.array(bits, np.uint64).reshape(-1, width) >> np.uint64(12)) + 0.5) * 2.0**-52)


def fixed_latents(numbers: Iterable[int], latents: Latents, seed: int, *place: int | str) -> Tensor:
    """Latents float32 (N, dim) on the CPU, one for each number; each follows from seed, place and its number alone."""
    return latents.of(shares(numbers, latents.dim, seed, *place))
