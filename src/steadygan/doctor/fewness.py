"""What few images do: the discriminator learns them by heart, the generator copies them, augmentation shows."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from steadygan.doctor.case import Case, Series
from steadygan.doctor.losses import facts_of
from steadygan.doctor.remedies import augment, option, penalties_with
from steadygan.doctor.rule import Rule
from steadygan.doctor.trends import level, past_beginning, start

_LOOKS = 4  # measurements in a row that must all agree: each is of few images
# Of the way from reals to fakes, how far held-out images have fallen (r_v of Karras et al. 2020, equation 1: 0 is no
# over-fitting, 1 complete). At a half, D takes an image it has not seen for a fake as much as for a real one.
_FALLEN = 0.5
_EACH = 0.25  # of it every single one of the last measurements must show
_GROWN = 0.15  # by so much it must have grown, so that odd held-out images are not blamed on D
_UNKNOWN = 2.0  # times each image was seen, until when no discriminator knows them by heart: what there was is odd
_LEAST_HELD_OUT = 16  # fewer held-out images say nothing
_SURE = 0.6  # E[sign D(real)], the target of Karras et al. (2020), section 3.1
_SEEN = 20.0  # times each image was seen; before that no discriminator knows images by heart
_COPIES = 0.10  # ten times what chance gives
_MOSTLY_COPIES = 0.5
# A blurred or grey picture lies near every image: copies are counted only of pictures with the reals' own contrast
# and variety, or with so much of it.
_LIKE_REALS = 0.7
_CHANCE = 0.01  # of fresh images that would pass for copies, beside 100 held-out images or more
_TICKS = 5
_MILD = 0.5  # of the images augmented
_LEAK = 0.35  # of the way from reals to augmented reals
_LEAKED_SINCE = 0.1  # by which it must have grown: reals may lie towards their augmented selves by themselves


def overfitting(case: Case) -> Series:
    """r_v of each measurement so far, Karras et al. (2020), equation 1; of those in which D tells reals from fakes."""
    real, held_out, fake = (case[f"signals.{name}"] for name in ("d_real", "d_held_out", "d_fake"))
    if case.held_out < _LEAST_HELD_OUT or not len(real) == len(held_out) == len(fake) > 0:
        return case["nothing"]
    apart = np.isfinite([real.values, held_out.values, fake.values]).all(0) & (real.values > fake.values)
    fallen = (real.values[apart] - held_out.values[apart]) / (real.values[apart] - fake.values[apart])
    return Series(real.steps[apart], real.images[apart], fallen)


def _overfits(case: Case) -> str | None:
    fallen = overfitting(case)
    early, last = fallen.until(int(_UNKNOWN * case.training)).values[:_LOOKS], fallen.values[-_LOOKS:]
    known = not case.training or case.views > _UNKNOWN
    if not known or len(fallen) < 2 * _LOOKS or last.min() < _EACH:
        return None
    if fallen.images[-_LOOKS] < case["signals.d_real"].images[-_LOOKS]:  # where it tells no fakes, it tells nothing
        return None
    if np.median(last) < max(_FALLEN, float(np.median(early)) + _GROWN if len(early) else 0):
        return None
    real, held_out, fake = (level(case[f"signals.{name}"], _LOOKS) for name in ("d_real", "d_held_out", "d_fake"))
    return (
        f"the discriminator gives training images {real:.2f}, held-out ones {held_out:.2f} and pictures {fake:.2f}: "
        f"images it has not seen have fallen {np.median(last):.0%} of the way to the fakes, {fallen.values[0]:.0%} at "
        f"the first measurement{_views(case)}"
    )


def _sure(case: Case) -> str | None:
    right = case["accuracy_real"]
    part = max(_TICKS, len(right) // 10)
    now, before = 2 * level(right, part) - 1, 2 * start(right, part) - 1
    measured = len(overfitting(case)) > 0
    if measured or not facts_of(case).absolute or not (now > _SURE and now > before + _GROWN and case.views > _SEEN):
        return None
    return (
        f"the mean sign of D(real) is {now:.2f}, it was {before:.2f} when the run began and should stay below {_SURE}"
        f"{_views(case)}; there are too few held-out images to compare with"
    )


def _views(case: Case) -> str:
    return f"; each of the {case.training:,} images has been seen {case.views:.0f} times" if case.training else ""


def copies(case: Case) -> float:
    """Share of pictures nearer to a training image than 99 of 100 held-out ones are; NaN while it says nothing.

    By signals, else by the score.
    """
    alike = (_share(case, "contrast"), _share(case, "diversity"))
    told = past_beginning(case) and all(not share < _LIKE_REALS for share in alike)  # one not measured says nothing
    signal = level(case["signals.copies"]) if told else math.nan
    return signal if math.isfinite(signal) else case["scores.memorised"].last


def _share(case: Case, name: str) -> float:
    real = level(case[f"signals.{name}_real"])
    return level(case[f"signals.{name}"]) / real if real > 0 else math.nan


def chance(case: Case) -> float:
    """Share of copies among fresh images: those nearer than the nearest of few held-out images are no rarity."""
    return max(_CHANCE, 1 / (case.held_out + 1)) if case.held_out else _CHANCE


def many_copies(case: Case) -> float:
    """Share of copies that is no chance any more."""
    return min(_COPIES * chance(case) / _CHANCE, _MOSTLY_COPIES)


def _copying(least: Callable[[Case], float], case: Case) -> str | None:
    found = copies(case)
    return f"{found:.0%} of the pictures {nearer(case)}{_views(case)}" if found >= least(case) else None


def nearer(case: Case) -> str:
    """What copies are, and how many are so by chance."""
    few = case.held_out and case.held_out < 1 / _CHANCE
    others = f"any of {case.held_out} held-out images is" if few else "99 of 100 held-out images are"
    return f"are nearer to a training image than {others}; chance gives {chance(case):.0%}"


def _leaks(case: Case) -> str | None:
    augmented, leak = level(case["signals.augment"]), case["signals.leak"]
    now, before = level(leak), start(leak)
    moves = case.setting("show.kind", "") not in ("as_is", "instance_noise")
    on = moves and augmented > 0 and past_beginning(case) and len(leak) >= 2 * _LOOKS
    if not on or not (now >= _LEAK and (now >= before + _LEAKED_SINCE or now >= 2 * _LEAK)):
        return None
    return (
        f"pictures lie {now:.0%} of the way from the reals to the augmented reals, where unaugmented pictures lie at "
        f"0 %, with augmentation at probability {augmented:.2f}; at the start it was {before:.0%}"
    )


def _hold_out(case: Case) -> list[str]:
    share = min(0.5, 2 * _LEAST_HELD_OUT / max(1, case.training + case.held_out))
    more = float(f"{share:.2g}")
    why = "so that it can be told from a discriminator that is merely good"
    return [option("data.held_out", more, why)] if case.setting("data.held_out", 0.1) < more else []


def _more_images(case: Case) -> list[str]:
    return [
        *augment(case),
        "more images: twice as many help more than any setting (the same places, people or things, photographed anew)",
        "--from RUN --set freeze.discriminator=4 (start from a run on many similar images, whose first layers stay)",
    ]


def _against_overfitting(case: Case) -> list[str]:
    anchored = {"kind": "lecam", "weight": 0.3 if case.loss == "hinge" else 0.01}
    why = "ties the logits of reals and fakes together"
    lecam = penalties_with(case, anchored, why) if facts_of(case).absolute else []
    first, *rest = _more_images(case)
    return [first, *lecam, *rest]


def _against_copies(case: Case) -> list[str]:
    best = "stop earlier: pictures of earlier checkpoints copy less (steadygan evaluate RUN --metrics memorised)"
    return [*_more_images(case), best]


def _against_leaks(case: Case) -> list[str]:
    augmented, now = case.setting("show.kind", "") in ("diff_augment", "ada"), case.setting("show.probability")
    often = augmented and not (isinstance(now, int | float) and now <= _MILD)
    milder = [option("show.probability", _MILD, "below 0.8 nothing leaks in practice")] if often else []
    cut = case.setting("show.cutout", False)
    whole = [option("show.cutout", False, "no holes in what the discriminator sees")] if cut else []
    return [*milder, *whole, option("show", "as_is", "with some thousand images augmentation may not be needed")]


_ADA = "Karras et al. (2020), Training Generative Adversarial Networks with Limited Data, arXiv:2006.06676"

FEWNESS: tuple[Rule, ...] = (
    Rule(
        id="d-overfits",
        severity="warning",
        says="the discriminator learns the training images by heart",
        causes="too few images for so long a training; no augmentation; a discriminator too large for the images",
        judge=_overfits,
        remedies=_against_overfitting,
        source=f"{_ADA}, equation 1 and figure 1",
        unless="the held-out images are of another kind than the training images",
        leads_to=("past-best", "memorises", "mostly-copies", "discriminator-too-strong"),
    ),
    Rule(
        id="d-sure-of-reals",
        severity="info",
        says="the discriminator is ever surer of images that it has seen many times",
        causes="too few images for so long a training; or a generator that still lags behind",
        judge=_sure,
        remedies=lambda case: [*_hold_out(case), *_more_images(case)],
        source=f"{_ADA}, section 3.1",
        unless="the pictures are still bad: then any discriminator is sure of the reals",
        leads_to=("memorises", "mostly-copies"),
    ),
    Rule(
        id="memorises",
        severity="warning",
        says="the generator begins to copy training images",
        causes="too few images for so long a training; duplicates among the images; augmentation too weak",
        judge=partial(_copying, many_copies),
        remedies=_against_copies,
        source="Meehan et al. (2020), A Non-Parametric Test to Detect Data-Copying, arXiv:2004.05675",
        unless="duplicates of training images were held out, or all images are nearly the same",
        picture="progress.gif",
    ),
    Rule(
        id="mostly-copies",
        severity="serious",
        says="half of the pictures are copies of training images",
        causes="too few images for so long a training; the run went on long after its pictures were good",
        judge=partial(_copying, lambda case: _MOSTLY_COPIES),
        remedies=_against_copies,
        source="Meehan et al. (2020), A Non-Parametric Test to Detect Data-Copying, arXiv:2004.05675",
        unless="copies are what is wanted, as of textures with few elements",
        picture="progress.gif",
        leads_to=("memorises",),
    ),
    Rule(
        id="augmentation-leaks",
        severity="warning",
        says="the generator makes augmented pictures",
        causes="augmentation of nearly every image, so that the unaugmented ones are not the most frequent any more",
        judge=_leaks,
        remedies=_against_leaks,
        source=f"{_ADA}, section 2.2",
        unless="the images themselves come in all these positions and colours",
        leads_to=("colours-off", "contrast-off"),
    ),
)
