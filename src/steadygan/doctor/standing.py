"""A player that has moved and no longer does, by the length of its steps against those of its own beginning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from steadygan.doctor.case import Case
from steadygan.doctor.progress import grown, lately
from steadygan.doctor.remedies import gradient_penalty, rate, steady
from steadygan.doctor.rule import Rule
from steadygan.doctor.trends import start

STOOD = 0.08  # of the first steps' length: weights that grow and gradients that settle leave a third of it and more
_OTHER = {"generator": "discriminator", "discriminator": "generator"}


def _shorter(case: Case, player: str) -> float:
    """The median, over layers, of their steps now over those at first; NaN if they were not measured often enough."""
    series = case.group(f"signals.updates.{player}").values()
    both = [(lately(one), start(one)) for one in series]
    known = [now / first for now, first in both if math.isfinite(now) and first > 0]
    return float(np.median(known)) if known else math.nan


def _scheduled(case: Case, player: str) -> float:
    """What the learning rate is now of what it was at first; 1 if that was not written."""
    rates = case[f"lr_{player[0]}"].finite().values
    return float(rates[-1] / rates[0]) if len(rates) and rates[0] > 0 else 1.0


def _stands(player: str, case: Case) -> str | None:
    share, other = _shorter(case, player), _shorter(case, _OTHER[player])
    if not grown(case) or not share <= STOOD * min(1.0, _scheduled(case, player)) or other < share:
        return None  # where both stand, the one that stands stiller has stopped the other
    movement = lately(case["signals.movement"])
    still = player == "generator" and math.isfinite(movement)
    pictures = f"; its pictures move by {movement:.1%} of the reals' diversity between two looks" if still else ""
    return f"a step of the {player} is {share:.2%} as long, for its weights, as at first{pictures}"


def _move(player: str, case: Case) -> Sequence[str]:
    return [
        rate(case, player, 4, "longer steps"),
        rate(case, _OTHER[player], 0.25, "the other player no longer leaves it behind"),
        *gradient_penalty(case, "a discriminator that keeps a slope gives both something to learn from"),
        *steady(case),
    ]


def _rule(player: str, causes: str, leads_to: tuple[str, ...]) -> Rule:
    return Rule(
        id=f"{player}-stands-still",
        severity="warning",
        says=f"the {player} has all but stopped moving",
        causes=causes,
        judge=partial(_stands, player),
        remedies=partial(_move, player),
        source="Karpathy (2022), Building makemore, part 3 (steps of a thousandth of the weights)",
        unless="its learning rate was lowered on purpose, or its weights are frozen",
        picture="curves.png",
        leads_to=leads_to,
    )


STANDING: tuple[Rule, ...] = (
    _rule(
        "generator",
        "a learning rate that fell or was set too low, weights that are frozen, or a gradient that has vanished",
        ("discriminator-too-strong", "vanishing-gradients", "mode-collapse"),
    ),
    _rule(
        "discriminator",
        "a learning rate that fell or was set too low, weights that are frozen; or it is so sure that it has nothing "
        "to learn",
        ("discriminator-too-weak", "partial-collapse", "mode-collapse", "divergence"),
    ),
)
