"""A game that leaves its bounds: it diverges, circles, or its numbers end; and a regulariser that takes it over."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steadygan.doctor.case import Case, Series
from steadygan.doctor.losses import facts_of
from steadygan.doctor.progress import BETTER, for_long, formerly, grown, lately, progress
from steadygan.doctor.remedies import (
    PLAYERS,
    dcgan_choice,
    gradient_penalty,
    option,
    options,
    penalties_times,
    rates,
    steady,
)
from steadygan.doctor.rule import Rule
from steadygan.doctor.trends import past_beginning

GROWN = 10.0  # times the run's own past: losses and logits of a healthy game drift by a factor of a few
RISES = 3  # of a run's last three tenths, each above the one before: growth, not a jump

# Without pictures: worse than knowing nothing, which costs a discriminator that is free to say nothing too much.
ASTRAY, FROM_PAST = 3.0, 5.0  # times that loss, and times its own past; auxiliary terms of other programs add a little
UNSIGNED, OFF = 10.0, 20.0  # of an unknown loss that is never below 0, hardly a critic's, and times its own past
BOUNDLESS, FAR = 1e4, 100.0  # of a loss without bound, and times its own past; healthy ones stay within hundreds

RESTLESS = 0.7  # of the reals' diversity between two looks: 1 is a picture that has nothing to do with the last
SWING = 0.3  # of its middle a distance goes up and down; a few hundred pictures explain 0.1
CROSSINGS = 4  # of that middle, for up and down

OWNED = 3.0  # times the loss that it is added to: terms that shape a game stay below it
BROKEN = ("loss_d", "loss_g", "d_real", "d_fake")
NORMS = ("grad_norm_d", "grad_norm_g")
SPELLS = 3  # of gradients that are not finite, which scaled half precision has now and then


def _rising(series: Series) -> bool:
    values = np.abs(series.finite().values)
    width = len(values) // 10
    if width < 1:
        return False
    last = values[len(values) - RISES * width :].reshape(RISES, width)
    return bool((np.diff(np.median(last, axis=1)) > 0).all())


def _size(series: Series) -> Series:
    return Series(series.steps, series.images, np.abs(series.values))


def _diverging(case: Case) -> str | None:
    now = progress(case)
    if now is None:
        return _astray(case)
    if not (now.worse and now.now > now.before):
        return None
    for name in (*BROKEN, *NORMS):
        size, past = lately(_size(case[name])), formerly(_size(case[name]))
        if size >= GROWN * past > 0 and _rising(case[name]):
            return f"{name} has grown to {size:.3g}, {size / past:.0f} times that of the run before, and {now}"
    return None


def _astray(case: Case) -> str | None:
    """From losses alone: the discriminator does worse than one that knows nothing, or its loss leaves all scales."""
    facts, loss = facts_of(case), _size(case["loss_d"])
    now, past = for_long(loss), formerly(loss)
    if facts.bounded and now >= ASTRAY * facts.blind_d and now >= FROM_PAST * past > 0:
        return (
            f"the discriminator's loss is {now:.3g}, {past:.3g} before, where knowing nothing costs {facts.blind_d:.3g}"
        )
    unsigned = not case.loss and not (case["loss_d"].values < 0).any() and past_beginning(case)
    if unsigned and now >= UNSIGNED and now >= OFF * past > 0:
        return f"the discriminator's loss, which is never below 0, is {now:.3g}, {now / past:.0f} times that before"
    if facts.grows and now >= BOUNDLESS and now >= FAR * past > 0 and _rising(loss):
        return f"the discriminator's loss has grown to {now:.3g}, {now / past:.0f} times that of the run before"
    return None


def _swing(values: NDArray[np.float64]) -> float:
    """How far a quantity goes up and down about its middle, over that; 0 if it does not cross it often."""
    values = values[-max(6, len(values) // 3) :]
    if len(values) < 6:
        return 0.0
    low, high = np.percentile(values, (10, 90))
    middle = (low + high) / 2
    crossings = np.count_nonzero(np.diff(values > middle))
    return float((high - low) / middle) if middle > 0 and crossings >= CROSSINGS else 0.0


def _oscillating(case: Case) -> str | None:
    now, movement = progress(case), lately(case["signals.movement"])
    if now is None or not grown(case) or not movement >= RESTLESS:
        return None
    distance = case["signals.distance"].finite().values
    third, swing = len(distance) // 3, _swing(distance)
    if swing < SWING or distance[-third:].mean() <= BETTER * distance[-2 * third : -third].mean():
        return None
    return (
        f"between two looks pictures of the same latents move by {movement:.0%} of what separates two reals, their "
        f"distance to the training images goes up and down by {swing:.0%} of its middle, and does not get better: {now}"
    )


def _not_finite(case: Case) -> str | None:
    for names, least in ((BROKEN, 1), (NORMS, SPELLS)):
        for name in names:
            series = case[name]
            bad = np.flatnonzero(~np.isfinite(series.values))
            if len(bad) >= least:
                where = int(series.images[bad[0]])
                good = series.until(where).finite().values
                before = f"; before it was {float(np.median(good[-5:])):.3g}" if len(good) else ""
                return f"{name} is {series.values[bad[0]]} after {where:,} images{before}{_first_layer(case)}"
    return None


def _first_layer(case: Case) -> str:
    for name, series in case.group("signals.gradients").items():
        if not np.isfinite(series.values).all():
            return f"; the first layer whose gradient is none is {name}"
    return ""


def _owner(case: Case) -> tuple[str, float, float] | None:
    """The largest penalty or term that outweighs the loss it is added to: its name, what it adds, and that loss."""
    facts = facts_of(case)
    scale = {
        "penalty": facts.blind_d if math.isfinite(facts.blind_d) else abs(lately(case["loss_d"])),
        "term": np.fmax(abs(facts.blind_g), abs(lately(case["loss_g"]))),
    }
    shares = case.group("shares") or {"penalty": case["penalty"]}
    added = [(name, abs(lately(series)), float(scale[name.partition(".")[0]])) for name, series in shares.items()]
    return max((one for one in added if one[1] >= OWNED * one[2] > 0), key=lambda one: one[1], default=None)


def _dominated(case: Case) -> str | None:
    now, owner = progress(case), _owner(case)
    if now is None or owner is None or not now.stalled or not (now.little or now.worse) or not grown(case):
        return None
    name, share, loss = owner
    return f"{name} adds {share:.3g} to a loss of {loss:.3g}, and the pictures do not get better: {now}"


def _calm(case: Case) -> list[str]:
    return [
        *gradient_penalty(case, "the game then converges near its goal, which without it it need not"),
        rates(case, 0.5, "smaller steps"),
        *dcgan_choice(case, "spectral_norm", "discriminator", "it bounds how steep the discriminator becomes"),
        *steady(case),
    ]


def _with_room(case: Case) -> Sequence[str]:
    precise = case.setting("runtime.precision") == "float32"
    return [*([] if precise else [option("runtime.precision", "float32", "more room for large numbers")]), *_calm(case)]


def _settle(case: Case) -> Sequence[str]:
    places = [f"optimizer.{player}.beta1" for player in PLAYERS]
    heavy = {place: 0 for place in places if case.setting(place, 0) > 0}
    return [*([options(heavy, "momentum drives players round each other")] if heavy else []), *_calm(case)]


def _relax(case: Case) -> Sequence[str]:
    owner, rest = _owner(case), steady(case)
    if owner and owner[0].startswith("term"):
        return [option("generator_terms", [], "the generator plays for nothing but the game"), *rest]
    why = "so that the game itself counts"
    return [*(penalties_times(case, 0.1, why) or [f"a tenth of its weight ({why})"]), *rest]


NOT_FINITE = Rule(
    id="not-finite",
    severity="serious",
    says="a number of the training is not finite any more",
    causes="gradients that exploded, a learning rate too high, half precision, or images that hold such values",
    judge=_not_finite,
    remedies=_with_room,
    source="Chintala et al. (2016), item 10; Zhang et al. (2021), AutoTrainer, ICSE",
    unless="the log itself writes an empty cell so",
    picture="curves.png",
)

DIVERGENCE: tuple[Rule, ...] = (
    NOT_FINITE,
    Rule(
        id="divergence",
        severity="serious",
        says="the game diverges: its numbers leave all bounds",
        causes="no gradient penalty or Lipschitz constraint, learning rates too high, a discriminator that ran away",
        judge=_diverging,
        remedies=_calm,
        source="Mescheder et al. (2018), arXiv:1801.04406, sections 2 to 4; Arjovsky et al. (2017), arXiv:1701.07875",
        unless="the loss is a Wasserstein loss and the pictures get better: its growth is health",
        picture="curves.png",
        leads_to=("not-finite", "oscillation", "regulariser-dominates", "mode-collapse", "partial-collapse"),
    ),
    Rule(
        id="oscillation",
        severity="warning",
        says="the players circle: pictures change all the time and do not get better",
        causes="momentum (beta1 of 0.9), learning rates too high, no gradient penalty",
        judge=_oscillating,
        remedies=_settle,
        source="Mescheder et al. (2018), arXiv:1801.04406, section 3; Gidel et al. (2019), arXiv:1807.04740",
        unless="the averaged generator, which is what is kept, gets better all the same",
        picture="samples",
        leads_to=("partial-collapse", "batch-norm-modes", "colours-off", "past-best"),
    ),
    Rule(
        id="regulariser-dominates",
        severity="warning",
        says="a penalty or an additional term outweighs the game itself",
        causes="a weight too large for the size of the images or of the logits",
        judge=_dominated,
        remedies=_relax,
        source="Karras et al. (2020), arXiv:1912.04958, section 4 and their code (gamma grows with pixels over batch); "
        "Mescheder et al. (2018), arXiv:1801.04406",
        unless="a penalty large at the start falls by itself; a term that replaces the loss, as feature matching can, "
        "is meant to",
        picture="curves.png",
        leads_to=("discriminator-too-weak", "vanishing-gradients", "partial-collapse", "mode-collapse"),
    ),
)
