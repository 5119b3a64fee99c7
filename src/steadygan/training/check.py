"""What cannot work together, said in one place before any work starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from steadygan.augment import ADA, DiffAugment
from steadygan.errors import ConfigError
from steadygan.networks import MSG
from steadygan.objectives import Consistency, PerturbedR1, PerturbedR2
from steadygan.spec import ImageSpec
from steadygan.training.config import RunConfig
from steadygan.training.replay import History
from steadygan.training.turns import Balanced, Moderated


def check(config: RunConfig, spec: ImageSpec, processes: int) -> None:
    """Refuse what cannot work for images of this form; ConfigError lists all problems at once."""
    problems = [*config.networks.problems(spec), *_batch(config, processes), *_together(config, spec)]
    if problems:
        raise ConfigError("\n".join(problems))


def _batch(config: RunConfig, processes: int) -> Iterator[str]:
    if config.batch % processes:
        yield f"batch: {config.batch} cannot be shared by {processes} processes; choose a multiple"
    elif config.batch // processes < 2:
        yield f"batch: {config.batch} leaves fewer than 2 images for each of {processes} processes"


def _together(config: RunConfig, spec: ImageSpec) -> Iterator[str]:
    """Settings that contradict each other."""
    loss, history = config.loss, isinstance(config.replay, History)
    if isinstance(config.turns, Moderated | Balanced) and not getattr(loss, "absolute", True):
        yield (
            f"turns: {config.turns.kind} turns ask how many images are judged rightly, which the logits of a "
            f"{_name(loss)} loss do not say; choose loss=non_saturating, or turns=fixed"
        )
    if isinstance(config.show, ADA) and config.show.probability is None and not getattr(loss, "absolute", True):
        yield (
            f"show: ada adapts to how many reals are taken for real, which the logits of a {_name(loss)} loss do not "
            "say; fix it with show.probability=0.3, or choose loss=non_saturating"
        )
    if history and spec.classes and getattr(config.networks, "conditional", False) is not False:
        yield (
            "replay: the history would show old fakes under other images' labels; "
            "choose networks.conditional=false, or replay=fresh"
        )
    if history and isinstance(config.networks, MSG):
        yield "replay: the history holds single images, not the scales of msg networks; choose replay=fresh"
    moving = [
        _name(part) for part in (config.show, *config.penalties) if isinstance(part, ADA | DiffAugment | Consistency)
    ]
    if moving and isinstance(config.networks, MSG):
        yield f"{moving[0]}: it would move the scales of msg networks apart; choose show=instance_noise or none"
    if moving and spec.size == 1:
        yield f"{moving[0]}: points cannot be shifted or coloured; choose show=instance_noise or none"
    comparing = [_name(p) for p in config.penalties if isinstance(p, PerturbedR1 | PerturbedR2 | Consistency)]
    if comparing and config.batches == "joint":
        yield f"batches: {comparing[0]} compares an image with its moved copy, each in its own batch; choose separate"


def _name(part: Any) -> str:
    return str(getattr(part, "kind", type(part).__name__))
