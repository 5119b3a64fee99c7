"""What is the matter with a set as a whole: how many, how even, how often the same, how much detail."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from statistics import median

from steadygan.data.health.duplicates import joined_groups
from steadygan.data.health.findings import EXAMPLES, LISTED, Finding, Seen, graded, plural

FEW, ENOUGH = 100, 1000
ENLARGED = 0.75
"""Share of the pixels that carry detail, below which a picture counts as enlarged."""

_TINY = 0.1
_SHARE_ENLARGED = 0.02


def few(seen: Seen) -> Finding | None:
    """Too few images to train on without precautions."""
    if len(seen) >= ENOUGH:
        return None
    return seen.finding(
        check="few",
        severity="warning" if len(seen) < FEW else "info",
        sentence=f"{plural(len(seen), 'image is', 'images are')} {'very few' if len(seen) < FEW else 'few'}: "
        "the discriminator can learn them by heart",
        remedy="add images if you can; else use augmentation and stop early, when the scores turn",
        count=len(seen),
    )


def classes(seen: Seen) -> Finding | None:
    """Classes with far fewer images than the others."""
    labels = Counter(entry.label for entry in seen.entries if entry.label is not None)
    if len(labels) < 2:
        return None
    usual = median(labels.values())
    tiny = {name: number for name, number in sorted(labels.items()) if number < _TINY * usual}
    if not tiny:
        return None
    named = ", ".join(f"'{name}' {number:,}" for name, number in list(tiny.items())[:5])
    more = f" and {len(tiny) - 5} more" if len(tiny) > 5 else ""
    where = [index for index, entry in enumerate(seen.entries) if entry.label in tiny]
    return seen.finding(
        check="classes",
        severity="warning",
        sentence=f"{plural(len(tiny), 'class is', 'classes are')} tiny beside the others, which have {usual:,.0f} "
        f"images (median): {named}{more}",
        remedy="add images to them or leave them out: a network that draws by class draws these badly",
        where=where,
    )


def enlarged(seen: Seen) -> Finding | None:
    """Files with fewer pixels than they are given."""
    where = [index for index, entry in enumerate(seen.entries) if entry.enlarged]
    if not where:
        return None
    return seen.finding(
        check="enlarged",
        severity=graded(len(where), len(seen)),
        sentence=f"{len(where):,} of {plural(len(seen), 'image')} {'is' if len(where) == 1 else 'are'} smaller than "
        f"{seen.size} pixels and enlarged, which blurs",
        remedy="choose a smaller --size, or take them out",
        captions=tuple("{}×{}".format(*seen.entries[at].size) for at in where[:EXAMPLES]),
        where=where,
    )


def detail(seen: Seen) -> Finding | None:
    """Files with more pixels than detail."""
    where = [index for index, factor in seen.factors.items() if factor < ENLARGED]
    if len(where) < max(1, _SHARE_ENLARGED * len(seen.factors)):
        return None
    sides = {index: seen.factors[index] * min(seen.entries[index].size) for index in where}
    short = [index for index in where if sides[index] < seen.size]
    usual = median(sides.values())
    harm, remedy = f"at {seen.size} pixels that does no harm", "a larger --size would show no more detail in these"
    if short:
        harm = f"{len(short):,} of them hold less than the {seen.size} pixels they are given"
        remedy = "use the originals if there are any, or take them out"
    if len(short) > len(seen.factors) / 2:
        remedy = f"use the originals if there are any, or a --size of at most {_power_of_two(usual)}"
    shown = sorted(where, key=lambda index: (sides[index], index))
    return seen.finding(
        check="detail",
        severity=graded(len(short), len(seen.factors), _SHARE_ENLARGED) if short else "info",
        sentence=f"{len(where):,} of {len(seen.factors):,} files looked at closely hold less detail than pixels, as "
        f"after enlarging: detail for about {usual:.0f} pixels a side (median); {harm}",
        remedy=remedy,
        captions=tuple(
            f"detail for {sides[index]:.0f} of {min(seen.entries[index].size)}" for index in shown[:EXAMPLES]
        ),
        where=shown,
    )


def exact(seen: Seen) -> Finding | None:
    """Images with the same pixels."""
    groups = seen.duplicates.exact
    if not groups:
        return None
    copies = sum(len(group) - 1 for group in groups)
    same_bytes = sum(len(group) - len({seen.entries[at].digest for at in group}) for group in groups)
    bytes_too = {0: ", though not of the same bytes", copies: ", byte for byte"}
    tail = bytes_too.get(same_bytes, f", {same_bytes:,} of them byte for byte")
    remedy = "--duplicates remove leaves out files with the same bytes" if same_bytes else ""
    rest = "delete the others by hand" if same_bytes < copies else ""
    return seen.finding(
        check="exact-duplicates",
        severity=graded(copies, len(seen)),
        sentence=f"{plural(copies, 'image is a copy of another', 'images are copies of others')} in all pixels{tail}",
        remedy="; ".join(part for part in (remedy, rest) if part) + "; what is there twice counts twice in training",
        count=copies,
        groups=groups[:LISTED],
        where=chain.from_iterable(groups),
    )


def near(seen: Seen) -> Finding | None:
    """Images that show the same picture, saved, scaled, lit or cropped a little differently."""
    groups = seen.duplicates.near
    if not groups:
        return None
    copies = sum(len(group) - 1 for group in groups)
    least = "" if seen.duplicates.complete else "at least "
    return seen.finding(
        check="near-duplicates",
        severity=graded(copies, len(seen)),
        sentence=f"{least}{plural(copies, 'image is', 'images are')} nearly the same as another, in "
        f"{plural(len(groups), 'group')}: saved, scaled, lit or cropped a little differently",
        remedy="keep one of each group, unless the small differences are what you want to learn",
        count=copies,
        groups=groups[:LISTED],
        where=chain.from_iterable(groups),
    )


def mirrored(seen: Seen) -> Finding | None:
    """Images that are the mirror image of another."""
    groups = seen.duplicates.mirrored
    if not groups:
        return None
    count = sum(len(group) - 1 for group in groups)
    return seen.finding(
        check="mirrored",
        severity="info",
        sentence=f"{plural(count, 'image is', 'images are')} nearly the mirror image of another",
        remedy="harmless where left and right do not matter; keep one of each if the set was meant to have no copies",
        count=count,
        groups=groups[:LISTED],
        where=chain.from_iterable(groups),
    )


def labels(seen: Seen) -> Finding | None:
    """The same picture with different labels."""
    groups = tuple(
        group
        for group in joined_groups(seen.duplicates.exact, seen.duplicates.near)
        if len({seen.entries[index].label for index in group}) > 1
    )
    if not groups:
        return None
    by_label = {seen.entries[index].label: seen.entries[index].file for index in reversed(groups[0])}
    named = ", ".join(f"{file} ('{label}')" for label, file in list(by_label.items())[::-1][:3])
    return seen.finding(
        check="labels",
        severity=graded(len(groups), len(seen), warning=0, serious=0.01),
        sentence=f"{plural(len(groups), 'picture is there', 'pictures are there')} more than once under different "
        f"labels: {named}",
        remedy="keep each under the label that is right",
        count=len(groups),
        groups=groups[:LISTED],
        where=chain.from_iterable(groups),
    )


def _power_of_two(number: float) -> int:
    """The greatest power of two that is not greater, at least 1."""
    power = 1
    while power * 2 <= number:
        power *= 2
    return power
