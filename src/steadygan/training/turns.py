"""Who moves next: the `turns` seam."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from steadygan.part import Part
from steadygan.training.seams import Look, Move, Report

__all__ = ["Apart", "Balanced", "Fixed", "Moderated"]

_D: tuple[Move, ...] = ("discriminator",)
_G: tuple[Move, ...] = ("generator",)
_APART: tuple[Move, ...] = ("discriminator_real", "discriminator_fake")


class Fixed(Part):
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

    def moves(self, step: int, report: Report, look: Look) -> tuple[Move, ...]:
        return _D * self.discriminator + _G * self.generator


class Apart(Part):
    """The discriminator moves on the reals alone, then on the fakes alone: two updates of its weights a step.

    As `train_on_batch` called twice in Keras, in "Eleven hacks for stable GANs"; both halves share one optimizer, as
    there, or have an Adam state each with `own_states` ("Fake satellite images: 39 mistakes", mistake 32: one state
    mixes the moments of two losses). Penalties are paid in both. Then G moves `generator` times. Needs a loss with a
    real and a fake half.
    """

    paper: ClassVar[str] = "seed:eleven-hacks"
    helps: ClassVar[str] = "Batch norm and Adam see reals and fakes one after the other; two small steps for one large."
    hurts: ClassVar[str] = "The second half judges what the first has just moved, and the step takes two updates."

    kind: Literal["apart"] = "apart"
    generator: int = Field(default=1, ge=1)
    own_states: bool = False

    def moves(self, step: int, report: Report, look: Look) -> tuple[Move, ...]:
        return _APART + _G * self.generator


class Moderated(Part):
    """Moderated training: strengthen the discriminator while it is fooled, tread lightly else.

    Before D moves, it judges the reals of the current batch and fresh fakes, none from a history. If at least `fooled`
    of these reals are taken for fakes, or as many of the fakes for reals, or both, path A: it moves on the reals alone,
    then on the fakes alone. Otherwise path B: on both losses together, once. Each of these three moves has an Adam
    state of its own, four with the generator's; beta1 is low there because states idle while the other path runs. The
    generator moves twice either way. From "Fake satellite images: 39 mistakes" (mistakes 32, 37 and 39). `path` in the
    log is the share of steps on path A. Each step waits for the device, to see the verdict. Needs a loss with a real
    and a fake half.
    """

    paper: ClassVar[str] = "seed:satellite"
    helps: ClassVar[str] = "A discriminator that is fooled half of the time catches up before the generator runs away."
    hurts: ClassVar[str] = "Each step judges its batch once more before it moves; others found it only delays collapse."

    kind: Literal["moderated"] = "moderated"
    fooled: float = Field(default=0.5, gt=0, le=1)
    generator: int = Field(default=2, ge=1)

    def moves(self, step: int, report: Report, look: Look) -> tuple[Move, ...]:
        seen = look()
        judged = _agreed(torch.stack([seen["accuracy_real"], seen["accuracy_fake"]]))
        # shares are counts over the batch in float32: half a millionth is far below one image
        path = _APART if 1 - min(judged) >= self.fooled - 5e-7 else _D
        return path + _G * self.generator


class Balanced(Part):
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

    def moves(self, step: int, report: Report, look: Look) -> tuple[Move, ...]:
        accuracy = sum(_agreed(torch.stack([report["accuracy_real"], report["accuracy_fake"]]))) / 2
        return _D * (1 + self.extra * (accuracy < self.low)) + _G * (1 + self.extra * (accuracy > self.high))


AnyTurns = Annotated[Fixed | Apart | Moderated | Balanced, Field(discriminator="kind")]


def _agreed(values: Tensor) -> list[float]:
    """Measured values, their means over all processes, so that they decide alike."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(values)
        values /= torch.distributed.get_world_size()
    measured: list[float] = values.tolist()
    return measured
