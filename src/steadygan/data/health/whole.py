"""What is the matter with a set as a whole: how many, how even, how often the same, how much detail."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from statistics import median

from steadygan.data.health.findings import Remark, Seen, copies, graded, plural
from steadygan.data.indices import joined

FEW, ENOUGH = 100, 1000
ENLARGED = 0.75
"""Share of the pixels that carry detail, below which a picture counts as enlarged."""

_TINY = 0.1
_THIN = 10
_SHARE_ENLARGED = 0.02
_FAR = 4  # bits


def few(seen: Seen) -> Remark | None:
    """Too few images to train on without precautions."""
    number, very = len(seen), len(seen) < FEW
    if number >= ENOUGH:
        return None
    return Remark(
        check="few",
        severity="warning" if very else "info",
        sentence=f"{plural(number, 'image is', 'images are')} {'very ' if very else ''}few: "
        "the discriminator can learn them by heart",
        remedy="add images if you can; else use augmentation and stop early, when the scores turn",
        count=number,
    )


def classes(seen: Seen) -> Remark | None:
    """Classes with far fewer images than the others."""
    labels = Counter(entry.label for entry in seen.entries if entry.label is not None)
    usual = median(labels.values()) if len(labels) > 1 else 0
    tiny = {name: number for name, number in sorted(labels.items()) if number < _TINY * usual}
    named = ", ".join(f"'{name}' {number:,}" for name, number in list(tiny.items())[:5])
    more = f" and {len(tiny) - 5} more" if len(tiny) > 5 else ""
    return seen.remark(
        check="classes",
        severity="warning",
        sentence=f"{plural(len(tiny), 'class is', 'classes are')} tiny beside the others, which have {usual:,.0f} "
        f"images (median): {named}{more}",
        remedy="add images to them or leave them out: a network that draws by class draws these badly",
        where=[index for index, entry in enumerate(seen.entries) if entry.label in tiny],
    )


def thin(seen: Seen) -> Remark | None:
    """Classes that all have few images."""
    labels = Counter(entry.label for entry in seen.entries if entry.label is not None)
    if not labels or median(labels.values()) >= _THIN:
        return None
    return Remark(
        check="thin-classes",
        severity="warning",
        sentence=f"{plural(len(labels), 'class has', 'classes have')} {median(labels.values()):.3g} images (median)",
        remedy="--labels none makes a set without classes: there is little to learn from so few of each",
        count=len(seen),
    )


def enlarged(seen: Seen) -> Remark | None:
    """Files with fewer pixels than they are given."""
    where = [index for index, entry in enumerate(seen.entries) if entry.enlarged]
    return seen.remark(
        check="enlarged",
        severity=graded(len(where), len(seen)),
        sentence=f"{len(where):,} of {plural(len(seen), 'image')} {'is' if len(where) == 1 else 'are'} smaller than "
        f"{seen.size} pixels and enlarged, which blurs",
        remedy="choose a smaller --size, or take them out",
        where=where,
        caption=seen.size_of,
    )


def dark(seen: Seen) -> Remark | None:
    """Pictures that are nearly black because others of the set need at least 4 bits more."""
    most = max(seen.entries, key=lambda entry: entry.needed)
    where = [index for index, entry in enumerate(seen.entries) if 0 < entry.needed <= most.needed - _FAR]
    return seen.remark(
        check="dark",
        severity="warning",
        sentence=f"{len(where):,} of {plural(len(seen), 'image')} need few bits and "
        f"are nearly black on the scale of {most.needed} bits that {most.file} needs",
        remedy="prepare them by themselves",
        where=where,
        caption=lambda index: f"needs {seen.entries[index].needed} bits",
    )


def detail(seen: Seen) -> Remark | None:
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
        power_of_two = 2 ** (max(1, int(usual)).bit_length() - 1)
        remedy = f"use the originals if there are any, or a --size of at most {power_of_two}"
    return seen.remark(
        check="detail",
        severity=graded(len(short), len(seen.factors), _SHARE_ENLARGED) if short else "info",
        sentence=f"{len(where):,} of {len(seen.factors):,} files looked at closely hold less detail than pixels, as "
        f"after enlarging: detail for about {usual:.0f} pixels a side (median); {harm}",
        remedy=remedy,
        where=sorted(where, key=lambda index: (sides[index], index)),
        caption=lambda index: f"detail for {sides[index]:.0f} of {min(seen.entries[index].size)}",
    )


def exact(seen: Seen) -> Remark | None:
    """Images with the same pixels."""
    groups = seen.duplicates.exact
    number = copies(groups)
    same_bytes = sum(len(group) - len({seen.entries[at].digest for at in group}) for group in groups)
    bytes_too = {0: ", though not of the same bytes", number: ", byte for byte"}
    tail = bytes_too.get(same_bytes, f", {same_bytes:,} of them byte for byte")
    remedy = "--duplicates remove leaves out files with the same bytes" if same_bytes else ""
    rest = "delete the others by hand" if same_bytes < number else ""
    return seen.remark(
        check="exact-duplicates",
        severity=graded(number, len(seen)),
        sentence=f"{plural(number, 'image is a copy of another', 'images are copies of others')} in all pixels{tail}",
        remedy="; ".join(part for part in (remedy, rest) if part) + "; what is there twice counts twice in training",
        where=chain.from_iterable(groups),
        groups=groups,
    )


def near(seen: Seen) -> Remark | None:
    """Images that show the same picture, saved, scaled, lit or cropped a little differently."""
    groups = seen.duplicates.near
    least = "" if seen.duplicates.complete else "at least "
    return seen.remark(
        check="near-duplicates",
        severity=graded(copies(groups), len(seen)),
        sentence=f"{least}{plural(copies(groups), 'image is', 'images are')} nearly the same as another, in "
        f"{plural(len(groups), 'group')}: saved, scaled, lit or cropped a little differently",
        remedy="keep one of each group, unless the small differences are what you want to learn",
        where=chain.from_iterable(groups),
        groups=groups,
    )


def mirrored(seen: Seen) -> Remark | None:
    """Images that are the mirror image of another."""
    groups = seen.duplicates.mirrored
    return seen.remark(
        check="mirrored",
        severity="info",
        sentence=f"{plural(copies(groups), 'image is', 'images are')} nearly the mirror image of another",
        remedy="harmless where left and right do not matter; keep one of each if the set was meant to have no copies",
        where=chain.from_iterable(groups),
        groups=groups,
    )


def labels(seen: Seen) -> Remark | None:
    """The same picture with different labels."""
    families = joined(seen.duplicates.exact + seen.duplicates.near)
    groups = tuple(group for group in families if len({seen.entries[index].label for index in group}) > 1)
    by_label = {seen.entries[at].label: seen.entries[at].file for at in reversed(groups[0])} if groups else {}
    named = ", ".join(f"{file} ('{label}')" for label, file in list(by_label.items())[::-1][:3])
    return seen.remark(
        check="labels",
        severity=graded(len(groups), len(seen), warning=0, serious=0.01),
        sentence=f"{plural(len(groups), 'picture is there', 'pictures are there')} more than once under different "
        f"labels: {named}",
        remedy="keep each under the label that is right",
        where=chain.from_iterable(groups),
        groups=groups,
        count=len(groups),
    )
