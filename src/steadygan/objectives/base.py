"""What a penalty and a generator term have to offer, and the base of ours."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from pydantic import Field
from torch import Tensor

from steadygan.objectives.view import View
from steadygan.part import Part

__all__ = ["GeneratorTerm", "Penalty", "PenaltySettings"]


@runtime_checkable
class Penalty(Protocol):
    """A scalar added to the discriminator's loss at every `every`-th of its turns.

    It may also have `differentiates`, whether it needs gradients with respect to images (if absent, it does), and
    `watch(view)`, called without gradients after each of the player's turns.
    """

    @property
    def every(self) -> int: ...

    def __call__(self, view: View) -> Tensor: ...


@runtime_checkable
class GeneratorTerm(Protocol):
    """A scalar added to the generator's loss in each of its turns; it may have `watch(view)` as a penalty may."""

    def __call__(self, view: View) -> Tensor: ...


class PenaltySettings(Part):
    """Base of all penalties: the settings are the object, and calling it is the formula.

    One with a memory has no formula itself but `build(player)`, which gives the module that has it.
    With `every=n` a penalty is computed at each n-th turn of the discriminator and counts n times there
    (Karras et al. 2020, section 3.1), so its mean strength does not depend on n.
    """

    differentiates: ClassVar[bool] = True

    every: int = Field(default=1, ge=1)
