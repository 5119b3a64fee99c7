"""A configuration with other settings: laid over it, and what of it may change while a run goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from steadygan.config import flatten, merge, nested, resolve
from steadygan.errors import ConfigError
from steadygan.spec import ImageSpec
from steadygan.training.check import check
from steadygan.training.config import RunConfig, is_ours
from steadygan.training.restoring import own_again


def override(config: RunConfig, *layers: Mapping[str, Any]) -> RunConfig:
    """A configuration with settings laid over it, checked as a whole; objects of the user's own stay."""
    tree = own_again(config.dump(), config, Path(config.recipe), config.recipe)
    return resolve(RunConfig, merge(tree, *layers))


def changed(config: RunConfig, changes: Mapping[str, Any], spec: ImageSpec, processes: int) -> RunConfig:
    """The configuration under which a run goes on from one step to the next, on images of this form.

    `changes` are values by their places, as behind `--set` ("optimizer.generator.lr"), and are checked as those are.
    ConfigError names every place that does not exist, may not change in the middle of a run, or goes not with the rest.
    """
    layers = [nested(place.split("."), value) for place, value in changes.items()]
    after = override(config, *layers)
    places = dict.fromkeys(place for layer in layers for place in flatten(layer))
    if refused := [_refusal(config, place) for place in places if not movable(config, place)]:
        raise ConfigError(*refused)
    check(after, spec, processes)
    return after


def movable(config: RunConfig, place: str) -> bool:
    """Whether a setting may be another one from one step of a run to the next; nothing inside a user's own object."""
    return any(is_ours(value) and name in getattr(value, "mid_run", ()) for value, name in _way(config, place))


def beside(config: RunConfig, place: str) -> bool:
    """Whether a setting changes no weight, so that a run may go on under another one after a stop."""
    return any(is_ours(value) and name in getattr(value, "beside", ()) for value, name in _way(config, place))


def _way(config: RunConfig, place: str) -> Iterator[tuple[object, str]]:
    """The values that lead to a place, each with the name of what comes next, as far as there is no list."""
    value: object = config
    for name in place.partition("[")[0].split("."):
        yield value, name
        value = getattr(value, name, None)


def _refusal(config: RunConfig, place: str) -> str:
    if beside(config, place):
        return f"{place}: a run reads it when it starts; stop the run, change it in run.json and resume"
    return (
        f"{place}: it cannot change in the middle of a run, whose weights, memories and order of images follow from "
        "it; start a new run for another one"
    )
