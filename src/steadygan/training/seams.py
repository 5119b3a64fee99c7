"""What plugs into the game, as protocols: anything with the right methods will do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from steadygan.objectives.losses import Loss
from steadygan.objectives.view import View
from steadygan.spec import ImageSpec

Move = Literal["discriminator", "discriminator_real", "discriminator_fake", "generator"]
"""A turn of one player: of the discriminator on its whole loss, on its reals or its fakes alone, of the generator."""

Report = Mapping[str, Tensor]

Look = Callable[[], Report]
"""Judges the step's first batch before anyone moves: `accuracy_real`, `accuracy_fake` and mean logits, on the device.

The batch and its fakes, none from a history, are those of the first move.
"""


@runtime_checkable
class Builds(Protocol):
    """Settings of a part with tensors inside, such as `show` and `replay`, for images of a given form."""

    def build(self, spec: ImageSpec) -> nn.Module: ...


@runtime_checkable
class Changes(Protocol):
    """What is built for `show` and `replay`, as a game takes it: images (N, C, H, W) in, images out."""

    def __call__(self, images: Tensor) -> Tensor: ...


@runtime_checkable
class Remembers(Protocol):
    """Settings of a penalty or term with a memory: the module, called with a view, keeps it in its buffers."""

    def build(self, player: nn.Module) -> nn.Module: ...


@runtime_checkable
class Watches(Protocol):
    """A part that wants to know what happened: called after each turn of its player, without gradients.

    `show`, `replay` and the penalties watch the discriminator's turns, the generator's terms its own.
    """

    def watch(self, view: View) -> None: ...


@runtime_checkable
class Opponent(Protocol):
    """A context that hands out the view of the discriminator the generator plays against, given that of the trained."""

    def against(self, loss: Loss, view: View) -> AbstractContextManager[View]: ...


@runtime_checkable
class Turns(Protocol):
    """Who moves in a step. A step begins with a move that brings reals: "discriminator" or "discriminator_real".

    `report` holds what the last turns measured, on the device, `look()` how the batch to come is judged; reading either
    waits for the device. Each kind of move of the discriminator has an optimizer state of its own, unless the object
    has an `own_states` that is false: then one serves all.
    """

    def moves(self, step: int, report: Report, look: Look) -> tuple[Move, ...]: ...
