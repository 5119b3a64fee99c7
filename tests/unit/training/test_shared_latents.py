"""The latents of a step: several processes share out those that one would draw, and their other noise is their own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from steadygan.networks import Latents
from steadygan.training.session import Session


def drawn(rank: int, world: int, kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents of the two turns of a step, and noise that something else draws after them."""
    runtime = SimpleNamespace(rank=rank, world=world, device="cpu")
    run = SimpleNamespace(runtime=runtime, config=SimpleNamespace(seed=3, batch=8), latents=Latents(5, kind))
    next_latent = Session.seeded(run, 7)
    return torch.stack([next_latent(), next_latent()]), torch.randn(8 // world, 5)


@pytest.mark.parametrize("kind", ["normal", "uniform"])
@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_out_the_latents_of_one_and_nothing_else(world, kind):
    alone, _ = drawn(0, 1, kind)
    parts, noises = zip(*(drawn(rank, world, kind) for rank in range(world)), strict=True)
    assert torch.equal(torch.cat(parts, dim=1), alone)
    assert not torch.equal(noises[0], noises[1])
    assert not any(torch.equal(noise, part[0]) for noise, part in zip(noises, parts, strict=True))
