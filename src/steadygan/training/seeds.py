"""Randomness that needs no memory: every draw follows from the seed and the place in the run."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


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


def fixed_latents(count: int, latent_dim: int, seed: int, *place: int | str) -> Tensor:
    """Standard normal latents (count, latent_dim) on the CPU, the same for the same arguments on every machine."""
    generator = torch.Generator().manual_seed(derive(seed, *place))
    return torch.randn(count, latent_dim, generator=generator)
