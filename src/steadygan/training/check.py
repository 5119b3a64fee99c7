"""What cannot work together, said in one place before any work starts."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

from steadygan.augment import ADA, DiffAugment
from steadygan.errors import ConfigError
from steadygan.networks import MSG
from steadygan.objectives import Consistency, PerturbedR1, PerturbedR2, Separable
from steadygan.spec import ImageSpec
from steadygan.training.config import RunConfig
from steadygan.training.replay import History
from steadygan.training.turns import Apart, Balanced, Moderated


def check(config: RunConfig, spec: ImageSpec, processes: int) -> None:
    """Refuse what cannot work for images of this form; ConfigError lists all problems at once."""
    _refuse([*config.networks.problems(spec), *_batch(config, processes), *_together(config), *_data(config, spec)])


def check_early(config: RunConfig, processes: int = 0) -> None:
    """Refuse what can be refused before the images are there; their size is known only if it was asked for."""
    processes = processes or int(os.environ.get("WORLD_SIZE", "1"))
    sized = ImageSpec(size=config.size or 1, channels=1, classes=1)
    problems = config.networks.problems(sized) if config.size else []
    _refuse([*problems, *_batch(config, processes), *_together(config), *_tools(config)])


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ConfigError(*problems)


def _batch(config: RunConfig, processes: int) -> Iterator[str]:
    if config.batch % processes:
        yield f"batch: {config.batch} cannot be shared by {processes} processes; choose a multiple"
    elif config.batch // processes < 2:
        yield f"batch: {config.batch} leaves fewer than 2 images for each of {processes} processes"


def _tools(config: RunConfig) -> Iterator[str]:
    """Other people's tools that are not there, or know nobody here; each is loaded for that."""
    kinds = [_name(tracker) for tracker in config.log.to]
    yield from (
        f"log.to: {kind} is named twice; name it once" for kind in dict.fromkeys(kinds) if kinds.count(kind) > 1
    )
    problems = dict.fromkeys(tracker.problem() for tracker in config.log.to)
    yield from (f"log.to: {problem}" for problem in problems if problem)


def _together(config: RunConfig) -> Iterator[str]:
    """Settings that contradict each other whatever the images."""
    loss, turns, history = config.loss, config.turns, config.replay
    if isinstance(turns, Moderated | Balanced) and not getattr(loss, "absolute", True):
        yield (
            f"turns: {turns.kind} turns ask how many images are judged rightly, which the logits of a "
            f"{_name(loss)} loss do not say; choose loss=non_saturating, or turns=fixed"
        )
    elif isinstance(turns, Moderated | Apart) and not isinstance(loss, Separable):
        yield f"turns: {turns.kind} turns need real_loss and fake_loss, which {_name(loss)} has not; choose turns=fixed"
    if isinstance(turns, Moderated | Apart) and config.batches != "separate":
        yield f"batches: {turns.kind} turns take reals and fakes apart, joint batches mix them; choose batches=separate"
    if isinstance(config.show, ADA) and config.show.probability is None and _boundary(loss) != 0:
        yield (
            f"show: ada adapts to how many reals have a logit above 0, which under a {_name(loss)} loss does not mean "
            "real; fix it with show.probability=0.3, or choose loss=non_saturating"
        )
    if isinstance(history, History) and history.capacity < config.batch:
        yield f"replay.capacity: {history.capacity} cannot hold a batch of {config.batch}; choose a larger one"
    if isinstance(config.networks, MSG):
        if isinstance(history, History):
            yield "replay: the history holds single images, not the scales of msg networks; choose replay=fresh"
        yield from (f"{name}: it would move the scales of msg networks apart; {way}" for name, way in _moving(config))
    if config.freeze.discriminator and not config.start.source:
        yield "freeze.discriminator: fresh layers have learned nothing to be kept; start from a trained run with --from"
    comparing = [_name(p) for p in config.penalties if isinstance(p, PerturbedR1 | PerturbedR2 | Consistency)]
    if comparing and config.batches != "separate":
        yield f"batches: {comparing[0]} compares images with moved copies in their own batch; choose batches=separate"


def _data(config: RunConfig, spec: ImageSpec) -> Iterator[str]:
    """Settings that contradict these images."""
    told = spec.classes > 0 and getattr(config.networks, "conditional", False) is not False
    if isinstance(config.replay, History) and told:
        yield (
            "replay: the history would show old fakes under other images' labels; "
            "choose networks.conditional=false, or replay=fresh"
        )
    if spec.size == 1:
        yield from (f"{name}: points cannot be shifted or coloured; {way}" for name, way in _moving(config))


def _moving(config: RunConfig) -> Iterator[tuple[str, str]]:
    """What moves the pixels of images about, and the way out."""
    if isinstance(config.show, ADA | DiffAugment):
        yield f"show={config.show.kind}", "choose show=as_is or show=instance_noise"
    if any(isinstance(penalty, Consistency) for penalty in config.penalties):
        yield "penalties=consistency", "choose other penalties"


def _boundary(loss: Any) -> float:
    """The logit at which real becomes fake; not a number where there is none."""
    return getattr(loss, "boundary", 0.0) if getattr(loss, "absolute", True) else math.nan


def _name(part: Any) -> str:
    return str(getattr(part, "kind", type(part).__name__))
