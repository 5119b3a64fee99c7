"""What can be broken in a training that would be well, each in one way: by its settings, its images, or a blow.

A fault that strikes does so from within, between two steps after `ONSET` of the budget, through what any program can do
to a model in PyTorch: hooks, weights, optimizers. `causes` are the rules that name it; more than one where the records
of both look alike. A fault that `fits` only some networks is not tried on others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from steadygan.augment.diffaugment import DiffAugmentation
from steadygan.data.loader import Batches
from steadygan.ops.images import from_uint8
from steadygan.spec import ImageSpec
from steadygan.training.game import bare
from steadygan.training.session import Session

ONSET = 0.25
Act = Callable[[Session], None]


def _always(_: Mapping[str, Any]) -> bool:
    return True


@dataclass(frozen=True)
class Fault:
    """A way to break a training. `settings` are merged into the run's, `penalties` added to its own.

    `limit` is how many images it gets. One that `may_help` is none in runs whose pictures are as good with it.
    """

    name: str
    causes: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    penalties: tuple[Mapping[str, Any], ...] = ()
    limit: int | None = None
    may_help: bool = False
    strike: Act | None = None
    each: Act | None = None
    at_start: Callable[[], None] | None = None
    fits: Callable[[Mapping[str, Any]], bool] = _always

    @property
    def onset(self) -> float:
        """The share of the budget after which it acts."""
        return ONSET if self.strike or self.each else 0.0


def generator_of(session: Session) -> nn.Module:
    return bare(session.game.generator)


def discriminator_of(session: Session) -> nn.Module:
    return bare(session.game.discriminator)


def layers_of(network: nn.Module) -> list[nn.Module]:
    """Those with weights of two sides or more, as they are registered."""
    return [one for one in network.modules() if getattr(getattr(one, "weight", None), "ndim", 0) > 1]


def rates(**factors: float) -> Act:
    """The players' learning rates times these factors, from now on."""

    def strike(session: Session) -> None:
        for move, optimizer in session.game.optimizers.items():
            factor = factors["generator" if move == "generator" else "discriminator"]
            changed: Any = optimizer.settings
            optimizer.settings = changed.model_copy(update={"lr": changed.lr * factor})

    return strike


def latents(modes: int) -> Act:
    """The generator answers every latent as one of so many."""

    def strike(session: Session) -> None:
        few = torch.randn(modes, session.latents.dim, generator=torch.Generator().manual_seed(0))

        def fewer(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            latent, *rest = given
            chosen = (latent[:, 0].abs() * 1e4).long() % modes
            return few[chosen] + 0.001 * latent, *rest

        generator_of(session).register_forward_pre_hook(fewer)

    return strike


def pictures(change: Callable[[Tensor], Tensor]) -> Act:
    """The generator's pictures are changed before anybody sees them."""

    def strike(session: Session) -> None:
        generator_of(session).register_forward_hook(lambda _, __, made: change(made))

    return strike


def _grid(made: Tensor) -> Tensor:
    rows, columns = (torch.arange(side) % 2 for side in made.shape[-2:])
    return made * (rows[:, None] ^ columns)  # every other pixel is grey, which no generator can make good again


def _tinted(made: Tensor) -> Tensor:
    changed = made.clone()
    changed[:, 0] = 0.5 + 0.5 * made[:, 0]  # the darker half of the first channel is out of reach
    return changed


def _dead(session: Session) -> None:
    """Most of the maps of the generator's middle layer answer nothing from now on."""
    layers = layers_of(generator_of(session))

    def silenced(_: nn.Module, __: Any, made: Tensor) -> Tensor:
        return made * (torch.arange(made.shape[1]) % 8 == 0).view(1, -1, *[1] * (made.ndim - 2))

    layers[len(layers) // 2].register_forward_hook(silenced)


def _infinite(session: Session) -> None:
    layer: Any = layers_of(generator_of(session))[1]
    with torch.no_grad():
        layer.weight[(0,) * layer.weight.ndim] = float("inf")


def _stale(session: Session) -> None:
    """The statistics that the generator keeps for evaluation no longer follow."""
    for one in generator_of(session).modules():
        if isinstance(one, nn.BatchNorm2d) and one.running_var is not None:
            one.momentum = 0.0
            one.running_var.mul_(9)


def _has_batch_norm(config: Mapping[str, Any]) -> bool:
    networks = config["networks"]
    return networks.get("kind") in ("dcgan", "upsample", "satellite") and "batch" in str(networks)


def _without_penalty(config: Mapping[str, Any]) -> bool:
    return config["loss"]["kind"] in ("non_saturating", "minimax", "hinge", "least_squares")


def _copied(session: Session) -> None:
    """The generator shows one of 200 training images, and hardly anything of its own."""
    dataset = session.dataset
    chosen = dataset.images[dataset.training[:200]]
    images = from_uint8(torch.from_numpy(chosen).permute(0, 3, 1, 2))

    def copied(_: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> Tensor:
        return 0.98 * images[(given[0][:, 0].abs() * 1e4).long() % len(images)] + 0.02 * made

    generator_of(session).register_forward_hook(copied)


def _swinging(session: Session) -> None:
    """The generator's pictures go over into their negatives and back, ten times in the rest of the run."""
    period = (session.config.budget.images or 0) * (1 - ONSET) / 10

    def swung(_: nn.Module, __: Any, made: Tensor) -> Tensor:
        return made * math.cos(2 * math.pi * session.progress.images / period)

    generator_of(session).register_forward_hook(swung)


def _loud(session: Session) -> None:
    """The discriminator's last layer answers a thousand times as loudly."""
    last: Any = layers_of(discriminator_of(session))[-1]
    with torch.no_grad():
        last.weight.mul_(1000)


def _shaken(session: Session) -> None:
    """The generator's weights drift at random, faster than it learns."""
    with torch.no_grad():
        for layer in layers_of(generator_of(session)):
            weight: Any = layer.weight
            weight.add_(torch.randn_like(weight) * weight.std() * 0.15)


class Leak:
    """What a program keeps of every step without knowing."""

    def __init__(self) -> None:
        self.kept: list[Tensor] = []

    def __call__(self, session: Session) -> None:
        self.kept.append(torch.ones(2**19))


def _slow_input() -> None:
    """Every batch comes late, as from a slow disk."""
    following = Batches.__next__

    def late(self: Any) -> Any:
        time.sleep(0.05)
        self.wait_seconds += 0.05
        return following(self)

    Batches.__next__ = late  # type: ignore[method-assign] # in this process alone, which ends with the run


def _augmented_reals() -> None:
    """Reals are augmented for good, and pictures are not."""
    following, augment = Batches.__next__, DiffAugmentation(1.0, colour=True, translation=True, cutout=True)

    def changed(self: Any) -> Any:
        batch = following(self)
        return batch._replace(images=augment(batch.images))

    Batches.__next__ = changed  # type: ignore[method-assign] # as above


class Ranged(nn.Module):
    """Reals and fakes in another range than everybody thinks."""

    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, images: Tensor) -> Tensor:
        return images * self.scale + self.shift


@dataclass(frozen=True)
class WrongRange:
    """A `show` of the user's own: `scale` times the images plus `shift`."""

    scale: float
    shift: float

    def build(self, spec: ImageSpec) -> nn.Module:
        return Ranged(self.scale, self.shift)


_LEARNS_TOO_FAST = ("learning-rate-too-high", "divergence", "exploding-gradients", "oscillation")
_STANDS = ("generator-stands-still", "discriminator-stands-still")
_ONE_SIDED = ("discriminator-too-strong", "vanishing-gradients", "generator-stands-still")
_COPIES = ("few-images-as-they-are", "d-overfits", "d-sure-of-reals", "memorises", "mostly-copies")

FAULTS: tuple[Fault, ...] = (
    Fault("both learning rates x30", _LEARNS_TOO_FAST, strike=rates(generator=30, discriminator=30), may_help=True),
    Fault(
        "generator's learning rate x30", _LEARNS_TOO_FAST, strike=rates(generator=30, discriminator=1), may_help=True
    ),
    Fault(
        "both learning rates / 300",
        ("learning-rate-too-low", *_STANDS),
        strike=rates(generator=1 / 300, discriminator=1 / 300),
    ),
    Fault("discriminator far faster", _ONE_SIDED, strike=rates(generator=1 / 30, discriminator=3)),
    Fault("generator stands still", _ONE_SIDED, strike=rates(generator=0, discriminator=1)),
    Fault(
        "discriminator stands still",
        ("discriminator-too-weak", "discriminator-stands-still"),
        strike=rates(generator=1, discriminator=0),
    ),
    Fault("one picture", ("mode-collapse",), strike=latents(1)),
    Fault("four pictures", ("mode-collapse", "partial-collapse"), strike=latents(4)),
    Fault("grid over the pictures", ("checkerboard",), strike=pictures(_grid)),
    Fault("pictures saturated", ("saturated", "contrast-off"), strike=pictures(lambda made: (50 * made).clamp(-1, 1))),
    Fault("pictures tinted", ("colours-off", "saturated"), strike=pictures(_tinted)),
    Fault("pictures pale", ("contrast-off", "colours-off"), strike=pictures(lambda made: made * 0.2)),
    Fault("units silenced", ("dead-generator",), strike=_dead),
    Fault("statistics stale", ("batch-norm-modes",), strike=_stale, fits=_has_batch_norm),
    Fault("weight infinite", ("not-finite",), strike=_infinite),
    Fault("discriminator x1000", ("exploding-gradients", "divergence", *_ONE_SIDED), strike=_loud),
    Fault("generator shaken", ("past-best", "divergence", *_LEARNS_TOO_FAST), each=_shaken),
    Fault("30 images", _COPIES, limit=30),
    Fault(
        "reals augmented for good",
        ("augmentation-leaks",),
        settings={"show": {"kind": "diff_augment", "probability": 0.3}},
        at_start=_augmented_reals,
    ),
    Fault("images in 0..1", ("input-range", "narrow-inputs"), settings={"show": WrongRange(0.5, 0.5)}),
    Fault(
        "normalised twice",
        ("normalised-twice", "narrow-inputs", "input-range"),
        settings={"show": WrongRange(1 / 127.5, -1.0)},
    ),
    Fault(
        "penalty too large",
        ("regulariser-dominates", "regularisation-constant"),
        penalties=({"kind": "l2", "weight": 10.0},),
    ),
    Fault(
        "saturating loss, fast discriminator",
        ("vanishing-gradients", "discriminator-too-strong"),
        settings={"loss": {"kind": "minimax"}, "penalties": []},
        strike=rates(generator=1, discriminator=4),
        fits=_without_penalty,
    ),
    Fault(
        "critic without constraint",
        ("critic-unbounded", *_LEARNS_TOO_FAST),
        settings={"penalties": []},
        fits=lambda config: config["loss"]["kind"] == "wasserstein",
    ),
    Fault("input late", ("input-stalls",), at_start=_slow_input),
    Fault("memory leaks", ("memory-grows",), each=Leak()),
    Fault("pictures swing", ("oscillation",), strike=_swinging),
    Fault("copies shown", ("memorises", "mostly-copies"), strike=_copied, limit=1500),
)
