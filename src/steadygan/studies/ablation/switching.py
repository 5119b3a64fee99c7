"""A technique switched on in a configuration, or off where it has it: one change, and nothing beside it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from steadygan.config import merge, nearest, nested, parse_assignment
from steadygan.errors import ConfigError
from steadygan.recipes.catalogue import Technique
from steadygan.recipes.techniques import members, techniques
from steadygan.schedule import ScheduleSettings
from steadygan.training.changing import override
from steadygan.training.config import RunConfig
from steadygan.training.turns import Fixed

_WITHOUT = "no-"
_OFF = {"turns": Fixed().kind}
"""The value of a place that stands for none, where no value is marked as such."""

_RAMP_OF_BUDGET, _WARM_UP_OF_BUDGET, _PERIODS = 1, 10, 4


class Switched(NamedTuple):
    """What a switch made of a configuration: the name and title of the variant, and its settings."""

    name: str
    title: str
    config: RunConfig


class Switch(NamedTuple):
    """Something to vary. `word` is how the user names it; `turn` raises ConfigError with the reason if it cannot be."""

    word: str
    turn: Callable[[RunConfig], Switched]


def switches(words: list[str]) -> list[Switch]:
    """What the user named, in that order; "all" is every technique. ConfigError names the nearest of an unknown one."""
    found: list[Switch] = []
    for word in words:
        found += all_switches() if word == "all" else [_switch_of(word)]
    return list({one.word: one for one in found}.values())


def all_switches() -> list[Switch]:
    """One for every technique of the catalogue."""
    entries = techniques()
    names = [entry.name for entry in entries]
    return [_switch(entry, entry.name if names.count(entry.name) == 1 else _long(entry)) for entry in entries]


def setting_values(text: str) -> tuple[str, list[str]]:
    """The place and the values of `--set A.B=V1,V2`; a comma inside brackets or quotes parts nothing."""
    place, _, values = text.partition("=")
    parts, depth, quote = [""], 0, ""
    for letter in values:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        depth += (letter in "[{(") - (letter in ")}]") if not quote else 0
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return place.strip(), [part.strip() for part in parts]


def settings_switch(place: str, value: str) -> Switch:
    """A variant in which one setting has another value."""
    word = f"{place}={value}"

    def turn(config: RunConfig) -> Switched:
        return Switched(word, word, override(config, parse_assignment(word)))

    return Switch(word, turn)


def _switch_of(word: str) -> Switch:
    """By the name of a technique, or by PLACE=NAME where the name is that of several or of several places."""
    place, equals, name = word.rpartition("=")
    wanted, entries = (name if equals else word).lower().replace("-", "_"), techniques()
    found = [one for one in entries if one.name == wanted and (not place or place in one.group.seams)]
    if not found:
        having = [one.name for one in entries if wanted in (setting.name for setting in one.settings)]
        if having and not place:
            raise ConfigError(
                f"--vary {word}: that is a setting of {', '.join(having[:4])}, not a technique; vary it with "
                f"--set PLACE.{wanted}=VALUE,VALUE"
            )
        known = dict.fromkeys(f"{place}={one.name}" if place else one.name for one in entries if not place or place
                              in one.group.seams)  # fmt: skip
        hint = nearest(word, known) or "."
        raise ConfigError(f"--vary {word}: there is no such technique{hint} `steadygan techniques` lists them all")
    if len(found) > 1:
        ways = " or ".join(_long(one) for one in found)
        raise ConfigError(f"--vary {word}: there are {len(found)} of that name; write {ways}")
    return _switch(found[0], word if place else wanted, (place,) if place else found[0].group.seams)


def _long(entry: Technique) -> str:
    return f"{entry.group.seams[0]}={entry.name}"


def _switch(entry: Technique, word: str, seams: tuple[str, ...] = ()) -> Switch:
    def turn(config: RunConfig) -> Switched:
        change, off = _change(entry, seams or entry.group.seams, config)
        place, _, name = word.rpartition("=")
        title = f"{place} without {name}".strip() if off else word
        return Switched(f"{_WITHOUT}{word}" if off else word, title, override(config, change))

    return Switch(word, turn)


Change = tuple[dict[str, Any], bool]
"""Settings to lay over a configuration, and whether they take something away."""


def _change(entry: Technique, seams: tuple[str, ...], config: RunConfig) -> Change:
    ways: dict[str, Callable[[Technique, tuple[str, ...], RunConfig], Change]] = {
        "by a setting": _by_setting,
        "schedules": _schedule,
        "average": _by_setting,
    }
    usual = _member if entry.group.several else _choice
    return ways.get(entry.group.title, usual)(entry, seams, config)


def _member(entry: Technique, seams: tuple[str, ...], config: RunConfig) -> Change:
    """One of a list: added to it, or taken out."""
    there = list(at(config, seams[0]))
    others = [part for part in there if getattr(part, "kind", None) != entry.name]
    if len(others) < len(there):
        return nested([seams[0]], others), True
    return nested([seams[0]], [*there, {"kind": entry.name}]), False


def _choice(entry: Technique, seams: tuple[str, ...], config: RunConfig) -> Change:
    """One value in place of another, in every place that may have it."""
    there = [_kind_at(config, seam) for seam in seams]
    if any(kind != entry.name for kind in there):
        return merge({}, *(nested(seam.split("."), {"kind": entry.name}) for seam in seams)), False
    off = next((_kind(one) for one in members(entry.group.choices) if one.off), _OFF.get(entry.group.title, ""))
    if off in ("", entry.name):
        raise ConfigError(
            f"the recipe has it already, and {' and '.join(seams)} must be something; vary what is to replace it"
        )
    return merge({}, *(nested(seam.split("."), {"kind": off}) for seam in seams)), True


def _by_setting(entry: Technique, seams: tuple[str, ...], config: RunConfig) -> Change:
    """Numbers and words in parts that stay: those of the catalogue, or off where they are there already."""
    if entry.name == "ttur":
        return _two_rates(config)
    wanted = dict(_leaves(_assigned(entry.switches[0])))
    if "start.source" in wanted and not config.start.source:
        raise ConfigError("it begins with a trained run; name one with --set start.source=RUN")
    if len(wanted) > 1:  # the source of a run that has one stays
        wanted.pop("start.source", None)
    off = {place: _off(config, place, value) for place, value in wanted.items()}
    if any(at(config, place) != value for place, value in off.items()):
        return _laid(off), True
    return _laid(wanted), False


def _two_rates(config: RunConfig) -> Change:
    """Half and twice the recipe's rate; both the geometric mean where it has two."""
    places = ("optimizer.generator.lr", "optimizer.discriminator.lr")
    generator, discriminator = (at(config, place) for place in places)
    if isinstance(generator, ScheduleSettings) or isinstance(discriminator, ScheduleSettings):
        raise ConfigError("the learning rates follow schedules, which two numbers would replace")
    if generator != discriminator:
        mean = float(f"{(generator * discriminator) ** 0.5:.6g}")
        return _laid(dict.fromkeys(places, mean)), True
    return _laid(dict(zip(places, (generator / 2, 2 * generator), strict=True))), False


def _schedule(entry: Technique, seams: tuple[str, ...], config: RunConfig) -> Change:
    """A schedule of the learning rates about the recipe's own, as long as the budget."""
    there = [at(config, seam) for seam in seams]
    tops = [lr.extremes()[1] if isinstance(lr, ScheduleSettings) else lr for lr in there]
    if all(getattr(lr, "kind", None) == entry.name for lr in there):
        return _laid(dict(zip(seams, tops, strict=True))), True
    if config.budget.images is None:
        raise ConfigError("it is counted in images; give the budget as --images")
    return _laid({seam: _about(entry, top, config.budget.images) for seam, top in zip(seams, tops, strict=True)}), False


def _about(entry: Technique, lr: float, images: int) -> dict[str, Any]:
    """A schedule's settings by their names."""
    length = _WARM_UP_OF_BUDGET if entry.name == "warm_up" else _RAMP_OF_BUDGET
    values = {"start": lr, "end": lr / 2, "value": lr, "low": lr / 2, "high": 2 * lr}
    values |= {"images": max(1, images // length), "period_images": max(2, images // _PERIODS)}
    names = [setting.name for setting in entry.settings]
    return {"kind": entry.name, **{name: value for name, value in values.items() if name in names}}


def at(config: Any, place: str) -> Any:
    """The value at a place of a configuration; ConfigError says who has no such setting."""
    value, walked = config, ""
    for name in place.split("."):
        if not hasattr(value, name):
            whose = getattr(value, "kind", None)
            raise ConfigError(f"{f'{walked} {whose}' if whose else walked or 'the recipe'} has no setting '{name}'")
        value, walked = getattr(value, name), f"{walked}.{name}".lstrip(".")
    return value


def _off(config: RunConfig, place: str, on: Any) -> Any:
    """What the setting at a place is without the technique: its default, or 0 where that is the technique."""
    whole, _, name = place.rpartition(".")
    at(config, place)
    owner = type(at(config, whole) if whole else config)
    default = owner.model_fields[name].get_default(call_default_factory=True)
    return 0 if default == on else default


def _kind_at(config: RunConfig, place: str) -> str:
    value = at(config, place)
    return str(getattr(value, "kind", value))


def _kind(part: Any) -> str:
    return str(part.model_fields["kind"].default)


def _assigned(switch: str) -> dict[str, Any]:
    """The settings that the catalogue's option gives."""
    return merge({}, *(parse_assignment(word) for word in shlex.split(switch) if word != "--set"))


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their places; the kind of a part is none, since the part stays what it is."""
    for name, value in tree.items():
        place = f"{path}.{name}".lstrip(".")
        if isinstance(value, Mapping):
            yield from _leaves(value, place)
        elif name != "kind":
            yield place, value


def _laid(values: Mapping[str, Any]) -> dict[str, Any]:
    return merge({}, *(nested(place.split("."), value) for place, value in values.items()))
