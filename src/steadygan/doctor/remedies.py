"""What several rules advise against a game that goes wrong: changes of the run's own settings, as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadygan.doctor.advice import option, penalties_with
from steadygan.doctor.case import Case

STEADY = "--recipe steady (the default, made to stay calm)"
_LR = {"adam": 2e-4, "rmsprop": 5e-5, "sgd": 1e-2}  # of optimizers whose settings do not say
_SIZES = ("start", "end", "value", "low", "high")  # of schedules


def times(value: Any, factor: float) -> Any:
    """A number, or a schedule's, multiplied, to three digits; what is neither stays."""
    if isinstance(value, Mapping):
        return {name: times(inner, factor) if name in _SIZES else inner for name, inner in value.items()}
    return float(f"{value * factor:.3g}") if isinstance(value, int | float) else value


def options(settings: Mapping[str, Any], why: str) -> str:
    """Several settings that belong together, as `option` writes one."""
    written = (option(place, value, "").removesuffix(" ()") for place, value in settings.items())
    return f"{' '.join(written)} ({why})"


def rate(case: Case, player: str, factor: float, why: str) -> str:
    """A player's learning rate, multiplied."""
    return options(_rate(case, player, factor), why)


def rates(case: Case, factor: float, why: str) -> str:
    """Both players' learning rates, multiplied: one step of advice."""
    return options(_rate(case, "generator", factor) | _rate(case, "discriminator", factor), why)


def _rate(case: Case, player: str, factor: float) -> dict[str, Any]:
    place = f"optimizer.{player}.lr"
    written = case[f"lr_{player[0]}"].last
    usual = written if written > 0 else _LR.get(case.setting(f"optimizer.{player}.kind", "adam"), _LR["adam"])
    return {place: times(case.setting(place, usual), factor)}


def gradient_penalty(case: Case, why: str) -> list[str]:
    """R1 beside the run's own penalties, or WGAN-GP for a critic that needs it; nothing if one is there."""
    if any(f"penalty.{kind}" in name for kind in _STEEPNESS for name in case.group("shares")) or _has(case, _STEEPNESS):
        return []
    wanted = {"kind": "wgan_gp", "weight": 10} if case.loss == "wasserstein" else {"kind": "r1", "gamma": 1}
    return penalties_with(case, wanted, why)


_STEEPNESS = ("r1", "perturbed_r1", "wgan_gp", "dragan")


def _has(case: Case, kinds: tuple[str, ...]) -> bool:
    return any(isinstance(one, Mapping) and one.get("kind") in kinds for one in case.setting("penalties", []))


def penalties_times(case: Case, factor: float, why: str) -> list[str]:
    """The run's penalties, stronger or weaker; nothing if it has none or one of the user's own."""
    now = case.setting("penalties", [])
    if not now or not all(isinstance(one, Mapping) and "settings" not in one for one in now):
        return []
    names = ("gamma", "weight", "real", "fake")
    changed = [{k: times(v, factor) if k in names else v for k, v in one.items()} for one in now]
    return [option("penalties", changed, why)]


def relativistic(case: Case, why: str) -> list[str]:
    """Each fake held against a real; nothing where loss, turns or augmentation do not go with it."""
    adapts = case.setting("show.kind") == "ada" and case.setting("show.probability") is None
    unfit = adapts or case.setting("turns.kind", "fixed") != "fixed"
    return (
        []
        if unfit or case.loss in ("", "relativistic", "relativistic_average")
        else [option("loss", "relativistic", why)]
    )


def other_turns(case: Case, player: str, why: str) -> list[str]:
    """One turn more of a player each step, or one less of the other if that has several; nothing for other turns."""
    if case.setting("turns.kind", "fixed") != "fixed":
        return []
    other = "generator" if player == "discriminator" else "discriminator"
    mine, theirs = (int(case.setting(f"turns.{one}", 1)) for one in (player, other))
    if theirs > 1:
        return [option(f"turns.{other}", 1, why)]
    return [option(f"turns.{player}", mine + 1, why)]


def dcgan_choice(case: Case, name: str, value: str, why: str) -> list[str]:
    """A choice inside the networks that the DCGAN has; nothing for others, or where it is made."""
    made = case.setting(f"networks.{name}", "none")
    kind = made.get("kind") if isinstance(made, Mapping) else made
    fits = case.setting("networks.kind", "") == "dcgan" and kind == "none"
    return [option(f"networks.{name}", value, why)] if fits else []
