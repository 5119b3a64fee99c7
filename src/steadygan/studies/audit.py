"""The audit of whatever may become a run: a recipe, a configuration, images, a pair of networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from steadygan.config import python_function
from steadygan.data import Dataset, PrepareSettings, inspect, is_dataset, is_path, open_dataset, prepare_cached
from steadygan.doctor.audit import Images, RunPlan, audited
from steadygan.errors import ConfigError, DataError, os_errors
from steadygan.recipes.choose import RECIPES, choose_recipe
from steadygan.recipes.start import plan
from steadygan.records import Finding
from steadygan.signals.pairs import look_at
from steadygan.training.audit import audit_config, images_of, remarks_of
from steadygan.training.config import RunConfig

__all__ = ["audit"]


@os_errors()
def audit(
    what: RunConfig | str | Path | Sequence[nn.Module],
    images: str | Path | None = None,
    *,
    latent: int | tuple[int, ...] | None = None,
    reals: Tensor | None = None,
    loss: str = "",
) -> list[Finding]:
    """What is the matter with a run before it begins, the gravest first; nothing is trained.

    `what` is a configuration, a recipe as `--recipe` takes it, a data set or a folder of images, a pair of networks
    (generator, discriminator), or FILE.py:FUNCTION that gives a configuration or a pair. `images` are those that a
    configuration or recipe would be trained on. Of a pair, `latent` is the shape of a latent if it cannot be guessed,
    `reals` a batch of images as they will be given to it (N, C, H, W), and `loss` the kind of loss if one of ours is
    meant. Raises ConfigError for what cannot be looked into, DataError for images that cannot be used.
    """
    if not isinstance(what, str | Path | RunConfig):
        return audit_modules(*_pair(what, "the pair"), latent=latent, reals=reals, loss=loss)
    recipe = what if isinstance(what, RunConfig) else str(what)
    if isinstance(recipe, str) and ".py:" in recipe and not _asks_facts(function := python_function("audit", recipe)):
        made = function()
        if not isinstance(made, RunConfig):
            return audit_modules(*_pair(made, recipe), latent=latent, reals=reals, loss=loss)
        recipe = made
    elif isinstance(recipe, str) and recipe not in RECIPES and not recipe.endswith(".toml") and ".py:" not in recipe:
        return audit_dataset(recipe)
    if images is not None:
        return audit_config(*plan(images, recipe)[:2])
    return audit_config(recipe if isinstance(recipe, RunConfig) else choose_recipe(recipe))


def _asks_facts(function: Callable[..., Any]) -> bool:
    """Whether a function is a recipe that wants to know the facts."""
    return any(one.default is one.empty for one in signature(function).parameters.values())


def _pair(made: Any, where: str) -> tuple[nn.Module, nn.Module]:
    if isinstance(made, Mapping):
        made = tuple(made.values())
    if not isinstance(made, Sequence) or len(made) != 2:
        raise ConfigError(f"{where}: two networks are wanted, (generator, discriminator), not {type(made).__name__}")
    return made[0], made[1]


def audit_modules(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    latent: int | tuple[int, ...] | None = None,
    reals: Tensor | None = None,
    loss: str = "",
) -> list[Finding]:
    """What is the matter with two networks; what had to be assumed is an info of its own. Arguments as of `audit`."""
    looked = look_at(generator, discriminator, latent)
    span = (float(reals.amin()), float(reals.amax())) if reals is not None else None
    config = {"loss": {"kind": loss}} if loss else {}
    found = audited(RunPlan(config, looked.generator, looked.discriminator, reals=span))
    return found if latent else [*found, _assumed(looked.assumed)]


def _assumed(what: str) -> Finding:
    way = "give latent=, if another is meant"
    return Finding(step=0, rule="assumed", severity="info", says="What was assumed", evidence=what, remedy=way)


def audit_dataset(path: str | Path) -> list[Finding]:
    """What is the matter with a data set, a source of images or a built-in set."""
    if is_dataset(Path(path)):
        return _of_images(open_dataset(path))
    if not is_path(str(path)):
        return _of_images(prepare_cached(str(path), PrepareSettings()))
    found = inspect(path)
    if not found.images:
        raise DataError(f"{path} holds no image that can be used; steadygan inspect says why, file by file")
    unusable = sum(not one.left_out for one in found.rejected)
    about = Images(training=found.images, unusable=unusable, size=found.size, remarks=remarks_of(found.health))
    return audited(RunPlan(data=about))


def _of_images(dataset: Dataset) -> list[Finding]:
    return audited(RunPlan(data=images_of(dataset)))
