"""What a study compares: the base, each technique by itself, pairs of them, and values of settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from steadygan.config import changes
from steadygan.data import PrepareSettings
from steadygan.errors import ConfigError
from steadygan.spec import ImageSpec
from steadygan.studies.ablation.study import BASE, LeftOut, StudyVariant, configured
from steadygan.studies.ablation.switching import Switch, Switched, settings_switch, switches
from steadygan.training.check import check
from steadygan.training.config import DataSettings, RunConfig
from steadygan.training.origin import open_origin

_ELSEWHERE = {
    "seed": "every variant is trained with each seed; --seeds says how many",
    "data.split_seed": "what is held out follows the seed",
    "budget": "all runs of a study have the same budget; give --images or --minutes",
    "size": "pictures of two sizes have no score in common; make a study of each",
    "recipe": "give it as --recipe",
}
_OF_IMAGES = {
    f"data.{name}": "it changes the images, and scores against other images do not compare; make a study of each"
    for name in (set(PrepareSettings.model_fields) & set(DataSettings.model_fields)) | {"source"}
}


class Found(NamedTuple):
    """The variants, the base first, and what was asked for but cannot be."""

    variants: tuple[StudyVariant, ...]
    left_out: tuple[LeftOut, ...]


def asked(vary: Sequence[str], values: Mapping[str, Sequence[str]]) -> list[Switch]:
    """What is to be varied: techniques by name, settings by place. ConfigError names what is none, or cannot vary."""
    for place in values:
        if reason := refused(place):
            raise ConfigError(f"--set {place}: {reason}")
    found = switches(list(vary)) + [settings_switch(place, value) for place, all_ in values.items() for value in all_]
    if not found:
        raise ConfigError(
            "say what to vary: --vary TECHNIQUE,TECHNIQUE or --vary all (see `steadygan techniques`), or "
            "--set PLACE=VALUE,VALUE"
        )
    return found


def refused(place: str, varied: bool = True) -> str:
    """Why a setting cannot be varied in a study or, if it is not `varied`, be fixed for all its runs; "" if it can."""
    parts = place.split(".")
    above = [".".join(parts[: end + 1]) for end in range(len(parts))]
    reasons = {**_ELSEWHERE, **_OF_IMAGES}
    if not varied:
        reasons = {name: _ELSEWHERE[name] for name in ("seed", "data.split_seed", "budget", "recipe")}
    return next((reasons[name] for name in above if name in reasons), "")


def variants_of(
    base: RunConfig, spec: ImageSpec, wanted: Sequence[Switch], named: Sequence[str], pairs: bool = False
) -> Found:
    """All that is asked for and fits the recipe and the images, as training itself checks it.

    What the user `named` and does not fit is a ConfigError with all reasons; the rest is left out, with its own.
    """
    kept: dict[str, RunConfig] = {}
    made: list[tuple[Switch, Switched]] = []
    found = [StudyVariant(name=BASE, title="the recipe as it is")]
    left: list[LeftOut] = []
    for switch in wanted:
        try:
            done = _fitting(switch, base, spec)
            _new(done, base, kept)
            found.append(_variant(done, base))
        except ConfigError as problem:
            left.append(LeftOut(name=switch.word, reason=_line(problem)))
            continue
        kept[done.name] = done.config
        made.append((switch, done))
    if wrong := [f"{one.name}: {one.reason}" for one in left if one.name in named]:
        raise ConfigError(*wrong)
    if not made:
        raise ConfigError(f"nothing of that can be varied: {'; '.join(f'{one.name}: {one.reason}' for one in left)}")
    for one, other in combinations(made, 2) if pairs else ():
        name = f"{one[1].name}+{other[1].name}"
        try:
            found.append(_variant(_both(one, other, base, spec), base))
        except ConfigError as problem:
            left.append(LeftOut(name=name, reason=_line(problem)))
    return Found(tuple(found), tuple(left))


def _variant(done: Switched, base: RunConfig) -> StudyVariant:
    return StudyVariant(name=done.name, title=done.title, changes=_changes(done, base))


def _fitting(switch: Switch, config: RunConfig, spec: ImageSpec) -> Switched:
    """What a switch makes of a configuration, through the checks of training."""
    done = switch.turn(config)
    check(done.config, spec, 1)
    if source := done.config.start.source:
        origin = open_origin(source)
        origin.check_networks(done.config)
        origin.check_images(done.config.networks, spec)
    return done


def _new(done: Switched, base: RunConfig, kept: Mapping[str, RunConfig]) -> None:
    if done.config == base:
        raise ConfigError("the recipe has it already")
    if same := next((name for name, config in kept.items() if config == done.config), ""):
        raise ConfigError(f"it is the same as {same}")


def _both(one: tuple[Switch, Switched], other: tuple[Switch, Switched], base: RunConfig, spec: ImageSpec) -> Switched:
    """The second on top of the first; ConfigError if that undoes the first, or is not what it is alone."""
    (_, first), (switch, second) = one, other
    done = _fitting(switch, first.config, spec)
    mine, theirs, whole = (_changes(step, base) for step in (first, second, done))
    clash = [place for place, value in mine.items() if whole.get(place) != value and not isinstance(value, list)]
    if clash or done.name != second.name:
        raise ConfigError(f"both change {', '.join(clash or sorted(mine.keys() & theirs.keys()))}")
    return Switched(f"{first.name}+{second.name}", f"{first.title} and {second.title}", done.config)


def _changes(done: Switched, base: RunConfig) -> dict[str, Any]:
    """Values by their places; ConfigError if laying them over the base would give something else."""
    values = {place: new for place, (new, _) in changes(done.config.dump(), base.dump()).items()}
    if configured(base.dump(), values, base).dump() != done.config.dump():
        raise ConfigError("it moves objects of your own about, which no file can hold")
    return values


def _line(problem: ConfigError) -> str:
    return "; ".join(str(problem).splitlines())
