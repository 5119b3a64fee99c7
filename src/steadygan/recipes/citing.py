"""The papers that a finished run used."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from steadygan.config import resolve
from steadygan.errors import ConfigError
from steadygan.recipes.techniques import parts_of, uses
from steadygan.runs import Run
from steadygan.training.config import OWN, RunConfig, fill_in


class Sources(NamedTuple):
    """What a run is made of: `papers`, id -> what it was used for, and the user's `own` objects, place -> name."""

    papers: dict[str, list[str]]
    own: dict[str, str]


class StandIn:
    """Stands where a run had an object of the user's own, of which `run.json` keeps the name; fits every seam."""

    __module__ = OWN  # settings take an object for the user's own if it is not from this package
    every, latent_dim, lr = 1, 1, 0.0

    def __init__(self, name: str) -> None:
        self.name = name

    def _refuse(self, *_: Any) -> NoReturn:
        raise ConfigError(f"{self.name} is an object of your own, which run.json cannot bring back")

    __call__ = against = build = d_loss = g_loss = moves = problems = _refuse


def of_run(path: Path) -> Sources:
    """What the run in this folder used; DataError if it is none, ConfigError if its settings cannot be used."""
    info = Run(path).info()
    try:
        config = resolve(RunConfig, fill_in(info.config, lambda _, dumped: StandIn(str(dumped.get("type")))))
    except ConfigError as problem:
        lines = "; ".join(str(problem).splitlines())
        raise ConfigError(f"{path / 'run.json'} holds settings this steadygan cannot use: {lines}") from problem
    return Sources(uses(config), {place: part.name for place, part in parts_of(config) if isinstance(part, StandIn)})
