"""What rules advise: changes of the run's own settings, as they are written on the command line, and why."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Self

from steadygan.doctor.case import Case

PLAYERS = ("generator", "discriminator")

_LR = {"adam": 2e-4, "soap": 1e-3, "rmsprop": 5e-5, "sgd": 1e-2}  # of optimizers whose settings do not say
_SIZES = ("start", "end", "value", "low", "high")  # of schedules
_STEEPNESS = ("r1", "perturbed_r1", "wgan_gp", "dragan")
_UNLEAKED = 0.8  # of the images may be augmented without a trace: Karras et al. (2020), section 2.2
# Their discriminator knows reals by a logit above 0, which is what the adaptive probability goes by.
_SURE_ABOVE_ZERO = {"non_saturating", "minimax", "hinge"}
_UNMOVED = {"msg", "points"}  # networks whose images cannot be shifted or coloured
_SPEED = 500_000  # images in which an adaptive probability goes from 0 to 1, if not said otherwise


class Remedy(str):
    """A remedy as it is said, of which a program can read the `settings` that it changes: values by their places."""

    settings: Mapping[str, Any]

    def __new__(cls, text: str, settings: Mapping[str, Any] | None = None) -> Self:
        made = super().__new__(cls, text)
        made.settings = settings or {}
        return made


def options(settings: Mapping[str, Any], why: str) -> Remedy:
    """Settings that belong together, as they are written on the command line, and why."""
    return Remedy(f"{' '.join(f'--set {shlex.quote(text)}' for text in written(settings))} ({why})", settings)


def written(settings: Mapping[str, Any]) -> list[str]:
    """Settings as `--set` takes them, each a word of a command line before it is quoted."""
    return [
        f"{place}={value if isinstance(value, str) else json.dumps(value, separators=(',', ':'))}"
        for place, value in settings.items()
    ]


_ASSIGNED = re.compile(r"(?:--set (?:'(?:[^']|'\"'\"')*'|[^\s']+) ?)+")


def settings_in(text: str) -> list[dict[str, Any]]:
    """The settings of each remedy in the text of a finding, as far as it is settings; the reverse of `options`."""
    found = [_ASSIGNED.match(part) for part in re.split(r"; (?=--)", text)]
    words = [[word.partition("=") for word in shlex.split(one.group())[1::2]] if one else [] for one in found]
    return [{place: _value(value) for place, _, value in assigned} for assigned in words]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def option(place: str, value: Any, why: str) -> Remedy:
    """One setting, as `options` writes several."""
    return options({place: value}, why)


def recipe(case: Case, name: str, why: str) -> list[str]:
    """Another recipe; nothing if it is the run's own."""
    return [] if case.setting("recipe") == name else [f"--recipe {name} ({why})"]


def steady(case: Case) -> list[str]:
    """The default recipe, which is the last resort of many rules."""
    return recipe(case, "steady", "the default, made to stay calm")


# -- rates, turns and networks -----------------------------------------------------------------------------------------


def times(value: Any, factor: float) -> Any:
    """A number, or a schedule's, multiplied, to three digits; what is neither stays."""
    if isinstance(value, Mapping):
        given = {name: inner for name, inner in value.items() if inner is not None}
        return {name: times(inner, factor) if name in _SIZES else inner for name, inner in given.items()}
    return float(f"{value * factor:.3g}") if isinstance(value, int | float) else value


def rates(case: Case, factor: float, why: str, players: Sequence[str] = PLAYERS) -> Remedy:
    """Learning rates, multiplied: one step of advice."""
    return options({f"optimizer.{player}.lr": times(_rate(case, player), factor) for player in players}, why)


def rate(case: Case, player: str, factor: float, why: str) -> Remedy:
    """A player's learning rate, multiplied."""
    return rates(case, factor, why, [player])


def _rate(case: Case, player: str) -> Any:
    written = case[f"lr_{player[0]}"].last
    usual = written if written > 0 else _LR.get(case.setting(f"optimizer.{player}.kind", "adam"), _LR["adam"])
    return case.setting(f"optimizer.{player}.lr", usual)


def falling_rates(case: Case) -> list[str]:
    """Learning rates that fall to a tenth over the budget, if they are plain numbers now."""
    images, now = case.budget_images or case.images, {one: case.setting(f"optimizer.{one}.lr") for one in PLAYERS}
    if not images or not all(isinstance(rate, int | float) for rate in now.values()):
        return []
    falling = {
        f"optimizer.{player}.lr": {"kind": "cosine", "start": rate, "end": rate / 10, "images": images}
        for player, rate in now.items()
    }
    return [options(falling, "smaller steps towards the end let both players settle")]


def relativistic(case: Case, why: str) -> list[str]:
    """Each fake held against a real; nothing where loss, turns or augmentation do not go with it."""
    adapts = case.setting("show.kind") == "ada" and case.setting("show.probability") is None
    unfit = adapts or case.setting("turns.kind", "fixed") != "fixed"
    known = case.loss in ("", "relativistic", "relativistic_average")
    return [] if unfit or known else [option("loss", "relativistic", why)]


def other_turns(case: Case, player: str, why: str) -> list[str]:
    """One turn more of a player each step, or a single one of the other if that has several; else nothing."""
    if case.setting("turns.kind", "fixed") != "fixed":
        return []
    (other,) = {*PLAYERS} - {player}
    mine, theirs = (int(case.setting(f"turns.{one}", 1)) for one in (player, other))
    return [option(f"turns.{other}", 1, why) if theirs > 1 else option(f"turns.{player}", mine + 1, why)]


def dcgan_choice(case: Case, name: str, value: str, why: str, instead_of: str = "none") -> list[str]:
    """A choice inside the networks of the DCGAN, where they have another; nothing for other networks."""
    made = case.setting(f"networks.{name}", "none")
    kind = made.get("kind") if isinstance(made, Mapping) else made
    fits = case.setting("networks.kind", "") == "dcgan" and kind == instead_of
    return [option(f"networks.{name}", value, why)] if fits else []


# -- penalties ---------------------------------------------------------------------------------------------------------


def penalties_with(case: Case, penalty: Mapping[str, Any], why: str, **besides: Any) -> list[str]:
    """The run's penalties and another one, with other settings; nothing if it has one of that kind already."""
    now = case.setting("penalties", [])
    known = {one.get("kind") for one in now if isinstance(one, Mapping)}
    if not known.isdisjoint({penalty["kind"], "own"}):
        return []
    return [options({"penalties": [*now, penalty], **besides}, why)]


def gradient_penalty(case: Case, why: str) -> list[str]:
    """R1 beside the run's own penalties, or WGAN-GP for a critic that needs it; nothing if one is there.

    Without a batch norm, through which the slope at an image is that of a whole batch.
    """
    kinds = {one.get("kind") for one in case.setting("penalties", []) if isinstance(one, Mapping)}
    shares = " ".join(case.group("shares"))
    if any(kind in kinds or f"penalty.{kind}" in shares for kind in _STEEPNESS):
        return []
    wanted = {"kind": "wgan_gp", "weight": 10} if case.loss == "wasserstein" else {"kind": "r1", "gamma": 1}
    normed = case.setting("networks.discriminator_norm.kind") == "batch"
    return penalties_with(case, wanted, why, **({"networks.discriminator_norm": "none"} if normed else {}))


def penalties_times(case: Case, factor: float, why: str) -> list[str]:
    """The run's penalties, stronger or weaker; nothing if it has none or one of the user's own."""
    now = case.setting("penalties", [])
    if not now or not all(isinstance(one, Mapping) and "settings" not in one for one in now):
        return []
    names = ("gamma", "weight", "real", "fake")
    changed = [{k: times(v, factor) if k in names else v for k, v in one.items()} for one in now]
    return [option("penalties", changed, why)]


# -- augmentation ------------------------------------------------------------------------------------------------------


def augment(case: Case) -> list[str]:
    """How to make the discriminator see each image in more ways than now."""
    networks, shown = case.setting("networks.kind", ""), case.setting("show.kind", "as_is")
    if networks in _UNMOVED:
        return []
    twice = "twice the images, unless they hold text or what else has a left and a right"
    mirrored = [] if case.setting("data.mirror", False) else [option("data.mirror", True, twice)]
    return [*_HARDER.get(shown, _begin)(case), *mirrored]


def _begin(case: Case) -> list[str]:
    return [
        option("show", {"kind": "diff_augment", "probability": _UNLEAKED}, "the same images look new again and again"),
        _ada(case),
    ]


def _ada(case: Case) -> Remedy:
    if case.loss in _SURE_ABOVE_ZERO:
        return option("show", "ada", "as much augmentation as the over-fitting asks for")
    return option("show", {"kind": "ada", "probability": 0.3}, "more kinds of it, for three images in ten")


def _oftener(case: Case) -> list[str]:
    probability = case.setting("show.probability", 1.0)
    weak = isinstance(probability, Mapping) or probability < _UNLEAKED
    why = "from the first image on, as often as does not leak"
    return [option("show.probability", _UNLEAKED, why)] if weak else []


def _more_diff_augment(case: Case) -> list[str]:
    return [*_oftener(case), _ada(case)]


def _more_ada(case: Case) -> list[str]:
    if case.setting("show.probability") is not None:
        return _oftener(case)
    return [option("show.speed_images", case.setting("show.speed_images", _SPEED) // 5, "the probability rises faster")]


_HARDER = {"diff_augment": _more_diff_augment, "ada": _more_ada}
