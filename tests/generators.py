"""Trained generators of no run, small and quickly made."""

from __future__ import annotations

from typing import Any

from steadygan.export import TrainedGenerator
from steadygan.networks import latents_of
from tiny_recipes import spec_of, tiny_recipe


def trained(name: str = "steady", classes: int = 0, **about: Any) -> TrainedGenerator:
    """A recipe's generator with fresh weights, whose pictures have contrast."""
    spec, known = spec_of(name, classes), {"recipe": name, "images": 1000, "run": "a", "checkpoint": "images-1"}
    config = tiny_recipe(name, spec)
    generator = config.networks.build(spec).generator
    with_contrast = [weight for weight in generator.parameters() if weight.ndim > 1][-1]
    with_contrast.data.mul_(0.5 / with_contrast.std() / with_contrast[0].numel() ** 0.5)
    return TrainedGenerator(generator, config.dump()["networks"], spec, latents_of(config.networks).dim, known | about)
