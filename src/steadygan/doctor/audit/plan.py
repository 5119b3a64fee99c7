"""What the audit reads: settings, networks and images as they stand before a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import Field

from steadygan.doctor.audit.anatomy import Anatomy
from steadygan.doctor.case import Configured, loss_of
from steadygan.doctor.rule import RuleOf
from steadygan.part import Value

DEFAULT_IMAGES = 200_000
"""Of a budget without a limit."""
SQUARED = ("r1", "r2", "wgan_gp", "dragan", "perturbed_r1", "perturbed_r2")
"""Penalties on the slope of the discriminator."""


class Remarked(Value):
    """What `inspect` remarks about a set of images."""

    severity: str
    sentence: str
    remedy: str


class Images(Value):
    """What is known of a set of images: those to train on, those left for scores if known, files that are of no use.

    `remarks` are what `inspect` says of them, by its check.
    """

    training: int
    held_out: int | None = None
    unusable: int = 0
    size: int = 0
    remarks: dict[str, Remarked] = Field(default_factory=dict)


@dataclass(frozen=True)
class RunPlan(Configured):
    """A run before it begins, as far as it is known: what is not given is judged by no rule.

    `config` is as `RunConfig.dump` gives it, `data` what the images are, `reals` the least and largest value of a batch
    of reals as the networks will get them.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    generator: Anatomy | None = None
    discriminator: Anatomy | None = None
    data: Images | None = None
    reals: tuple[float, float] | None = None

    @property
    def step(self) -> int:
        """The run has not begun."""
        return 0

    @property
    def images(self) -> int:
        """No image has been seen."""
        return 0

    @cached_property
    def networks(self) -> tuple[tuple[str, Anatomy], ...]:
        """The networks that are known, with what people call them."""
        pairs = (("generator", self.generator), ("discriminator", self.discriminator))
        return tuple((name, network) for name, network in pairs if network)

    def each(self, judge: Callable[[str, Anatomy], str | None]) -> str | None:
        """What is to be said of either network, or of both in one sentence; nothing of networks for points."""
        said = [judge(name, network) for name, network in self.networks] if self.draws else []
        return "; ".join(filter(None, said)) or None

    @property
    def pair(self) -> tuple[Anatomy, Anatomy] | None:
        """Both networks, if both are known and make pictures, not points."""
        return (self.generator, self.discriminator) if self.generator and self.discriminator and self.draws else None

    @property
    def draws(self) -> bool:
        """Whether the generator makes pictures, as far as is known."""
        return not self.generator or math.prod(self.generator.output) >= 64

    @property
    def side(self) -> int:
        """Pixels of a side of what the generator makes, of its height where it is several pictures; 0 if unknown."""
        shape = self.generator.output if self.generator else ()
        return shape[1] if len(shape) == 3 else 0

    @property
    def training(self) -> int:
        """Images to train on; 0 if unknown."""
        return self.data.training if self.data else 0

    @property
    def loss(self) -> str:
        """The kind of the loss; "" if unknown."""
        return loss_of(self.config)

    def penalty(self, *kinds: str) -> Mapping[str, Any] | None:
        """The first of the discriminator's penalties of one of these kinds."""
        found: Sequence[Mapping[str, Any]] = self.setting("penalties", ())
        return next((one for one in found if one.get("kind") in kinds), None)

    @property
    def bounded(self) -> bool:
        """Whether something holds the discriminator's slope: a penalty on it, or spectral norm."""
        spectral = self.setting("networks.spectral_norm", "none") in ("discriminator", "both")
        layers = self.discriminator.weighted if self.discriminator else ()
        return bool(self.penalty(*SQUARED)) or spectral or any(layer.spectral for layer in layers)

    @property
    def judged_by_batch(self) -> bool:
        """Whether the discriminator normalises over the batch."""
        if self.discriminator:
            return bool(self.discriminator.batch_norms())
        return bool(self.setting("networks.discriminator_norm.kind") == "batch")

    @property
    def steps(self) -> int | None:
        """Steps of the run; None if it is bounded by time alone, or unknown."""
        budget = self.setting("budget", {})
        batch = self.setting("batch", 0) * self.turns("discriminator")
        open_ = self.config and not any(budget.get(limit) for limit in ("images", "steps", "minutes"))
        images = budget.get("images") or (DEFAULT_IMAGES if open_ else None)
        limits = [math.ceil(images / batch)] if images and batch else []
        limits += [budget["steps"]] if budget.get("steps") else []
        return min(limits, default=None)

    def turns(self, player: str) -> int:
        """Turns of a player in a step, where they are fixed."""
        return int(self.setting(f"turns.{player}", 1))


@dataclass(frozen=True)
class AuditRule(RuleOf[RunPlan]):
    """A mistake that can be read off before a run."""


def always(*remedies: str) -> Callable[[RunPlan], Sequence[str]]:
    """Remedies that are the same for every plan."""
    return lambda plan: remedies


def most(value: Any, default: float = 0.0) -> float:
    """The largest value of a number or of a schedule over images."""
    if isinstance(value, Mapping):
        return max((float(one) for name, one in value.items() if name in _VALUES), default=default)
    return default if value is None else float(value)


_VALUES = ("start", "end", "value", "low", "high")


def listed(names: Sequence[str], of: int) -> str:
    """Which of so many, in words: the first three by name."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{len(names)} of {of} layers ({', '.join(names[:3])}{more})"
