"""How a remedy is written, and the advice that several rules give, from what the run is set to now."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from steadygan.doctor.case import Case

_UNLEAKED = 0.8  # of the images may be augmented without a trace: Karras et al. (2020), section 2.2
# Their discriminator knows reals by a logit above 0, which is what the adaptive probability goes by.
_SURE_ABOVE_ZERO = {"non_saturating", "minimax", "hinge"}
_UNMOVED = {"msg", "points"}  # networks whose images cannot be shifted or coloured


def option(place: str, value: Any, why: str) -> str:
    """A setting as it is written on the command line, and why."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return f"--set {shlex.quote(f'{place}={text}')} ({why})"


def augment(case: Case) -> list[str]:
    """How to make the discriminator see each image in more ways than now."""
    networks, shown = case.setting("networks.kind", ""), case.setting("show.kind", "as_is")
    if networks in _UNMOVED:
        return []
    return [*_HARDER.get(shown, _begin)(case), *mirror(case)]


def mirror(case: Case) -> list[str]:
    """Twice the images, if they are not mirrored yet."""
    twice = "twice the images, unless they hold text or what else has a left and a right"
    return [] if case.setting("data.mirror", False) else [option("data.mirror", True, twice)]


def _begin(case: Case) -> list[str]:
    return [
        option("show", {"kind": "diff_augment", "probability": _UNLEAKED}, "the same images look new again and again"),
        _ada(case),
    ]


def _ada(case: Case) -> str:
    if case.loss in _SURE_ABOVE_ZERO:
        return option("show", "ada", "as much augmentation as the over-fitting asks for")
    return option("show", {"kind": "ada", "probability": 0.3}, "more kinds of it, for three images in ten")


def _more_diff_augment(case: Case) -> list[str]:
    probability = case.setting("show.probability", 1.0)
    weak = isinstance(probability, Mapping) or probability < _UNLEAKED
    stronger = [option("show.probability", _UNLEAKED, "from the first image on, as often as does not leak")]
    return [*(stronger if weak else []), _ada(case)]


def _more_ada(case: Case) -> list[str]:
    probability = case.setting("show.probability")
    if probability is None:
        return [option("show.speed_images", 100_000, "the probability rises faster")]
    weak = isinstance(probability, Mapping) or probability < _UNLEAKED
    return [option("show.probability", _UNLEAKED, "as often as does not leak")] if weak else []


_HARDER = {"diff_augment": _more_diff_augment, "ada": _more_ada}


def penalties_with(case: Case, penalty: Mapping[str, Any], why: str) -> list[str]:
    """The run's penalties and another one; nothing if it has one of that kind already."""
    now = case.setting("penalties", [])
    known = {one.get("kind") for one in now if isinstance(one, Mapping)}
    if not known.isdisjoint({penalty["kind"], "own"}):
        return []
    return [option("penalties", [*now, penalty], why)]


def falling_rates(case: Case) -> list[str]:
    """Learning rates that fall to a tenth over the budget, if they are plain numbers now."""
    images = case.budget_images or case.images
    rates = {player: case.setting(f"optimizer.{player}.lr") for player in ("generator", "discriminator")}
    if not images or not all(isinstance(rate, int | float) for rate in rates.values()):
        return []
    return [
        " ".join(
            option(
                f"optimizer.{player}.lr", {"kind": "cosine", "start": rate, "end": rate / 10, "images": images}, ""
            ).removesuffix(" ()")
            for player, rate in rates.items()
        )
        + " (smaller steps towards the end let both players settle)"
    ]
