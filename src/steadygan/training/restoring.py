"""What a run was made of, once more: its configuration, and its networks with their weights."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from steadygan.config import resolve
from steadygan.errors import ConfigError, DataError
from steadygan.networks import Networks, Pair
from steadygan.runs import Run
from steadygan.spec import ImageSpec
from steadygan.training.config import NetworksPart, Place, RunConfig, fill_in, is_ours, own_parts


def stored_config(run: Run, recipe: RunConfig | None = None) -> RunConfig:
    """The configuration in `run.json`, checked again as it may have been edited; `recipe` as in `own_again`."""
    info = run.info()
    tree = own_again(info.config, recipe, run.path, info.recipe)
    try:
        return resolve(RunConfig, tree)
    except ConfigError as problem:
        lines = "; ".join(str(problem).splitlines())
        raise ConfigError(f"{run.files.run_json} holds settings this steadygan cannot use: {lines}") from problem


def stored_networks(stored: Any, recipe: RunConfig | None, where: Path, word: str) -> Networks:
    """Settings of networks as a run or an exported file keeps them; arguments as in `own_again`.

    DataError if no such networks can be built.
    """
    found = own_again({"networks": stored}, recipe, where, word)["networks"]
    try:
        networks: Networks = TypeAdapter(NetworksPart).validate_python(found)
    except ValidationError as problem:
        kind = stored.get("kind") if isinstance(stored, dict) else stored
        raise DataError(f"{where} holds networks that this steadygan cannot build ({kind})") from problem
    return networks


def rebuilt(networks: Networks, spec: ImageSpec, seed: int = 0) -> Pair:
    """The networks with new weights, which follow from the seed and do not learn, in training mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Pair(*(network.requires_grad_(False) for network in networks.build(spec)))


def with_weights(network: nn.Module, tensors: Mapping[str, Tensor], where: Path) -> nn.Module:
    """The network with these weights, in evaluation mode; DataError if they are of another one."""
    try:
        network.load_state_dict(tensors)
    except RuntimeError as problem:
        raise DataError(
            f"the weights in {where} are not of the networks that its settings, or the recipe, build: one of both "
            "was changed"
        ) from problem
    return network.eval()


def own_again(tree: Mapping[str, Any], recipe: RunConfig | None, where: Path, word: str) -> Any:
    """Settings as they were dumped, with the objects of the user's own that `recipe` has at the same places.

    ConfigError names those that are lacking. `where` is the run or file that lacks them, `word` what followed its
    `--recipe`.
    """
    filled = fill_in(tree, lambda place, dumped: _own_at(recipe, place, dumped))
    if not (lacking := ", ".join(own_parts(filled))):
        return filled
    if recipe:
        raise ConfigError(f"--recipe {recipe.recipe} has no objects of your own for {lacking}, but {where} had")
    known = ".py:" in word or word.endswith(".toml")
    on_the_line, in_python = (shlex.quote(word), repr(word)) if known else ("FILE.py:FUNCTION", "CONFIG")
    raise ConfigError(
        f"{where} uses objects of your own ({lacking}), which only your code can bring back: give --recipe "
        f"{on_the_line}, in Python recipe={in_python}"
    )


def _own_at(config: RunConfig | None, place: Place, otherwise: Any) -> Any:
    """The object of the user's own at a place of a configuration, if there is one."""
    value: Any = config
    try:
        for name in place:
            value = value[name] if isinstance(name, int) else getattr(value, name)
    except (AttributeError, IndexError, TypeError):
        return otherwise
    return otherwise if is_ours(value) else value
