"""Whether bfloat16 can be trusted here: both players' gradients, in both precisions, on one batch.

Wrong bfloat16 convolutions are on record for some processors and releases of PyTorch (its issues 163347 and 169688),
and in a GAN nobody would notice: it has no accuracy that falls.
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict

import torch
from torch import Tensor, nn

from steadygan.networks import Pair, latents_of
from steadygan.signals.layers import layer_of
from steadygan.spec import ImageSpec
from steadygan.training.build import make_game
from steadygan.training.config import RunConfig
from steadygan.training.opponent import Itself
from steadygan.training.runtime import Runtime
from steadygan.training.seeds import seed_everything

LEAST = 0.9
"""Least likeness of a parameter's gradients. Right ones have 0.95 or more in every recipe at 32 to 128 pixels; a kernel
that forgets a part of its sums, doubles them or mixes them up falls far below."""

_SMALL = 1 / 8
"""A gradient that is a smaller share of its layer's may be mostly rounding error: right bfloat16 misses that of a deep
layer by 0.2 to 0.4 of its length. Such is that of a bias in front of a batch norm, whose true value is 0."""

_TRIES = 3
"""What is wrong is wrong every time; rounding may lead the gradient of a few numbers astray once, but not each time."""


def disagreement(config: RunConfig, pair: Pair, spec: ImageSpec, runtime: Runtime, real: tuple[Tensor, ...]) -> str:
    """What differs most between the gradients in float32 and in the runtime's precision, in words; "" if they agree.

    `real` is a batch (N, C, H, W) and what the networks are told with it. The run itself is not touched. The opponent
    is the discriminator itself: one that moves ahead would amplify what is rounded.
    """
    config = config.model_copy(update={"opponent": Itself()})
    seed_everything(config.seed, "precision")
    pair = Pair(*(_awake(copy.deepcopy(network)) for network in pair))
    doubts: dict[str, float] = {}
    for number in range(_TRIES):
        exact, rounded = (
            _gradients(config, Pair(*(wrap(copy.deepcopy(one)) for one in pair)), spec, runtime, real, number)
            for wrap in (lambda one: one, lambda one: runtime.prepare(one, alone=True))
        )
        runtime.forget()
        low = {name: like for name, like in likeness(exact, rounded).items() if like < LEAST}
        doubts = {name: like for name, like in low.items() if name in doubts or not number}
        if not doubts:
            return ""
    name = min(doubts, key=lambda name: doubts[name])
    return (
        f"the gradient of {name} is not what it is in float32 (likeness {doubts[name]:.2f} of 1, not {LEAST} or more)"
    )


def likeness(exact: dict[str, Tensor], rounded: dict[str, Tensor]) -> dict[str, float]:
    """2 a·b / (a·a + b·b) of two gradients of each parameter, by name: 1 if they are equal, at most their cosine, and
    less where their lengths differ. -1 where the rounded one is not finite.

    Parameters whose exact gradient is not finite, or no more than rounding error in its layer, tell nothing and are
    left out.
    """
    squares: dict[str, float] = defaultdict(float)
    for name, gradient in exact.items():
        squares[layer_of(name)] += float(gradient.double().square().sum())
    found = {}
    for name, gradient in exact.items():
        one, other = gradient.double(), rounded[name].double()
        square = float(one.square().sum())
        if math.isfinite(square) and square > _SMALL**2 * squares[layer_of(name)]:
            like = 2 * float((one * other).sum()) / (square + float(other.square().sum()))
            found[name] = like if math.isfinite(like) else -1.0
    return found


@torch.no_grad()
def _awake(network: nn.Module) -> nn.Module:
    """Give weights that start at zero a small value, in place: they would hide the gradients of all that is before."""
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            parameter.normal_(0, 0.1 / math.sqrt(parameter[0].numel()))
    return network


def _gradients(
    config: RunConfig, pair: Pair, spec: ImageSpec, runtime: Runtime, real: tuple[Tensor, ...], number: int
) -> dict[str, Tensor]:
    """Gradients by parameter, of a turn of the generator and one of the discriminator, which it did not change."""
    seed_everything(config.seed, "precision", number)
    game = make_game(config, pair, spec, runtime.world)
    latent = latents_of(config.networks).draw(len(real[0]), device=runtime.device)
    images, given = game.as_training_images(real[0]), real[1:]
    fake = game.fakes(latent, *given)
    game.g_step(images, fake, *given)
    game.d_step(images, fake.detach(), *given)
    return {
        f"{player}.{name}": parameter.grad.detach()
        for player, network in pair._asdict().items()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }
