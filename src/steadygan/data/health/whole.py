"""What is the matter with a set as a whole: how many, how even, how often the same, how much detail."""

from __future__ import annotations

from statistics import median

from steadygan.data.health.findings import Remark, Seen, Severity, copies, graded, plural
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
    how = f"{plural(number, 'image is', 'images are')} {'very ' if very else ''}few"
    sentence = f"{how}: the discriminator can learn them by heart"
    remedy = "add images if you can; else use augmentation and stop early, when the scores turn"
    severity: Severity = "warning" if very else "info"
    return Remark(check="few", severity=severity, sentence=sentence, remedy=remedy, count=number)


def classes(seen: Seen) -> Remark | None:
    """Classes with far fewer images than the others."""
    labels = seen.labels
    usual = median(labels.values()) if len(labels) > 1 else 0
    tiny = {name: number for name, number in sorted(labels.items()) if number < _TINY * usual}
    named = ", ".join(f"'{name}' {number:,}" for name, number in list(tiny.items())[:5])
    more = f" and {len(tiny) - 5} more" if len(tiny) > 5 else ""
    number = plural(len(tiny), "class is", "classes are")
    sentence = f"{number} tiny beside the others, which have {usual:,.0f} images (median): {named}{more}"
    remedy = "add images to them or leave them out: a network that draws by class draws these badly"
    where = [index for index, entry in enumerate(seen.entries) if entry.label in tiny]
    return seen.remark("classes", sentence, remedy, where, severity="warning")


def thin(seen: Seen) -> Remark | None:
    """Classes that all have few images."""
    usual = median(seen.labels.values() or [_THIN])
    if usual >= _THIN:
        return None
    sentence = f"{plural(len(seen.labels), 'class has', 'classes have')} {usual:.3g} images (median)"
    remedy = "--labels none makes a set without classes: there is little to learn from so few of each"
    return Remark(check="thin-classes", severity="warning", sentence=sentence, remedy=remedy, count=len(seen))


def enlarged(seen: Seen) -> Remark | None:
    """Files with fewer pixels than they are given."""
    where = [index for index, entry in enumerate(seen.entries) if entry.enlarged]
    are = "is" if len(where) == 1 else "are"
    number = f"{len(where):,} of {plural(len(seen), 'image')}"
    sentence = f"{number} {are} smaller than {seen.size} pixels and enlarged, which blurs"
    remedy = "choose a smaller --size, or take them out"
    return seen.remark("enlarged", sentence, remedy, where, caption=seen.size_of)


def dark(seen: Seen) -> Remark | None:
    """Pictures that are nearly black because others of the set need at least 4 bits more."""
    bits = [entry.needed for entry in seen.entries]
    most = max(seen.entries, key=lambda entry: entry.needed)
    where = [index for index, needed in enumerate(bits) if 0 < needed <= most.needed - _FAR]
    number, scale = f"{len(where):,} of {plural(len(seen), 'image')}", f"{most.needed} bits that {most.file} needs"
    sentence = f"{number} need few bits and are nearly black on the scale of {scale}"
    remedy = "prepare them by themselves"
    return seen.remark("dark", sentence, remedy, where, severity="warning", caption=lambda at: f"needs {bits[at]} bits")


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
    number = f"{len(where):,} of {len(seen.factors):,} files looked at closely hold less detail than pixels"
    sentence = f"{number}, as after enlarging: detail for about {usual:.0f} pixels a side (median); {harm}"
    grave = graded(len(short), len(seen.factors), _SHARE_ENLARGED) if short else "info"
    told = {index: f"detail for {sides[index]:.0f} of {min(seen.entries[index].size)}" for index in where}
    where.sort(key=lambda index: (sides[index], index))
    return seen.remark("detail", sentence, remedy, where, severity=grave, caption=told.__getitem__)


def exact(seen: Seen) -> Remark | None:
    """Images with the same pixels."""
    groups = seen.duplicates.exact
    number = copies(groups)
    same_bytes = sum(len(group) - len({seen.entries[at].digest for at in group}) for group in groups)
    bytes_too = {0: ", though not of the same bytes", number: ", byte for byte"}
    tail = bytes_too.get(same_bytes, f", {same_bytes:,} of them byte for byte")
    remedy = "--duplicates remove leaves out files with the same bytes" if same_bytes else ""
    rest = "delete the others by hand" if same_bytes < number else ""
    sentence = f"{plural(number, 'image is a copy of another', 'images are copies of others')} in all pixels{tail}"
    remedy = "; ".join(part for part in (remedy, rest) if part) + "; what is there twice counts twice in training"
    return seen.remark("exact-duplicates", sentence, remedy, groups=groups)


def near(seen: Seen) -> Remark | None:
    """Images that show the same picture, saved, scaled, lit or cropped a little differently."""
    groups = seen.duplicates.near
    least = "" if seen.duplicates.complete else "at least "
    number = f"{least}{plural(copies(groups), 'image is', 'images are')}"
    alike = f"{number} nearly the same as another, in {plural(len(groups), 'group')}"
    sentence = f"{alike}: saved, scaled, lit or cropped a little differently"
    remedy = "keep one of each group, unless the small differences are what you want to learn"
    return seen.remark("near-duplicates", sentence, remedy, groups=groups)


def mirrored(seen: Seen) -> Remark | None:
    """Images that are the mirror image of another."""
    groups = seen.duplicates.mirrored
    sentence = f"{plural(copies(groups), 'image is', 'images are')} nearly the mirror image of another"
    remedy = "harmless where left and right do not matter; keep one of each if the set was meant to have no copies"
    return seen.remark("mirrored", sentence, remedy, severity="info", groups=groups)


def labels(seen: Seen) -> Remark | None:
    """The same picture with different labels."""
    families = joined(seen.duplicates.exact + seen.duplicates.near)
    groups = tuple(group for group in families if len({seen.entries[index].label for index in group}) > 1)
    by_label = {seen.entries[at].label: seen.entries[at].file for at in reversed(groups[0])} if groups else {}
    named = ", ".join(f"{file} ('{label}')" for label, file in list(by_label.items())[::-1][:3])
    number = plural(len(groups), "picture is there", "pictures are there")
    sentence = f"{number} more than once under different labels: {named}"
    remedy = "keep each under the label that is right"
    severity = graded(len(groups), len(seen), warning=0, serious=0.01)
    return seen.remark("labels", sentence, remedy, severity=severity, groups=groups, count=len(groups))
