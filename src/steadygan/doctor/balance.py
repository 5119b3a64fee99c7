"""The balance of the two players, told from what the discriminator knows and whether the pictures get better."""

from __future__ import annotations

import math
from collections.abc import Sequence

from steadygan.doctor.case import Case
from steadygan.doctor.losses import facts_of
from steadygan.doctor.progress import Improvement, first_known, grown, lately, progress
from steadygan.doctor.remedies import gradient_penalty, other_turns, penalties_times, rate, relativistic, steady
from steadygan.doctor.rule import Rule
from steadygan.doctor.trends import start

SURE = 0.98  # of reals and fakes judged rightly: 1 in 50 wrong still tells the generator something
SURE_HELD_OUT = 0.9  # of reals it never saw: below, it knows its images by heart, which is another fault
SURE_GAP = 4.0  # logits by which reals stand above fakes: of such a pair 98 in 100 are told rightly
FROZEN = 0.02  # of the reals' diversity: that a generator moves less between two looks is rounding
FAINT = 0.001  # of the generator's first gradient, which falls by 10 to 50 in a healthy run

CHANCE = 0.05  # about one half: what the accuracy of 400 images differs by without any knowledge
NO_GAP = 0.1  # in units of the loss between the mean logits of reals and fakes
BLIND = 0.995  # of the loss of a discriminator that knows nothing; a healthy relativistic one keeps within 0.97
UNLIKE = 0.3  # by which contrast or diversity of the pictures differ from the reals'


def _gap(case: Case, side: str = "real") -> float:
    """How far mean logits of reals stand above those of fakes."""
    one, fake = (lately(first_known(case, f"signals.d_{name}", f"d_{name}")) for name in (side, "fake"))
    return one - fake


def _accuracy(case: Case, side: str) -> float:
    return lately(first_known(case, f"signals.accuracy_{side}", f"accuracy_{side}"))


def _certain(case: Case) -> str | None:
    """What shows that the discriminator is sure, of images it never saw too where that is known."""
    if facts_of(case).absolute:
        real, fake, held_out = (_accuracy(case, side) for side in ("real", "fake", "held_out"))
        if not (real >= SURE and fake >= SURE) or held_out < SURE_HELD_OUT:
            return None
        unseen = "" if math.isnan(held_out) else f", {held_out:.0%} of held-out reals"
        return f"it judges {real:.0%} of reals{unseen} and {fake:.0%} of fakes rightly"
    if not facts_of(case).bounded:
        return None
    gap, unseen_gap = _gap(case), _gap(case, "held_out")
    if not gap >= SURE_GAP or unseen_gap < SURE_GAP / 2:
        return None
    return f"its logits of reals are {gap:.3g} above those of fakes, where {SURE_GAP:g} tell 98 pairs in 100"


def _stuck(case: Case, now: Improvement) -> str | None:
    """What shows that the generator learns nothing any more, and is not merely at its goal."""
    movement, gradient = lately(case["signals.movement"]), lately(case["grad_norm_g"])
    at_first = start(case["grad_norm_g"])
    if movement <= FROZEN:
        return f"its pictures move by {movement:.1%} of the reals' diversity between two looks"
    if gradient <= FAINT * at_first:
        return f"its gradient has fallen from {at_first:.3g} to {gradient:.3g}"
    unlike = _unlike(case, now)
    return f"its pictures are not like the reals: {unlike}" if unlike else None


def _too_strong(case: Case) -> str | None:
    now = progress(case)
    if now is None or not now.stalled or not grown(case):
        return None
    certain, stuck = _certain(case), _stuck(case, now)
    return f"{certain}, while the generator learns nothing from it: {stuck}; {now}" if certain and stuck else None


def _blind(case: Case) -> str | None:
    """What shows that the discriminator cannot tell reals from fakes."""
    facts, gap = facts_of(case), _gap(case)
    if facts.absolute:
        real, fake = _accuracy(case, "real"), _accuracy(case, "fake")
        if (real + fake) / 2 <= 0.5 + CHANCE and gap <= NO_GAP * facts.unit:  # below: it takes fakes for reals
            return f"it judges {real:.0%} of reals and {fake:.0%} of fakes rightly, mean logits {gap:.2g} apart"
        return None
    loss = lately(case["loss_d"])
    if facts.bounded and loss >= BLIND * facts.blind_d and abs(gap) <= NO_GAP:
        return f"its loss is {loss:.3g}, where knowing nothing costs {facts.blind_d:.3g}, mean logits {gap:.2g} apart"
    return None


def _unlike(case: Case, now: Improvement) -> str | None:
    """What shows that pictures could be told from reals."""
    for name in ("contrast", "diversity"):
        ours, reals = lately(case[f"signals.{name}"]), lately(case[f"signals.{name}_real"])
        if reals > 0 and abs(ours / reals - 1) >= UNLIKE:
            return f"their {name} is {ours:.3g}, that of reals {reals:.3g}"
    if now.little:
        return "they are hardly better than at first"
    return "they have been better" if now.worse else None


def _too_weak(case: Case) -> str | None:
    now = progress(case)
    if now is None or not now.stalled or not grown(case):
        return None
    blind, unlike = _blind(case), _unlike(case, now)
    return f"{blind}, though the pictures are not like the reals: {unlike}; {now}" if blind and unlike else None


def _weaken(case: Case) -> Sequence[str]:
    return [
        rate(case, "discriminator", 0.25, "it learns more slowly than the generator"),
        *gradient_penalty(case, "a smooth discriminator has a slope to learn from even where it is sure"),
        *penalties_times(case, 3, "the same, stronger"),
        *relativistic(case, "the generator's gradient is large as long as reals stand above fakes"),
        *other_turns(case, "generator", "the generator catches up"),
        *steady(case),
    ]


def _strengthen(case: Case) -> Sequence[str]:
    return [
        *penalties_times(case, 0.1, "they may hold the discriminator flat"),
        rate(case, "discriminator", 2, "it learns faster than the generator"),
        *other_turns(case, "discriminator", "it sees more before the generator moves"),
        *steady(case),
    ]


BALANCE: tuple[Rule, ...] = (
    Rule(
        id="discriminator-too-strong",
        severity="warning",
        says="the discriminator is so sure that the generator learns nothing from it",
        causes="a discriminator that learns faster, moves more often or is far larger than the generator, no gradient "
        "penalty, or supports of reals and fakes that do not touch",
        judge=_too_strong,
        remedies=_weaken,
        source="Arjovsky and Bottou (2017), arXiv:1701.04862, theorems 2.4 to 2.6; Mescheder et al. (2018), "
        "arXiv:1801.04406",
        unless="the pictures still get better: a sure discriminator alone is no fault; a critic of a Wasserstein loss "
        "should be strong",
        picture="curves.png",
        leads_to=("vanishing-gradients", "mode-collapse", "partial-collapse", "oscillation", "divergence"),
    ),
    Rule(
        id="discriminator-too-weak",
        severity="warning",
        says="the discriminator cannot tell fakes from reals that are not alike",
        causes="a discriminator that is too small, learns too slowly or is held flat by a penalty, augmentation or "
        "noise too strong, or one that a collapsed optimizer has broken",
        judge=_too_weak,
        remedies=_strengthen,
        source="Goodfellow et al. (2014), arXiv:1406.2661, proposition 1; Karras et al. (2020), arXiv:2006.06676",
        unless="the pictures are as good as the reals, when nobody can tell them",
        picture="curves.png",
        leads_to=("partial-collapse", "mode-collapse"),
    ),
)
