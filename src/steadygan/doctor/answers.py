"""What people ask most of a run, each answered in a line from its own numbers, or with what is missing to answer it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from steadygan.doctor.budget import Tail, duration, past_best, tail
from steadygan.doctor.case import Case, Series
from steadygan.doctor.fewness import copies, many_copies, nearer, overfitting
from steadygan.doctor.losses import facts_of
from steadygan.doctor.progress import grown
from steadygan.doctor.rules import RULES
from steadygan.doctor.trends import RECENT, quality
from steadygan.records import nearly_lowest

_QUARTER = 4  # the part of a run that counts as now
_SURE = 0.1  # of the loss of a discriminator that knows nothing: less is one that is sure of nearly everything
_BLIND = 0.02  # within which it is one that knows nothing
_LEFT = ("divergence", "losses-left-their-level")  # rules that see in losses alone that something happened
_ABOVE = 1.5  # times it: worse than knowing nothing
_FURTHEST = 3.0  # times the images so far, beyond which no trend is believed
_SOME = 0.5  # of the copies that are no chance any more
_FALLEN = 0.25  # of the way from reals to fakes, how far held-out images lie
UNTOLD = "it cannot be told"
"""How an answer begins that says what is missing."""
_NO_SIGNALS = "no signals were written in this run"
_JUDGES = {rule.id: rule.judge for rule in RULES}


@dataclass(frozen=True)
class Reply:
    """A question about a run and its answer in one line."""

    question: str
    text: str


def answers(case: Case) -> list[Reply]:
    """All questions, in the order in which they are asked."""
    return [Reply(question, answer(case)) for question, answer in QUESTIONS.items()]


def loss_is_normal(case: Case) -> str:
    """By what is known of the loss: where it lies now, and where a discriminator that knows nothing would lie."""
    d, g, facts = _lately(case["loss_d"]), _lately(case["loss_g"]), facts_of(case)
    if not len(d) and not len(g):
        return "there is no loss to look at; name its columns with --column loss_d=NAME --column loss_g=NAME"
    if not len(d):
        return f"G's loss is {g.last:.3g}, D's is not there; {facts.normal}"
    now = _middle(d)
    said = f"D's loss is {_range(d)} in the last quarter, G's {_range(g)}"
    if len(d.finite()) < len(d) or len(g.finite()) < len(g):
        return f"no, it is not finite any more; {said}"
    if facts.bounded and now < 0:
        return f"no: below 0, where a {case.loss} loss cannot be; is it another kind, or another column? {said}"
    told = (_JUDGES[rule](case) for rule in _LEFT)
    wrong = next(filter(None, told), None)
    if now > _ABOVE * facts.blind_d:
        wrong = wrong or f"D pays more than if it knew nothing ({facts.blind_d:.3g}), unless other terms are in it"
    if wrong:
        return f"no: {wrong}; {said}"
    blind = abs(now - facts.blind_d) < _BLIND * facts.blind_d
    known = "D knows hardly more than nothing" if blind else "yes, as far as losses tell" if case.loss else "unknown"
    return f"{known}: {said}; {facts.normal}"


def d_is_too_strong(case: Case) -> str:
    """By the rule for it; else by its share of the loss of one that knows nothing, and whether pictures get better."""
    if evidence := _JUDGES["discriminator-too-strong"](case):
        return f"yes: {evidence}"
    blind, now = facts_of(case).blind_d, _middle(_lately(case["loss_d"]))
    right = {name: _middle(_lately(case[f"accuracy_{name}"])) for name in ("real", "fake")}
    if facts_of(case).absolute and math.isfinite(right["real"] + right["fake"]):
        sure, said = min(right.values()) > 0.95, f"it judges {right['real']:.0%} of reals and {right['fake']:.0%} of "
        said += "pictures rightly"
    elif now / blind < math.inf:
        sure, said = now < _SURE * blind, f"its loss is {now:.3g}, {now / blind:.0%} of that of one that knows nothing"
    else:
        return _apart(case)
    if not sure:
        return f"no: {said}"
    found = tail(case)
    if found is None:
        return f"perhaps: {said}; whether the pictures still get better, which would be well, was not measured"
    return f"{'no' if found.improves else 'perhaps'}: {said}, and {found}"


def _apart(case: Case) -> str:
    """Where neither loss nor accuracy says anything: how far it holds reals and fakes apart."""
    real, fake = case["d_real"].finite(), case["d_fake"].finite()
    if len(real) != len(fake) or len(real) < 2 * _QUARTER:
        return "it cannot be told: neither its logits of reals and fakes nor a loss of a known kind was written"
    apart = Series(real.steps, real.images, real.values - fake.values)
    now, before = _middle(_lately(apart)), float(np.median(apart.values[: len(apart) // _QUARTER]))
    return (
        f"{'no' if now <= before else 'perhaps'}: it holds reals and fakes {now:.3g} apart, at first {before:.3g}; for "
        "this loss a distance that shrinks is health"
    )


def has_collapsed(case: Case) -> str:
    """By the variety of the pictures against that of as many reals."""
    shares = {
        called: _now(case[f"signals.{name}"]) / real
        for name, called in (("diversity", "distance of two pictures"), ("rank", "effective rank of their thumbnails"))
        if (real := _now(case[f"signals.{name}_real"])) > 0
    }
    if not shares:
        return f"it cannot be told, {_NO_SIGNALS}; steadygan evaluate RUN --metrics recall,duplicates measures it"
    signs = {"yes": "mode-collapse", "partly": "partial-collapse"}
    verdict = next((word for word, rule in signs.items() if _JUDGES[rule](case)), "no")
    if verdict == "no" and not grown(case):
        return "it is too early to tell: the pictures are those of a generator that has hardly begun"
    said = ", ".join(f"the {called} is {share:.0%} of the reals'" for called, share in shares.items())
    return f"{verdict}: {said}" + _twins(case)


def _twins(case: Case) -> str:
    share = _now(case["signals.twins"])
    return f", {share:.0%} of the pictures have a twin (of reals 1 %)" if math.isfinite(share) else ""


def best_checkpoint(case: Case) -> str:
    """The last whose picking score is nearly the lowest, as runs choose it; what it beats."""
    picked = case["scores.fd-training"].finite()
    if not len(picked):
        found = quality(case, 1)
        if found is None:
            return "it cannot be told: no score was written; the first comes with the first checkpoint"
        best = int(found.series.values.argmin())
        return f"{found.called} was least, {found.series.values[best]:.3g}, after {found.series.images[best]:,} images"
    best, lowest = nearly_lowest(picked.values)[-1], picked.values.min()
    near = "" if picked.values[best] == lowest else f", the last within a quarter of the lowest, {lowest:.3g}"
    last = "it is the last" if best == len(picked) - 1 else f"the last has {picked.last:.3g}"
    return (
        f"that after {picked.images[best]:,} images, fd-training {picked.values[best]:.3g} of {len(picked)} scored"
        f"{near}, {last}; sample, evaluate and export take it"
    )


def go_on(case: Case) -> str:
    """Where the trend of the last doubling leads in another hour."""
    if past := past_best(case):
        called, images, best, now, *_ = past
        return f"stop: {called} was {best:.3g} after {images:,} images and is {now:.3g} now" + (
            "; the best is kept" if case.config else ""
        )
    found = tail(case)
    if found is None:
        there = quality(case, 1)
        return (
            f"it cannot be told: the pictures were measured {len(there.series) if there else 0}×, and 4 must lie "
            "in the second half; --set checkpoint.every_images=N scores more often"
        )
    verdict = "go on" if found.improves else "it hardly matters" if found.trend.high > 0 > found.trend.low else "stop"
    return f"{verdict}: {found}; {_another_hour(case, found)}"


def _another_hour(case: Case, found: Tail) -> str:
    rate = _rate(case)
    if not rate > 0:
        return "what an hour would bring is unknown, no time was written"
    times = (case.images + 3600 * rate) / case.images
    likely, least, most = (found.now * one for one in found.trend.after(min(times, _FURTHEST)))
    hour = f"another hour, {3600 * rate:,.0f} images at {rate:,.0f} a second,"
    far = f"{hour} is further than a trend reaches; {_FURTHEST:.0f} times the images"
    where = hour if times <= _FURTHEST else far
    return f"{where} would bring it from {found.now:.3g} to {likely:.3g} (95 %: {least:.3g} to {most:.3g})"


def enough_images(case: Case) -> str:
    """By how often each was seen, and by how D judges images that it has not seen."""
    if not case.training:
        return "it cannot be told: how many there are is not known of another program's log"
    seen = f"{case.training:,} images, each seen {case.views:.1f} times"
    fallen = overfitting(case)
    if not len(fallen):
        return f"{seen}; whether D learns them by heart cannot be told without at least 16 held-out images and signals"
    share = _now(fallen)
    verdict = "no" if _JUDGES["d-overfits"](case) else "barely" if share > _FALLEN else "yes, so far"
    return f"{verdict}: {seen}; held-out ones lie {share:.0%} of the way to the fakes in D's eyes (by heart: 100 %)"


def copying(case: Case) -> str:
    """By the share of pictures nearer to a training image than others of the same kind are."""
    found, many = copies(case), many_copies(case)
    if not math.isfinite(found):
        early = "the pictures are not like the reals yet, or were measured too seldom"
        why = early if len(case["signals.copies"]) else _NO_SIGNALS
        return f"it cannot be told, {why}; steadygan evaluate RUN --metrics memorised searches for copies"
    verdict = "yes" if found >= many else "a little" if found > _SOME * many else "no"
    return f"{verdict}: {found:.1%} of the pictures {nearer(case)}"


def larger(case: Case) -> str:
    """By the measured rate: the cost of convolutions grows with the number of pixels where the widths stay."""
    rate, images = _rate(case), case.budget_images or case.images
    if not rate > 0 or case.size < 2:
        return "it cannot be told: the size of the pictures, or the time, was not written"
    this = f"{images:,} images take {duration(images / rate)} at {case.size} pixels, {rate:,.0f} a second as measured"
    guesses = [f"{duration(n * n * images / rate)} at {n * case.size}" for n in (2, 4)]
    return (
        f"{this}; as many about {' and '.join(guesses)}, estimated: convolutions cost as many times more as there are "
        "more pixels, if widths and batch stay; a run measures it in its first seconds"
    )


QUESTIONS: dict[str, Callable[[Case], str]] = {
    "Is this loss curve normal for this loss?": loss_is_normal,
    "Is the discriminator too strong?": d_is_too_strong,
    "Has it collapsed?": has_collapsed,
    "Which checkpoint is best?": best_checkpoint,
    "Go on or stop, and what would another hour bring?": go_on,
    "Are there enough images?": enough_images,
    "Does it copy?": copying,
    "How long would a larger size take?": larger,
}


def _lately(series: Series) -> Series:
    """The last quarter, one value at least."""
    return series.part(len(series) - -(-len(series) // _QUARTER), len(series))


def _middle(series: Series) -> float:
    values = series.finite().values
    return float(np.median(values)) if len(values) else math.nan


def _now(series: Series) -> float:
    return _middle(series.part(max(0, len(series) - RECENT), len(series)))


def _range(series: Series) -> str:
    values = series.finite().values
    none = "no number" if len(series) else "not there"
    return f"{np.median(values):.3g} ({values.min():.3g} to {values.max():.3g})" if len(values) else none


def _rate(case: Case) -> float:
    """Images a second over the whole run, all that it does besides included."""
    seconds = case["seconds"].finite()
    return float(seconds.images[-1] / seconds.last) if len(seconds) and seconds.last > 0 else math.nan
