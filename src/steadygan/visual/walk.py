"""Smooth walks through latent space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Latents = NDArray[np.floating]
Between = Callable[[Latents, Latents, float], Latents]


def straight(a: Latents, b: Latents, t: float) -> Latents:
    """Linear interpolation from `a` (t = 0) to `b` (t = 1): for uniform latents, whose cube holds every such line."""
    return ((1 - t) * a + t * b).astype(np.result_type(a, b))


def slerp(a: Latents, b: Latents, t: float) -> Latents:
    """Spherical interpolation from `a` (t = 0) to `b` (t = 1), row by row: (N, D), (N, D) -> (N, D).

    Shoemake 1985, section 3.3, on directions; used for Gaussian latents by White 2016, section 2.1, because
    the straight line between two of them passes through lengths that the generator never saw.
    Lengths are interpolated linearly. Parallel rows are joined by a straight line, and so are rows
    that have no direction (all zero) or exactly opposite ones, for which no great circle is the shortest.
    """
    length_a, length_b = (np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    lengths = (1 - t) * length_a + t * length_b
    unit_a, unit_b = _direction(a, length_a), _direction(b, length_b)
    angle = np.arccos(np.clip((unit_a * unit_b).sum(axis=-1, keepdims=True), -1, 1))
    sine = np.sin(angle)
    undirected = (sine < 1e-4) | (length_a == 0) | (length_b == 0)
    safe = np.where(undirected, 1, sine)
    arc = lengths * (np.sin((1 - t) * angle) * unit_a + np.sin(t * angle) * unit_b) / safe
    return np.where(undirected, straight(a, b, t), arc).astype(np.result_type(a, b))


def latent_walk(keys: Latents, frames_per_leg: int, loop: bool = True, between: Between = slerp) -> Latents:
    """Latents (F, D) along great-circle arcs, or another way `between` two, from each key (K, D) to the next.

    With `loop` the last key leads back to the first and F = K · frames_per_leg, so that the film
    has no seam; without it the walk ends on the last key and F = (K − 1) · frames_per_leg + 1.
    """
    starts, ends = (keys, np.roll(keys, -1, axis=0)) if loop else (keys[:-1], keys[1:])
    legs = np.stack([between(starts, ends, frame / frames_per_leg) for frame in range(frames_per_leg)], axis=1)
    walk = legs.reshape(-1, keys.shape[1])
    return walk if loop else np.concatenate([walk, keys[-1:]])


def _direction(x: Latents, length: Latents) -> Latents:
    return np.divide(x, length, out=np.zeros_like(x), where=length > 0)
