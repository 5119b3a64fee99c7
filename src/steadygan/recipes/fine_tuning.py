"""The configuration of a run that starts from trained networks: what it takes over, and what the user says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steadygan.config import read_toml
from steadygan.data import is_dataset, is_path
from steadygan.names import path_of
from steadygan.recipes.choose import DEFAULT, RECIPES, Recipe, recipe_of
from steadygan.recipes.facts import Facts
from steadygan.runs import Run
from steadygan.training.config import Budget, DataSettings, FreezeSettings, RunConfig, RuntimeSettings, StartSettings
from steadygan.training.hub import is_on_hub
from steadygan.training.origin import open_origin
from steadygan.training.restoring import stored_config

_COLOURS: Mapping[int, Any] = {1: "grey", 3: "rgb"}
_NO_CADENCE = dict.fromkeys(("every_images", "every_steps"))


def starting_from(path: str, recipe: str | RunConfig | None, source: str | Path) -> Recipe:
    """What gives the configuration of a run that starts from the networks at `path`, on the images of `source`.

    Without a `recipe` all is as in the run it starts from, its seed too, but for what belongs to that run's images
    (`data.mirror` stays), its machine and its length. Of an exported generator only the name of the recipe is known; if
    it was a file, the default takes its place. With a recipe all is as that says.

    Size, channels and networks are those that are there in any case; networks named by a file or an object of the
    user's own stay, and are refused by `Origin.check_networks` if they are others.
    """
    origin, start = open_origin(path), path if is_on_hub(path) else str(path_of(path).absolute())
    known = origin.info.recipe if origin.info.recipe in RECIPES else DEFAULT
    asked = recipe_of(recipe or known)
    prepared = is_dataset(path_of(source)) or not is_path(source)

    def taken_over(facts: Facts) -> RunConfig:
        config = asked(facts) if recipe or not origin.saved else _of_run(Run(origin.saved.run))
        data = config.data
        if not prepared and data.channels == "auto":
            data = data.model_copy(update={"channels": _COLOURS.get(origin.spec.channels, "auto")})
        changes: dict[str, Any] = {"data": data, "size": config.size or origin.spec.size}
        if not recipe or not _names_networks(recipe, config):
            changes["networks"] = origin.networks(config)
        return config.model_copy(update={**changes, "start": StartSettings(source=start)})

    taken_over.__doc__ = asked.__doc__
    return taken_over


def _of_run(run: Run) -> RunConfig:
    """The settings of a run, without those of its images, its machine, its length and its own start."""
    config = stored_config(run)
    changes: dict[str, Any] = {
        name: getattr(config, name).model_copy(update=_NO_CADENCE) for name in ("log", "samples", "checkpoint")
    }
    changes |= {"budget": Budget(), "runtime": RuntimeSettings(), "freeze": FreezeSettings(), "size": None}
    return config.model_copy(update={**changes, "data": DataSettings(mirror=config.data.mirror)})


def _names_networks(recipe: str | RunConfig, config: RunConfig) -> bool:
    """Whether it is the user who names networks, in a file or in Python."""
    if isinstance(recipe, str) and recipe.endswith(".toml"):
        return "networks" in read_toml(Path(recipe))
    return (not isinstance(recipe, str) or recipe not in RECIPES) and "networks" in config.model_fields_set
