"""The complete configuration of a run: every setting, its default and what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from steadygan.augment import AnyShow, AsIs
from steadygan.care import AnyCare, Keep
from steadygan.config import BY_NAME, BY_NAMES
from steadygan.data.settings import Channels
from steadygan.features import AnyFeatures, Scattering
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
from steadygan.part import Value, lacks
from steadygan.schedule import Count, with_length
from steadygan.scoring.base import Metric
from steadygan.scoring.metrics import AnyMetric, Frechet, Kernel
from steadygan.training.average import EMA
from steadygan.training.opponent import AnyOpponent, Itself
from steadygan.training.optim import Adam, AnyOptimizer, OptimizerSettings
from steadygan.training.replay import AnyReplay, Fresh
from steadygan.training.seams import Builds, Opponent, Remembers, Turns
from steadygan.training.trackers import AnyTracker, Tracker
from steadygan.training.turns import AnyTurns, Fixed

__all__ = ["Budget", "RunConfig"]

OWN = "own"
Place = tuple[str | int, ...]
"""Names and numbers that lead to a value in a configuration."""


def _accept(*protocols: type[Any]) -> WrapValidator:
    """Let an object of the user's own through where a part of ours is expected; ValueError names what it lacks."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        if _is_plain_or_ours(value):
            return handler(value)
        if lacking := lacks(value, *protocols):
            raise ValueError(lacking)
        return value

    return WrapValidator(check)


def _measuring(value: Any) -> Any:
    """A metric of the user's own cannot be brought back from a file, as a run that goes on would need."""
    if _is_plain_or_ours(value):
        return value
    raise ValueError(lacks(value, Metric) or "a metric of your own scores finished runs: evaluate(RUN, metrics=[...])")


def _is_plain_or_ours(value: Any) -> bool:
    return isinstance(value, str | int | float | list | tuple | Mapping | None) or is_ours(value)


def is_ours(value: Any) -> bool:
    """Whether a part is of this package, and so can be written into a file."""
    return type(value).__module__.startswith("steadygan.")


def _dump(value: Any) -> Any:
    """A part as plain data; one of the user's own is named, not stored."""
    if isinstance(value, BaseModel) and is_ours(value):
        return value.model_dump(mode="json")
    # the repr that objects have by default names their address, which is another each time
    named = type(value).__repr__ is not object.__repr__  # type: ignore[comparison-overlap]
    return {
        "kind": OWN,
        "type": f"{type(value).__module__}.{type(value).__qualname__}",
        "settings": repr(value) if named else "",
    }


_SHOWN = PlainSerializer(_dump)

LossPart = Annotated[AnyLoss, BY_NAME, _accept(Loss), _SHOWN]
PenaltyPart = Annotated[AnyPenalty, BY_NAME, _accept(Penalty, Remembers), _SHOWN]
TermPart = Annotated[AnyGeneratorTerm, BY_NAME, _accept(GeneratorTerm, Remembers), _SHOWN]
NetworksPart = Annotated[AnyNetworks, BY_NAME, _accept(Networks), _SHOWN]
ShowPart = Annotated[AnyShow, BY_NAME, _accept(Builds), _SHOWN]
ReplayPart = Annotated[AnyReplay, BY_NAME, _accept(Builds), _SHOWN]
OptimizerPart = Annotated[AnyOptimizer, BY_NAME, _accept(OptimizerSettings), _SHOWN]
OpponentPart = Annotated[AnyOpponent, BY_NAME, _accept(Opponent), _SHOWN]
TurnsPart = Annotated[AnyTurns, BY_NAME, _accept(Turns), _SHOWN]
CarePart = Annotated[AnyCare, BY_NAME]
TrackerPart = Annotated[AnyTracker, BY_NAME, _accept(Tracker), _SHOWN]
MetricPart = Annotated[AnyMetric, BeforeValidator(_measuring)]


class Settings(Value):
    """Base of all groups of settings; they may hold objects of the user's own."""

    model_config = ConfigDict(arbitrary_types_allowed=True)


class Budget(Settings):
    """How long to train. The first limit reached ends the run; with none given it is 200,000 images.

    Images are real images shown to the discriminator; minutes are training time, earlier sessions included. Before the
    run it is said how many steps that is: 200,000 images are 3,125 steps of 64, where the founding articles take 20,000
    and 50,000. A recipe whose source names its iterations has those as its budget.

    Schedules without a length of their own take `schedule_images`, by default as many as the run will show: where it is
    bounded by minutes, as many as it is expected to. Another budget for a run that goes on is another length for them.
    """

    images: Count | None = None
    steps: Count | None = None
    minutes: float | None = Field(default=None, gt=0)
    schedule_images: Count | None = None

    def is_open(self) -> bool:
        """Whether no limit is given."""
        return self.images is self.steps is self.minutes is None


class DataSettings(Settings):
    """Where the images come from and how they are brought to one form (see `prepare`).

    `mirror` flips half of the reals left to right, at random: right for most photographs, wrong for text.
    `held_out` is the share of the images that training does not see, at most 5,000 images; `split_seed` other than 0
    draws others for it, so that runs can differ in that, too.
    `labels` are those of tables or class folders, of "folders" alone, or "none".
    """

    beside: ClassVar[frozenset[str]] = frozenset({"source"})

    source: str = ""
    fit: Literal["crop", "pad", "stretch", "random-crops", "faces"] = "crop"
    channels: Channels = "auto"
    duplicates: Literal["keep", "remove"] = "keep"
    labels: Literal["auto", "folders", "none"] = "auto"
    held_out: float = Field(default=0.1, ge=0, le=0.5)
    split_seed: int = Field(default=0, ge=0, lt=2**63)
    mirror: bool = False


class StartSettings(Settings):
    """Trained networks to start from instead of fresh weights. Wang et al. (2018), arXiv:1805.01677.

    `source` is the folder of a run or of one of its checkpoints, or an exported generator, which has no discriminator;
    nothing by default. Of a run everything is taken over as it was, generator, average and discriminator, but for what
    tells classes apart where those of the images are others or none, and nothing else: optimizers begin anew, as do
    images seen and all that follows them. So do Mo et al. (2020) in their code; a generator that started from the
    average would meet a discriminator that it never played.
    """

    source: str = ""

    @property
    def paper(self) -> str:
        """Whose technique it is, if it is used."""
        return "arXiv:1805.01677" if self.source else ""


class FreezeSettings(Settings):
    """The first `discriminator` layers of the discriminator stay as they are. Mo et al. (2020), section 3.

    They are those next to the image; a convolution, a dense layer or a residual block counts as one, with its norm. 0
    is off, one layer at least has to learn. For a run that starts from a trained discriminator.
    """

    discriminator: int = Field(default=0, ge=0)

    @property
    def paper(self) -> str:
        """Whose technique it is, if it is used."""
        return "arXiv:2002.10964" if self.discriminator else ""


class Optimizers(Settings):
    """One optimizer for each player; two learning rates are TTUR (Heusel et al. 2017)."""

    generator: OptimizerPart = Adam()
    discriminator: OptimizerPart = Adam()


class RuntimeSettings(Settings):
    """The machine. `auto` is decided by what is there and by measurements of a fraction of a second, or of some seconds
    for the convolutions.

    What was measured is remembered for this processor, number of threads and version of PyTorch in the folder `speeds`
    of the cache ($STEADYGAN_CACHE, or ~/.cache/steadygan); deleting that forgets it. `convolution` "auto" computes a
    layer otherwise than torch does where that was clearly faster on this processor, with the same numbers but for
    rounding; a run that goes on computes as it did. A new run in bfloat16 compares both
    networks' gradients with those of float32 before it starts, and `auto` takes float32 where they differ.

    `compile` applies torch.compile to both networks, but the generator's turn and turns with a gradient penalty use
    the discriminator as it is. `threads` 0 takes as many as OMP_NUM_THREADS says; without it all processors, but one
    less from three up, and fewer while other programs use them (a run repeats to the bit only as long as they do not
    change). Several processes on a machine share them.
    """

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    layout: Literal["auto", "channels_last", "channels_first"] = "auto"
    convolution: Literal["auto", "plain"] = "auto"
    compile: bool = False
    threads: int = Field(default=0, ge=0)


class Cadence(Settings):
    """How often something is done: every so many images seen, or every so many steps whatever the batch."""

    every_images: Count | None = None
    every_steps: Count | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.every_images and self.every_steps:
            raise ValueError("give every_images or every_steps, not both")
        return self

    def is_open(self) -> bool:
        """Whether neither is given."""
        return self.every_images is self.every_steps is None


class LogSettings(Cadence):
    """A line of `log.jsonl` every so many images or steps; None chooses from the speed and the budget.

    `to` are other tools that are told what is written: "tensorboard", "wandb" or "trackio", or as
    `{"kind": "wandb", "project": "p"}`; it is read at the start and at every resume.
    """

    to: Annotated[tuple[TrackerPart, ...], BY_NAMES] = ()


class SampleSettings(Cadence):
    """Grids of `count` generated images; None chooses a fortieth of the run, but 15 to 300 seconds."""

    count: int = Field(default=64, ge=1, le=1024)


class CheckpointSettings(Cadence):
    """The newest `keep` checkpoints stay, and the best. None chooses a tenth of the run, but 2 to 15 minutes."""

    keep: int = Field(default=3, ge=1)


class ScoreSettings(Settings):
    """What is measured at every checkpoint: metrics of `count` generated pictures against held-out images.

    They may take `most_time` of the run's time; a checkpoint that would cost more goes without, but the last. `metrics`
    `()` is off. The best checkpoint is picked by another score, the Fréchet distance to training images.
    """

    metrics: Annotated[tuple[MetricPart, ...], BY_NAMES] = (Frechet(), Kernel())
    features: AnyFeatures = Scattering()
    count: int = Field(default=512, ge=16)
    most_time: float = Field(default=0.02, ge=0, le=1)


class DoctorSettings(Cadence):
    """How much of a run's time the doctor may take to measure and to look, `most_time`; 0 is off.

    It looks at ticks, as often as that allows, but at the first and at the end in any case; or every so many images or
    steps, whatever it takes, as care that treats has it do. What it measures is in `signals.jsonl`, what it finds in
    `findings.jsonl` and, once each, on the screen.
    """

    most_time: float = Field(default=0.03, ge=0, le=1)


class RunConfig(Settings):
    """Everything that decides what a run does. The resolved one is written to `run.json` before the first step.

    `batches`: reals and fakes go through the discriminator apart, or "joint" in one batch in its own turn, while the
    generator's turn judges fakes alone, or "joint_both" in one batch in both turns.
    """

    mid_run: ClassVar[frozenset[str]] = frozenset({"penalties", "generator_terms", "show", "turns"})
    # another precision or device rounds otherwise, too
    beside: ClassVar[frozenset[str]] = frozenset(
        {"budget", "runtime", "log", "samples", "checkpoint", "scores", "doctor", "care"}
    )

    recipe: str = "custom"
    seed: int = Field(default=0, ge=0, lt=2**63)
    batch: int = Field(default=64, ge=2)
    size: int | None = Field(default=None, ge=1)
    budget: Budget = Budget()
    data: DataSettings = DataSettings()
    start: StartSettings = StartSettings()
    networks: NetworksPart = DCGAN()
    loss: LossPart = NonSaturating()
    penalties: Annotated[tuple[PenaltyPart, ...], BY_NAMES] = ()
    generator_terms: Annotated[tuple[TermPart, ...], BY_NAMES] = ()
    batches: Literal["separate", "joint", "joint_both"] = "separate"
    show: ShowPart = AsIs()
    replay: ReplayPart = Fresh()
    opponent: OpponentPart = Itself()
    turns: TurnsPart = Fixed()
    optimizer: Optimizers = Optimizers()
    ema: EMA = EMA()
    freeze: FreezeSettings = FreezeSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    log: LogSettings = LogSettings()
    samples: SampleSettings = SampleSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    scores: ScoreSettings = ScoreSettings()
    doctor: DoctorSettings = DoctorSettings()
    care: CarePart = Keep()

    def scheduled(self) -> RunConfig:
        """The same, with the length of every schedule that has none of its own."""
        filled: RunConfig = with_length(self, self.budget.schedule_images)
        return filled

    def dump(self) -> dict[str, Any]:
        """As plain data, ready for JSON and TOML."""
        return self.model_dump(mode="json")

    def own_parts(self) -> list[str]:
        """Names of the settings that hold objects of the user's own, which a file cannot bring back."""
        return own_parts(self.dump())


def own_parts(tree: Mapping[str, Any]) -> list[str]:
    """As `RunConfig.own_parts`, of a configuration dumped earlier; the two optimizers count as one setting."""
    found: list[Place] = []
    fill_in(tree, lambda place, _: found.append(place))
    return sorted({str(place[0]) for place in found})


def fill_in(tree: Any, find: Callable[[Place, dict[str, Any]], Any], place: Place = ()) -> Any:
    """A dumped configuration with what `find` gives in place of each object of the user's own, told where and what."""
    if isinstance(tree, Mapping):
        if tree.get("kind") == OWN:
            return find(place, dict(tree))
        return {name: fill_in(value, find, (*place, name)) for name, value in tree.items()}
    if isinstance(tree, list):
        return [fill_in(value, find, (*place, number)) for number, value in enumerate(tree)]
    return tree
