"""Gradients that vanish or explode, and steps too large or too small for the weights they move."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from steadygan.doctor.case import Case, Series
from steadygan.doctor.losses import facts_of
from steadygan.doctor.progress import for_long, formerly, grown, lately, progress
from steadygan.doctor.remedies import PLAYERS, dcgan_choice, gradient_penalty, option, rate, rates, relativistic, steady
from steadygan.doctor.rule import Rule
from steadygan.doctor.trends import start

# AutoTrainer (Zhang et al. 2021): the first layer's gradient over the last one's.
VANISHED, TINY, EXPLODED = 1e-3, 1e-4, 70.0
LOST = 1e-2  # of the player's own gradient at first: in health it falls by 10 to 50
FLAT = 0.02  # of what a saturating loss is to a blind discriminator: its gradient shrinks with it
GROWN = 100.0  # times the player's own past: in health it grows by 10 with a surer discriminator
LARGE = 100.0  # of the norm of a whole gradient: Chintala et al. (2016), item 10, take more for a failure

# A step's length over that of the weights: near 1e-3 in training that goes well, to 3e-2 in a DCGAN's first steps.
BOLD, WILD = 0.03, 0.2  # with pictures that do not get better; whatever they do, for weights turn over in five steps
SHORT = 0.3  # of their length the weights could go in the whole budget, were all steps in one direction


def _layers(case: Case, kind: str, player: str) -> list[tuple[str, Series]]:
    return [(name, series) for name, series in case.group(f"signals.{kind}.{player}").items() if len(series.finite())]


def _ends(case: Case, player: str) -> tuple[str, float, str, float] | None:
    """The first and the last layer's name and gradient; None if they were not measured often enough."""
    layers = _layers(case, "gradients", player)
    if len(layers) < 2:
        return None
    (first, one), (last, other) = layers[0], layers[-1]
    ends = first, lately(one), last, lately(other)
    return ends if math.isfinite(ends[1]) and ends[3] > 0 else None


def _not_better(case: Case) -> bool:
    """Whether the pictures no longer get better, or nobody knows."""
    now = progress(case)
    return now is None or now.stalled


def _vanished(case: Case, player: str) -> str | None:
    if ends := _ends(case, player):
        first, small, last, large = ends
        if small < VANISHED * large and small < TINY:
            return f"in the {player} {first} gets a gradient of {small:.2g} where {last} gets {large:.2g}"
    pictures, norm = progress(case), case[f"grad_norm_{player[0]}"]
    now, at_first = lately(norm), start(norm)
    if pictures and (pictures.little or pictures.worse) and now <= LOST * at_first:
        return f"the {player}'s gradient has fallen from {at_first:.3g} to {now:.2g}"
    return None


def _saturated(case: Case) -> str | None:
    """A loss that is flat where the discriminator is sure, and stands there."""
    facts, loss = facts_of(case), lately(case["loss_g"])
    if not facts.saturates or progress(case) is None or not abs(loss) <= FLAT * abs(facts.blind_g):
        return None
    return (
        f"the generator's loss is {loss:.2g} and flat there, where a blind discriminator makes it {facts.blind_g:.2g}"
    )


def _vanishing(case: Case) -> str | None:
    if not grown(case) or not _not_better(case):
        return None
    found = _saturated(case) or next((text for player in PLAYERS if (text := _vanished(case, player))), None)
    return found and f"{found}{_and_pictures(case)}"


def _and_pictures(case: Case) -> str:
    now = progress(case)
    return f"{', and the pictures do not get better: ' if now.stalled else '; '}{now}" if now else ""


def _exploded(case: Case, player: str) -> str | None:
    norm = case[f"grad_norm_{player[0]}"]
    now, past = (for_long if progress(case) is None else lately)(norm), formerly(norm)
    if now >= GROWN * past > 0:
        return f"the {player}'s gradient has a norm of {now:.3g}, {now / past:.0f} times that before ({past:.3g})"
    ends = _ends(case, player)
    if ends and now >= LARGE and ends[1] > EXPLODED * ends[3]:
        first, large, last, small = ends
        where = f"{first} gets {large:.2g} where {last} gets {small:.2g}"
        return f"the {player}'s gradient has a norm of {now:.3g}, and {where}"
    return None


def _exploding(case: Case) -> str | None:
    if not _not_better(case) or (progress(case) is None and facts_of(case).grows):
        return None
    found = next((text for player in PLAYERS if (text := _exploded(case, player))), None)
    return found and f"{found}{_and_pictures(case)}"


def _steps(case: Case, when: Callable[[Series], float] = lately) -> Iterator[tuple[str, float]]:
    """Of each player the usual length of a step over that of the weights: the median of the layers that move."""
    for player in PLAYERS:
        moves = [when(series) for _, series in _layers(case, "updates", player)]
        if known := [move for move in moves if move > 0]:
            yield player, float(np.median(known))


def _too_high(case: Case) -> str | None:
    now = progress(case)
    harmed = now is not None and now.stalled and (now.little or now.worse) and grown(case)
    for player, step in _steps(case):
        if step >= WILD or (harmed and step >= BOLD):
            usual = "where 0.001 is usual"
            return f"a step of the {player} is {step:.2g} of its weights' length, {usual}{_and_pictures(case)}"
    return None


def _short(case: Case) -> dict[str, str]:
    """The players whose steps are too short for the budget, and what shows it; not where the gradient fell."""
    steps = case.step * case.budget_images / case.images if case.images else math.nan
    at_first = dict(_steps(case, start))
    return {
        player: f"a step of the {player} is {step:.2g} of its weights' length, so that in all {steps:,.0f} steps of "
        f"the budget they can go {step * steps:.2g} of it, where {SHORT:g} is little"
        for player, step in _steps(case)
        if max(step, at_first.get(player, 0)) * steps < SHORT
    }


def _too_low(case: Case) -> str | None:
    now, found = progress(case), next(iter(_short(case).values()), None)
    unfit = not case.budget_images or not grown(case) or case.setting("start.source") or (now and not now.little)
    return None if unfit or found is None else f"{found}{_and_pictures(case)}"


def _against_vanishing(case: Case) -> Sequence[str]:
    flat, why = facts_of(case).saturates, "its gradient stays where the discriminator is sure"
    return [
        *([option("loss", "non_saturating", why)] if flat else []),
        *relativistic(case, "the generator's gradient is large as long as reals stand above fakes"),
        *gradient_penalty(case, "the discriminator keeps a slope where it is sure"),
        rate(case, "discriminator", 0.25, "it runs away from the generator more slowly"),
        *steady(case),
    ]


def _against_exploding(case: Case) -> Sequence[str]:
    return [
        *gradient_penalty(case, "it bounds how steep the discriminator becomes"),
        rates(case, 0.5, "smaller steps"),
        *dcgan_choice(case, "spectral_norm", "discriminator", "no layer can lengthen what passes through it"),
        *steady(case),
    ]


def _lower(case: Case) -> Sequence[str]:
    bold = [player for player, step in _steps(case) if step >= BOLD] or PLAYERS
    return [rates(case, 0.1, "steps that the weights can follow", bold), *steady(case)]


def _higher(case: Case) -> Sequence[str]:
    short = [*_short(case)] or PLAYERS
    return [rates(case, 10, "the weights get somewhere within the budget", short), *steady(case)]


GRADIENTS: tuple[Rule, ...] = (
    Rule(
        id="vanishing-gradients",
        severity="warning",
        says="hardly any gradient arrives where a player should learn",
        causes="a sure discriminator under a saturating loss, saturated activations, many layers without norm or "
        "shortcuts, weights that start too small",
        judge=_vanishing,
        remedies=_against_vanishing,
        source="Zhang et al. (2021), AutoTrainer, ICSE; Arjovsky and Bottou (2017), arXiv:1701.04862, theorem 2.4",
        unless="the pictures are as good as they can be, when little is left to learn",
        picture="curves.png",
        leads_to=("learning-rate-too-low", "mode-collapse", "partial-collapse"),
    ),
    Rule(
        id="exploding-gradients",
        severity="warning",
        says="a player's gradients have grown far beyond those of its own past",
        causes="a discriminator that becomes ever steeper without a gradient penalty, a learning rate too high, "
        "weights that start too large",
        judge=_exploding,
        remedies=_against_exploding,
        source="Zhang et al. (2021), AutoTrainer, ICSE; Chintala et al. (2016), item 10; "
        "Thanh-Tung et al. (2019), arXiv:1902.03984",
        unless="single steps only: a spike that passes is harmless",
        picture="curves.png",
        leads_to=("divergence", "not-finite", "regulariser-dominates", "mode-collapse", "partial-collapse"),
    ),
    Rule(
        id="learning-rate-too-high",
        severity="warning",
        says="a player's steps are too large for its weights",
        causes="a learning rate too high for the batch, the optimizer or the size of the weights",
        judge=_too_high,
        remedies=_lower,
        source="Karpathy (2022), Building makemore, part 3 (steps of a thousandth of the weights); "
        "Heusel et al. (2017), arXiv:1706.08500",
        unless="weights that have just begun at 0 are still finding their size",
        picture="curves.png",
        leads_to=(
            *("divergence", "oscillation", "not-finite", "exploding-gradients", "mode-collapse", "partial-collapse"),
            *("discriminator-too-strong", "discriminator-too-weak", "vanishing-gradients", "regulariser-dominates"),
            "batch-norm-modes",
        ),
    ),
    Rule(
        id="learning-rate-too-low",
        severity="warning",
        says="a player's steps are too small to get anywhere within the budget",
        causes="a learning rate too low for this many steps, or a schedule that has fallen too early",
        judge=_too_low,
        remedies=_higher,
        source="Karpathy (2022), Building makemore, part 3 (steps of a thousandth of the weights)",
        unless="the run starts from trained networks, or the budget is only a try",
        picture="curves.png",
        leads_to=("discriminator-too-weak", "discriminator-too-strong", "mode-collapse", "partial-collapse"),
    ),
)
