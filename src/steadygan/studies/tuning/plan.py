"""A search before it starts: whether every value in it can be trained, and how much it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steadygan.config import merge, parse_assignment
from steadygan.errors import ConfigError
from steadygan.recipes.choose import DEFAULT
from steadygan.recipes.start import configure, facts_for, plan
from steadygan.scoring import choose_metrics
from steadygan.studies.tuning.ranges import parse_ranges
from steadygan.studies.tuning.search import Search
from steadygan.training.check import check
from steadygan.training.console import Reporter
from steadygan.training.runtime import choose_device

__all__ = ["SearchRequest", "plan_search"]

_SAME = {
    "budget": "each trial has the same budget",
    "seed": "a seed that wins is chance",
    "size": "scores of pictures of different sizes do not compare",
    "data": "scores against different images do not compare",
    "checkpoint": "trials are looked at by their checkpoints, at the same moments",
    "care": "it watches, in every trial",
    "runtime": "this is of the machine, and the same in all trials",
}


@dataclass(frozen=True)
class SearchRequest:
    """What the user asked for; `over` and `sets` are texts as behind `--over` and `--set`."""

    source: str
    over: Sequence[str]
    images: int | None
    recipe: str = DEFAULT
    sets: Sequence[str] = ()
    metric: str = "kid"
    seed: int = 0
    prune: bool = True


def plan_search(request: SearchRequest, said: Reporter) -> Search:
    """What is to be searched. ConfigError names a setting or a value that the recipe cannot be trained with."""
    if request.images is None:
        raise ConfigError("say how long each trial is to be: --images N")
    ranges = parse_ranges(request.over)
    for one in ranges:
        if why := _SAME.get(one.place.split(".", maxsplit=1)[0]):
            raise ConfigError(f"--over {one.place}: {why}; search another setting")
    metric = choose_metrics([request.metric])[0]
    if metric.better not in ("lower", "higher"):
        raise ConfigError(f"--metric {metric.name}: it is best where it is as of reals, and ranks nothing; take kid")
    fixed = merge({"budget": {"images": request.images}}, *map(parse_assignment, request.sets))
    base = plan(request.source, request.recipe, fixed, said)
    facts = facts_for(base.config, base.dataset, choose_device(base.config.runtime.device))
    for place, text in ((one.place, text) for one in ranges for text in one.ends()):
        try:
            tried = configure(request.source, request.recipe, merge(fixed, parse_assignment(f"{place}={text}")), facts)
            check(tried, base.dataset.spec, 1)
        except ConfigError as problem:
            raise ConfigError(f"--over {place}={text}: {problem}") from problem
    return Search.model_validate(
        {
            "source": base.config.data.source,
            "recipe": request.recipe,
            "ranges": ranges,
            "settings": tuple(request.sets),
            "images": request.images,
            "metric": metric.name,
            "better": metric.better,
            "prune": request.prune,
            "seed": request.seed,
        }
    )
