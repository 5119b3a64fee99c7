"""Everything alive during a run, and the part of it that must survive a restart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from steadygan.care import Policy, Watch
from steadygan.data import Dataset
from steadygan.doctor.case import Case, GrowingCase
from steadygan.networks import Latents, classes_of, latents_of
from steadygan.records import Record
from steadygan.runs import Run
from steadygan.training.average import Average
from steadygan.training.config import Cadence, RunConfig
from steadygan.training.game import Game, bare
from steadygan.training.runtime import Runtime
from steadygan.training.seeds import derive, seed_everything
from steadygan.training.threads import Threads

Say = Callable[[str], None]


@dataclass
class Meter:
    """Sums of what the turns report, kept on the device until somebody reads them."""

    names: tuple[str, ...] = ()
    total: Tensor | None = None
    count: int = 0

    def add(self, report: dict[str, Tensor]) -> None:
        """Add the values of one step."""
        self.names = tuple(report)
        values = torch.stack(list(report.values()))
        self.total = values if self.total is None else self.total + values
        self.count += 1

    def state_dict(self) -> dict[str, Any]:
        return {"names": list(self.names), "total": self.total, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.names, self.total, self.count = tuple(state["names"]), state["total"], state["count"]


@dataclass
class Progress:
    """How far a run has come: steps, real images shown to the discriminator, seconds of training."""

    steps: int = 0
    images: int = 0
    seconds: float = 0.0


class Hears(Protocol):
    """Who wants to know what was written."""

    def hear(self, session: Session, record: Record) -> None: ...


@dataclass
class Session:
    """A run in progress: its configuration, its parts, and how far it has come.

    `asked` is the configuration that the user chose, `changes` are the settings that `care` has changed since, and
    `config` has both. `story` are the records so far; `decides` is whether care decides before the first step.
    `heard_by` are told of every record, in the process that writes.
    """

    config: RunConfig
    dataset: Dataset
    run: Run
    runtime: Runtime
    game: Game
    average: Average
    threads: Threads
    progress: Progress = field(default_factory=Progress)
    meter: Meter = field(default_factory=Meter)
    images_this_step: int = 0
    input_wait_seconds: float = 0.0
    say: Say = print
    care: Policy = field(default_factory=Watch().build)
    changes: Mapping[str, Any] = field(default_factory=dict)
    story: GrowingCase | None = None
    decides: bool = False
    heard_by: Sequence[Hears] = ()

    def __post_init__(self) -> None:
        self.asked = self.config

    @property
    def latents(self) -> Latents:
        return latents_of(self.config.networks)

    def seeded(self, step: int) -> Callable[[], Tensor]:
        """Seed this process for a step; gives the source of its latents, its part of those that one process would draw.

        Several processes so play the game of one, as far as nothing else in it is random or goes by the whole batch.
        """
        runtime, config, latents = self.runtime, self.config, self.latents
        if runtime.world == 1:
            seed_everything(config.seed, "step", 0, step)
            return lambda: latents.draw(config.batch, device=runtime.device)
        seed_everything(config.seed, "step", "process", runtime.rank, step)  # for noise that is nobody's latent
        alone = torch.Generator(runtime.device)
        alone.manual_seed(derive(config.seed, "step", 0, step))
        share = config.batch // runtime.world
        return lambda: latents.draw(config.batch, device=runtime.device, random=alone)[runtime.rank * share :][:share]

    def given(self, labels: Tensor | None) -> tuple[Tensor, ...]:
        """What the networks are given with a batch of images: its labels, if they are conditional, else nothing."""
        return () if labels is None or not classes_of(self.average.network) else (labels,)

    def write(self, record: Record) -> None:
        """Add a record to its file of the run folder."""
        self.run.write(record)
        self.hear(record)

    def hear(self, record: Record) -> None:
        """Know a record that was just written."""
        if self.story:
            self.story.add(record)
            for listener in self.heard_by:
                listener.hear(self, record)

    def begin(self) -> None:
        """Read the records of the run folder, once it holds what the run goes on from; in the process that writes."""
        self.story = GrowingCase(self.run) if self.runtime.main else None

    def case(self) -> Case:
        """The run as far as it has come, under the settings in force; after `begin`, in the process that writes."""
        assert self.story
        return replace(self.story.case, config=self.config.dump())

    def networks(self) -> dict[str, nn.Module]:
        """The three networks by the names of their files."""
        game = self.game
        return {
            "generator": bare(game.generator),
            "average": self.average.network,
            "discriminator": bare(game.discriminator),
        }

    def crossed(self, cadence: Cadence) -> bool:
        """Whether the last step passed a multiple of so many images, or of so many steps; never if it is open."""
        if cadence.every_steps:
            return self.progress.steps % cadence.every_steps == 0
        now, every = self.progress.images, cadence.every_images
        return every is not None and now // every > (now - self.images_this_step) // every

    def state_dict(self) -> dict[str, Any]:
        """All but the networks."""
        return {
            "progress": vars(self.progress),
            "meter": self.meter.state_dict(),
            "game": self.game.state_dict(),
            "threads": self.threads.state_dict(),
            "changes": dict(self.changes),
            "care": self.care.state_dict(),
            "decides": self.crossed(self.config.checkpoint),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.progress = Progress(**state["progress"])
        self.meter.load_state_dict(state["meter"])
        if self.meter.total is not None:
            self.meter.total = self.meter.total.to(self.runtime.device)
        self.game.load_state_dict(state["game"])
        if "threads" in state:  # which older runs do not keep, nor what follows
            self.threads.load_state_dict(state["threads"])
        self.care.load_state_dict(state.get("care", {}))
        self.decides = state.get("decides", False)
