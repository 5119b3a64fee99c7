"""Who moves next: the `turns` seam."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from steadygan.training.seams import Move, Report, SeamSettings

_D: tuple[Move, ...] = ("discriminator",)
_G: tuple[Move, ...] = ("generator",)
_EACH: tuple[Move, ...] = ("discriminator_real", "discriminator_fake", "discriminator")


class Fixed(SeamSettings):
    """So many turns of each player a step, the discriminator first. Goodfellow et al. (2014), Algorithm 1.

    The paper's k is `discriminator`. 1 and 1 is the off value of `turns`; 5 and 1 are the critic steps of
    Arjovsky et al. (2017); 1 and 2 move the generator twice.
    """

    paper: ClassVar[str] = "arXiv:1406.2661"
    helps: ClassVar[str] = "Several critic steps keep a Wasserstein critic near its optimum; G twice helps a weak G."
    hurts: ClassVar[str] = "Every further turn costs its time, and often only delays an instability."

    kind: Literal["fixed"] = "fixed"
    discriminator: int = Field(default=1, ge=1)
    generator: int = Field(default=1, ge=1)

    def moves(self, step: int, report: Report) -> tuple[Move, ...]:
        return _D * self.discriminator + _G * self.generator


class Moderated(SeamSettings):
    """Moderated training: strengthen the discriminator much while it is fooled, let the generator breathe else.

    If at least `fooled` of the last reals were judged fake, or as many of the last fakes real, or both, path A: the
    discriminator moves on its reals, on its fakes, and on both together. Otherwise path B: on both together, once.
    The generator moves twice either way. Each of the discriminator's three moves has an Adam state of its own, so that
    with the generator's there are four. From "39 mistakes in a GAN for satellite images" (mistakes 32, 36 and 39);
    that path B is one update on both is our reading of "the lighter update".
    Each step waits for the device, to see how the last one went. Needs a loss with a real and a fake half.
    """

    paper: ClassVar[str] = "seed:satellite"
    helps: ClassVar[str] = "A discriminator that is fooled half of the time catches up before the generator runs away."
    hurts: ClassVar[str] = "A step costs up to three discriminator turns; others found that it only delays collapse."

    kind: Literal["moderated"] = "moderated"
    fooled: float = Field(default=0.5, gt=0, le=1)
    generator: int = Field(default=2, ge=1)

    def moves(self, step: int, report: Report) -> tuple[Move, ...]:
        judged = _agreed(torch.stack([report["accuracy_real"], report["accuracy_fake"]]))
        path = _EACH if min(judged) <= 1 - self.fooled else _D
        return path + _G * self.generator


class Balanced(SeamSettings):
    """Keeps the discriminator's accuracy in a band: below `low` it moves `extra` times more, above `high` G does.

    The accuracy is the mean over the last reals and fakes. After the balancing trainers that Chintala et al. (2016)
    advise against in item 11, so that it can be tried. Each step waits for the device.
    """

    paper: ClassVar[str] = "https://github.com/soumith/ganhacks"
    helps: ClassVar[str] = "One player far stronger than the other, where the networks cannot be changed."
    hurts: ClassVar[str] = "A confident discriminator is often healthy; balancing by statistics then wastes its turns."

    kind: Literal["balanced"] = "balanced"
    low: float = Field(default=0.6, ge=0, le=1)
    high: float = Field(default=0.9, ge=0, le=1)
    extra: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Balanced:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} must be less than high {self.high:g}")
        return self

    def moves(self, step: int, report: Report) -> tuple[Move, ...]:
        accuracy = sum(_agreed(torch.stack([report["accuracy_real"], report["accuracy_fake"]]))) / 2
        return _D * (1 + self.extra * (accuracy < self.low)) + _G * (1 + self.extra * (accuracy > self.high))


AnyTurns = Annotated[Fixed | Moderated | Balanced, Field(discriminator="kind")]


def _agreed(values: Tensor) -> list[float]:
    """Measured values, their means over all processes, so that they decide alike."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(values)
        values /= torch.distributed.get_world_size()
    measured: list[float] = values.tolist()
    return measured
