"""Two networks of the user's own: what they are given is guessed where it is not said, and both are looked into."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from steadygan.doctor.audit.anatomy import Anatomy
from steadygan.errors import ConfigError
from steadygan.signals.anatomy import anatomy_of, in_words

Shape = tuple[int, ...]
_BATCH = 5
_NAMES = ("latent_dim", "latent_size", "z_dim", "zdim", "dim_z", "nz", "noise_dim", "noise_size", "input_dim")
_USUAL = (100, 128, 64, 512, 256, 62, 32, 16, 10)
_SIDES = (64, 32, 128, 28, 256)
_CLASSES = 10


class Looked(NamedTuple):
    """Two anatomies, and in words what was assumed to get there."""

    generator: Anatomy
    discriminator: Anatomy
    assumed: str


def look_at(generator: nn.Module, discriminator: nn.Module, latent: int | Shape | None = None) -> Looked:
    """What a pair is made of. `latent` is the shape of one, as 100 or (100, 1, 1); None tries the usual ones.

    Labels that either asks for besides are 0, as numbers or as one of ten. The discriminator is shown what the
    generator makes, flat or as pictures, as it takes it. ConfigError if nothing fits, or no layer can be seen.
    """
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(network, nn.Module):
            made = type(network).__name__
            raise ConfigError(f"the {name} is no torch.nn.Module but {made}; give the pair (generator, discriminator)")
        for called, one in network.named_parameters():
            if not isinstance(one, UninitializedParameter) and not one.isfinite().all():
                raise ConfigError(f"the {name}: {called} holds values that are not finite; start from others")
    given = [(latent,) if isinstance(latent, int) else tuple(latent)] if latent else _latents(generator)
    parameter = next((one for one in generator.parameters() if one.is_floating_point()), torch.zeros(()))
    with torch.random.fork_rng(devices=[]):
        batches = [torch.randn(_BATCH, *shape).to(parameter) for shape in dict.fromkeys(given)]
        looked, fakes = _first(generator, batches, "generator", "say what a latent is, as latent=100")
        shapes = dict.fromkeys(_pictures(tuple(fakes.shape[1:])))
        judged, _ = _first(discriminator, [fakes.reshape(_BATCH, *shape) for shape in shapes], "discriminator",
                           f"fakes are {in_words(looked.output)}: give both one form, generator first")  # fmt: skip
    made = f"of which it makes pictures of {in_words(looked.output)}"
    return Looked(looked, judged, f"the generator was given latents of {in_words(looked.input)}, {made}")


def _first(network: nn.Module, batches: Iterable[Tensor], role: str, way: str) -> tuple[Anatomy, Tensor]:
    """The anatomy by the first batch that goes through, and what it became; ConfigError with the first complaint."""
    complaints = []
    for batch in batches:
        for labels in _labels(network, batch):
            try:
                return anatomy_of(network, batch, *labels)
            except ConfigError as problem:
                complaints.append(str(problem))
    tried = f" ({len(complaints)} forms tried)" if len(complaints) > 1 else ""
    raise ConfigError(f"the {role} cannot be looked into: {complaints[0]}{tried}; {way}")


def _labels(network: nn.Module, batch: Tensor) -> Iterator[list[Tensor]]:
    """What else a network wants to be called with: nothing, or labels as numbers, or as one of some classes."""
    asked = list(inspect.signature(network.forward).parameters.values())[1:]
    wanted = sum(
        one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in asked
    )
    numbers = torch.zeros(len(batch), dtype=torch.int64, device=batch.device)
    yield [numbers] * wanted
    if wanted:
        yield [torch.nn.functional.one_hot(numbers, _CLASSES).float()] * wanted


def _latents(generator: nn.Module) -> Iterator[Shape]:
    """Shapes of a latent, the likeliest first: as the generator names it, as its first layer takes it, usual ones."""
    named = [getattr(generator, name, None) for name in _NAMES]
    weights = [p for p in generator.parameters() if p.ndim >= 2]
    first = next((m for m in generator.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)), None)
    if isinstance(first, nn.Conv2d):  # from pictures to pictures
        yield from ((first.in_channels, side, side) for side in _SIDES)
    asked = [
        getattr(first, "in_features", getattr(first, "in_channels", None)),
        *(weights[0].shape[1::-1] if weights else ()),
    ]
    for size in [size for size in [*named, *asked, *_USUAL] if isinstance(size, int) and size > 0]:
        yield from ((size,), (size, 1, 1)) if isinstance(first, nn.Linear) else ((size, 1, 1), (size,))


def _pictures(shape: Shape) -> Iterator[Shape]:
    """The forms in which a discriminator may want such pictures: as they are, flat, or square."""
    yield shape
    numbers = math.prod(shape)
    yield (numbers,)
    for channels in (1, 3):
        side = math.isqrt(numbers // channels)
        if channels * side**2 == numbers:
            yield (channels, side, side)
