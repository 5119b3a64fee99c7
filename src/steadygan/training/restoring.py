"""What a run was made of, once more: its configuration, and its networks with their weights."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from steadygan.config import resolve
from steadygan.errors import ConfigError, DataError
from steadygan.networks import Networks, Pair
from steadygan.runs import Run
from steadygan.spec import ImageSpec
from steadygan.training.config import NetworksPart, Place, RunConfig, fill_in, is_ours, own_parts

_MOST_PARAMETERS = 2_000  # tensors; the largest recipe has some hundred
_LARGE = 2**26  # numbers that a discriminator may have whatever its generator is


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
    except (ValidationError, RecursionError) as problem:
        kind = str(stored.get("kind") if isinstance(stored, dict) else stored)[:80]
        raise DataError(f"{where} holds networks that this steadygan cannot build ({kind})") from problem
    return networks


def rebuilt(networks: Networks, spec: ImageSpec, seed: int = 0) -> Pair:
    """The networks with new weights, which follow from the seed and do not learn, in training mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Pair(*(network.requires_grad_(False) for network in networks.build(spec)))


def with_weights(network: nn.Module, tensors: Mapping[str, Tensor], where: Path) -> nn.Module:
    """The network with these weights; DataError if they are of another one. `where` is the checkpoint or file."""
    try:
        network.load_state_dict(tensors)
    except RuntimeError as problem:
        raise DataError(
            f"the weights in {where} are not of the networks that its settings, or the recipe, build: one of both "
            "was changed"
        ) from problem
    return network


def generator_of(networks: Networks, spec: ImageSpec, tensors: Mapping[str, Tensor], where: Path) -> nn.Module:
    """The generator of an exported file, in training mode, of settings and weights that a stranger may have written.

    That they belong together is known before anything is allocated. DataError if they do not.
    """
    if is_ours(networks):
        check_shapes(networks, spec, tensors, where)
    return with_weights(rebuilt(networks, spec).generator, tensors, where)


def check_shapes(networks: Networks, spec: ImageSpec, tensors: Mapping[str, Tensor], where: Path) -> None:
    """DataError if networks without memory have other tensors, or more than a file of that size ever had."""
    if problems := networks.problems(spec):
        raise DataError(f"{where} cannot be built: {problems[0]}")
    try:
        with torch.device("meta"), _Unfilled(), _not_without_end():
            pair = rebuilt(networks, spec)
    except (RuntimeError, TypeError, ValueError, ArithmeticError) as problem:
        raise DataError(f"{where} holds settings of networks that are beyond measure") from problem
    built, given = ({name: (value.shape, value.is_floating_point()) for name, value in one.items()}
                    for one in (pair.generator.state_dict(), tensors))  # fmt: skip
    opposite = sum(value.numel() for value in pair.discriminator.state_dict().values())
    if built != given or opposite > max(_LARGE, 16 * sum(value.numel() for value in tensors.values())):
        wrong = next((name for name in (*built, *given) if built.get(name) != given.get(name)), "the discriminator")
        raise DataError(f"the weights in {where} are not of the networks that its settings build: {wrong[:80]}")


class _Unfilled(TorchFunctionMode):
    """What has no numbers is filled with none: to draw normal ones torch would load its compiler, for a second."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        return [*args, *named.values()][0] if func.__name__ == "normal_" else func(*args, **named)


@contextmanager
def _not_without_end() -> Iterator[None]:
    """ValueError once more parameters were made than any pair of networks has."""
    made = itertools.count()

    def count(*_: object) -> None:
        if next(made) > _MOST_PARAMETERS:
            raise ValueError("no end of layers")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


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
