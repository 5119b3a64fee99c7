"""Mode collapse: the generator's pictures become few, or one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from steadygan.doctor.case import SCORES, SIGNALS, Case
from steadygan.doctor.losses import facts_of
from steadygan.doctor.progress import grown, lately, medians, progress
from steadygan.doctor.remedies import dcgan_choice, gradient_penalty, rates, relativistic, steady
from steadygan.doctor.rule import Rule
from steadygan.doctor.trends import RECENT, lived, used

# How far pictures are from as diverse as reals (0) to a single one (1), in a full and in a partial collapse. Odena et
# al. (2017), section 4.2, count classes whose pictures are more alike (MS-SSIM) than reals as collapsed. Blurred
# pictures of a young or small generator stand at some tenths, copies of one at 1.
LIMITS = {"diversity": (0.75, 0.4), "rank": (0.8, 0.55), "twins": (0.9, 0.5), "ms_ssim": (0.8, 0.5)}
PALE = 0.5  # of the reals' contrast: below, pictures are near each other however they differ
SIGNS = 2  # must agree: each alone has another cause too, a low contrast for diversity, a blur for likeness

HAD = 0.5  # of the reals' diversity: pictures that had so much were no longer those of an untrained generator
FORGIVEN = 0.3  # of the budget, until which pictures that get better may be few
FALLEN = 0.75  # of the run's own most diverse: well below what a set of 64 pictures varies by

# Of losses alone: for this share of the whole run D's loss kept within this factor, then fell by that one within this
# share. A discriminator that is strong from early on has no such level, one that becomes strong takes its time.
PLATEAU, WITHIN, DROP, AT_ONCE = 0.15, 2.0, 8.0, 0.03
ABOVE_NOTHING, NOTHING = 0.03, 0.02  # of what knowing nothing costs, or of an unknown loss: a level below is none
LINES, SIDED = 20, 2.0  # lines to tell a level from a slope; times G's loss then is what it was, if the kind is unknown


def _signs(case: Case) -> Iterator[tuple[str, float, str]]:
    """Each measure that is there: its name, how far it is from that of reals to that of one picture, and both."""
    contrast, of_reals = lately(case["signals.contrast"]), lately(case["signals.contrast_real"])
    share = min(1.0, contrast / of_reals) if contrast > 0 and of_reals > 0 else 1.0
    shares = {"diversity": share, "rank": 1.0}
    for name, called in (("diversity", "their mean distance"), ("rank", "their effective rank")):
        ours, reals = lately(case[f"signals.{name}"]), lately(case[f"signals.{name}_real"])
        if math.isfinite(ours) and reals > 0:
            yield name, 1 - ours / reals / shares[name], f"{called} is {ours:.3g}, of as many reals {reals:.3g}"
    twins = lately(case["signals.twins"])
    if math.isfinite(twins) and share >= PALE:
        yield "twins", twins, f"{twins:.0%} of them have a twin, of reals 1%"
    ours, reals = lately(case["signals.ms_ssim"]), lately(case["signals.ms_ssim_real"])
    if math.isfinite(ours) and reals < 1:
        yield "ms_ssim", (ours - reals) / (1 - reals), f"their likeness (MS-SSIM) is {ours:.2f}, of reals {reals:.2f}"


def _few(case: Case, partly: bool) -> str | None:
    signs = list(_signs(case))
    seen = [text for name, fewer, text in signs if fewer >= LIMITS[name][partly]]
    return ", ".join(seen) if seen and len(seen) >= min(SIGNS, len(signs)) else None


def _best(case: Case, name: str) -> float:
    """The most that the pictures had of something, as a share of the reals', but for single lines; 0 if unknown."""
    ours, reals = case[f"signals.{name}"].finite().values, lately(case[f"signals.{name}_real"])
    return float(medians(ours).max() / reals) if len(ours) >= RECENT and reals > 0 else 0.0


def _expected(case: Case) -> bool:
    """Whether pictures can be expected to differ: they did, or there was time, and they are not getting better."""
    if _best(case, "diversity") >= HAD:
        return True
    now = progress(case)
    return grown(case) and (not now or now.stalled or lived(case) >= FORGIVEN)


def _full(case: Case) -> str | None:
    found = _few(case, partly=False)
    return f"of fixed latents' pictures {found}" if found and _expected(case) else None


def _partial(case: Case) -> str | None:
    found, now = _few(case, partly=True), progress(case)
    if not found or _few(case, partly=False) or not _expected(case) or (now and not now.stalled):
        return None
    fell = [name for name in ("diversity", "rank") if lately(case[f"signals.{name}"]) <= FALLEN * _most(case, name)]
    if not fell and not lived(case) >= FORGIVEN:
        return None
    since = f"; {fell[0]} was {_most(case, fell[0]):.3g} before" if fell else ""
    return f"of fixed latents' pictures {found}{since}" + (f"; {now}" if now else "")


def _most(case: Case, name: str) -> float:
    return _best(case, name) * lately(case[f"signals.{name}_real"])


def _from_losses(case: Case) -> str | None:
    """A log that shows no pictures: D's loss kept its level for long, then fell at once and stayed there."""
    loss, facts = case["loss_d"].finite(), facts_of(case)
    shown = any(name.startswith((SIGNALS, SCORES)) for name in case.series.keys() - {f"{SIGNALS}augment"})
    alone = used(case) > 0 and not shown
    if not alone or len(loss) < LINES or loss.values.min() < 0 or (case.loss and not facts.bounded):
        return None
    whole = len(loss) / min(used(case), 1)
    third, gap = max(2, int(PLATEAU * whole / 3)), max(2, int(AT_ONCE * whole))
    ends = np.arange(3 * third, len(loss) - gap - max(2 * RECENT, third) + 1)
    if not len(ends):
        return None
    levels = _of_each(loss.values, third)  # the line at which each begins
    # The most of all that is after a line, but for single lines.
    most_after = np.maximum.accumulate(_of_each(loss.values, max(RECENT, len(loss) // 100))[::-1])[::-1]
    level = np.stack([levels[ends - part * third] for part in (3, 2, 1)])
    least, most, since = level.min(axis=0), level.max(axis=0), most_after[ends + gap]
    worth = least >= (ABOVE_NOTHING * facts.blind_d if facts.bounded else NOTHING)
    for place in np.flatnonzero(worth & (most <= WITHIN * least) & (since * DROP <= least)):
        at = loss.images[ends[place] - 1]
        before, after = (lately(series) for series in (case["loss_g"].until(at), case["loss_g"].since(at)))
        if facts.bounded or abs(after) >= SIDED * abs(before):
            return (
                f"the discriminator's loss kept near {level[:, place].mean():.3g} for {PLATEAU:.0%} of the run, then "
                f"fell to {since[place]:.3g} or less and stayed there"
                + (f"; the generator's went from {before:.3g} to {after:.3g}" if math.isfinite(before + after) else "")
            )
    return None


def _of_each(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The median of each so many values in turn."""
    found: NDArray[np.float64] = np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=1)
    return found


def _remedies(case: Case) -> Sequence[str]:
    return [
        *gradient_penalty(case, "a discriminator that is smooth about the reals gives no reason to flee to one mode"),
        *relativistic(case, "each fake is held against a real, so one mode is not enough"),
        *dcgan_choice(case, "minibatch", "stddev", "the discriminator sees that the pictures of a batch are alike"),
        rates(case, 0.5, "both players follow each other more closely"),
        *steady(case),
    ]


_CAUSES = (
    "a discriminator without a gradient penalty, learning rates too high, a discriminator too strong or too weak, or a "
    "loss that does not hold fakes against reals"
)
_UNLESS = (
    "the images themselves are nearly all alike; go back to the best checkpoint first, for a collapse rarely heals"
)

COLLAPSE: tuple[Rule, ...] = (
    Rule(
        id="mode-collapse",
        severity="serious",
        says="the generator makes one picture, or a few, whatever the latent",
        causes=_CAUSES,
        judge=_full,
        remedies=_remedies,
        source="Goodfellow (2016), arXiv:1701.00160, section 5.1.1; Odena et al. (2017), arXiv:1610.09585, section 4.2",
        unless=_UNLESS,
        picture="samples",
        leads_to=("partial-collapse", "oscillation"),
    ),
    Rule(
        id="partial-collapse",
        severity="warning",
        says="the generator's pictures are far less diverse than the images",
        causes=_CAUSES + "; or a generator that is too small",
        judge=_partial,
        remedies=_remedies,
        source="Srivastava et al. (2017), arXiv:1705.07761, section 2; Odena et al. (2017), arXiv:1610.09585",
        unless=_UNLESS,
        picture="samples",
    ),
    Rule(
        id="losses-left-their-level",
        severity="warning",
        says="the losses left a level that they had kept for long, as when a generator collapses",
        causes=_CAUSES,
        judge=_from_losses,
        remedies=_remedies,
        source="Kang et al. (2023), StudioGAN, arXiv:2206.09479: in their published logs such a fall went with a "
        "doubled FID, while a discriminator's loss near 0 from early on did not",
        unless="a setting was changed at that moment, or the pictures, which this log does not show, are as good",
        picture="curves.png",
    ),
)
