"""The seams that belong to the game itself: replay, opponent and turns, with their off values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

Player = Literal["discriminator", "generator"]


class SeamSettings(BaseModel):
    """Base of the values on these seams: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@runtime_checkable
class Builds(Protocol):
    """Settings of a part with tensors inside, such as `show` and `replay`."""

    def build(self) -> nn.Module: ...


class Fresh(SeamSettings):
    """The discriminator's turn uses the fakes just made: the off value of `replay`."""

    kind: Literal["fresh"] = "fresh"

    def build(self) -> nn.Module:
        return nn.Identity()


@runtime_checkable
class Opponent(Protocol):
    """A context that hands out the discriminator the generator plays against, given the one being trained."""

    def against(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> AbstractContextManager[nn.Module]: ...


class Itself(SeamSettings):
    """The generator plays against the discriminator as it stands: the off value of `opponent`."""

    kind: Literal["itself"] = "itself"

    @contextmanager
    def against(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Iterator[nn.Module]:
        yield discriminator


@runtime_checkable
class Turns(Protocol):
    """Who moves in a step. A step begins with the discriminator, which brings the reals of the step."""

    def moves(self, step: int) -> tuple[Player, ...]: ...


class Fixed(SeamSettings):
    """So many turns of each player a step, the discriminator first. Goodfellow et al. (2014), Algorithm 1.

    The paper's k is `discriminator`. 1 and 1 is the off value of `turns`; 5 and 1 are the critic steps of
    Arjovsky et al. (2017); 1 and 2 move the generator twice.
    """

    kind: Literal["fixed"] = "fixed"
    discriminator: int = Field(default=1, ge=1)
    generator: int = Field(default=1, ge=1)

    def moves(self, step: int) -> tuple[Player, ...]:
        players: tuple[Player, Player] = ("discriminator", "generator")
        return players[:1] * self.discriminator + players[1:] * self.generator


AnyReplay = Fresh
AnyOpponent = Itself
AnyTurns = Fixed
