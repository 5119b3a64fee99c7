"""The complete configuration of a run: every setting, its default and what it means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidatorFunctionWrapHandler, WrapValidator

from steadygan.augment import AnyShow, AsIs
from steadygan.networks import DCGAN, AnyNetworks, Networks
from steadygan.objectives import (
    AnyGeneratorTerm,
    AnyLoss,
    AnyPenalty,
    GeneratorTerm,
    Loss,
    NonSaturating,
    Penalty,
)
from steadygan.training.average import EMA
from steadygan.training.optim import Adam, AnyOptimizer
from steadygan.training.seams import AnyOpponent, AnyReplay, AnyTurns, Fixed, Fresh, Itself, Opponent, Turns

OWN = "own"


def _accept(protocol: type[Any]) -> WrapValidator:
    """Let an object of the user's own through where a part of ours is expected, if it has the right methods."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        own = isinstance(value, protocol) and not type(value).__module__.startswith("steadygan.")
        return value if own else handler(value)

    return WrapValidator(check)


def _dump(value: Any) -> Any:
    """A part as plain data; one of the user's own is named, not stored."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return {"kind": OWN, "type": f"{type(value).__module__}.{type(value).__qualname__}", "settings": repr(value)}


_SHOWN = PlainSerializer(_dump)

LossPart = Annotated[AnyLoss, _accept(Loss), _SHOWN]
PenaltyPart = Annotated[AnyPenalty, _accept(Penalty), _SHOWN]
TermPart = Annotated[AnyGeneratorTerm, _accept(GeneratorTerm), _SHOWN]
NetworksPart = Annotated[AnyNetworks, _accept(Networks), _SHOWN]
OpponentPart = Annotated[AnyOpponent, _accept(Opponent), _SHOWN]
TurnsPart = Annotated[AnyTurns, _accept(Turns), _SHOWN]


class Settings(BaseModel):
    """Base of all groups of settings: frozen, no unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)


class Budget(Settings):
    """How long to train. The first limit reached ends the run; with none given it is 200,000 images.

    Images are real images shown to the discriminator; minutes are training time, earlier sessions included.
    """

    images: int | None = Field(default=None, ge=1)
    steps: int | None = Field(default=None, ge=1)
    minutes: float | None = Field(default=None, gt=0)

    def is_open(self) -> bool:
        """Whether no limit is given."""
        return self.images is self.steps is self.minutes is None


class DataSettings(Settings):
    """Where the images come from and how they are brought to one form (see `prepare`).

    `mirror` flips half of the reals left to right, at random: right for most photographs, wrong for text.
    """

    source: str = ""
    fit: Literal["crop", "pad", "stretch"] = "crop"
    channels: Literal["auto", "rgb", "gray"] = "auto"
    mirror: bool = False


class Optimizers(Settings):
    """One optimizer for each player; two learning rates are TTUR (Heusel et al. 2017)."""

    generator: AnyOptimizer = Adam()
    discriminator: AnyOptimizer = Adam()


class RuntimeSettings(Settings):
    """The machine. `auto` is decided by what is there and by a measurement of a fraction of a second.

    `threads` 0 takes all processors but one, and all of them where there are fewer than five.
    """

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    layout: Literal["auto", "channels_last", "channels_first"] = "auto"
    compile: bool = False
    threads: int = Field(default=0, ge=0)


class LogSettings(Settings):
    """A line of `log.jsonl` every so many images; None chooses from the speed and the budget."""

    every_images: int | None = Field(default=None, ge=1)


class SampleSettings(Settings):
    """Grids of `count` generated images; None chooses about 40 over the run, at least 15 seconds apart."""

    every_images: int | None = Field(default=None, ge=1)
    count: int = Field(default=64, ge=1, le=1024)


class CheckpointSettings(Settings):
    """The newest `keep` checkpoints stay, and the best. None chooses about ten over the run, 2 to 15 minutes apart."""

    every_images: int | None = Field(default=None, ge=1)
    keep: int = Field(default=3, ge=1)


class RunConfig(Settings):
    """Everything that decides what a run does. The resolved one is written to `run.json` before the first step."""

    recipe: str = "dcgan"
    seed: int = Field(default=0, ge=0, lt=2**63)
    batch: int = Field(default=64, ge=2)
    size: int | None = Field(default=None, ge=1)
    budget: Budget = Budget()
    data: DataSettings = DataSettings()
    networks: NetworksPart = DCGAN()
    loss: LossPart = NonSaturating()
    penalties: tuple[PenaltyPart, ...] = ()
    generator_terms: tuple[TermPart, ...] = ()
    show: AnyShow = AsIs()
    replay: AnyReplay = Fresh()
    opponent: OpponentPart = Itself()
    turns: TurnsPart = Fixed()
    optimizer: Optimizers = Optimizers()
    ema: EMA = EMA()
    runtime: RuntimeSettings = RuntimeSettings()
    log: LogSettings = LogSettings()
    samples: SampleSettings = SampleSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()

    def dump(self) -> dict[str, Any]:
        """As plain data, ready for JSON and TOML."""
        return self.model_dump(mode="json")

    def own_parts(self) -> list[str]:
        """Names of the settings that hold objects of the user's own, which a file cannot bring back."""
        parts = {name: value if isinstance(value, list) else [value] for name, value in self.dump().items()}
        return [
            name for name, values in parts.items() if any(isinstance(v, dict) and v.get("kind") == OWN for v in values)
        ]
