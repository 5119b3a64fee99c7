"""What a set of images lets one expect, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from steadygan.data.sources.items import Rejection
from steadygan.data.work import Entry

FEW = 100
RGB = 3
MANY_UNUSABLE = 0.05
_FAR = 4


def advice(entries: Sequence[Entry], rejected: Sequence[Rejection], size: int, channels: int) -> tuple[str, ...]:
    """Sentences about a set prepared at `size` pixels.

    What was left out, and whether there are too few images, too small, unusable, mixed or unlabelled ones, or uneven
    classes.
    """
    unusable = sum(not one.left_out for one in rejected)
    found = (
        *meant(entries, rejected),
        _few(len(entries)),
        _small(entries, size),
        _unusable(unusable, unusable + len(entries)),
        _mixed(entries, channels),
        _dark(entries),
        _thin(Counter(entry.label for entry in entries if entry.label is not None)),
    )
    return tuple(sentence for sentence in found if sentence)


def _left_out(rejected: Sequence[Rejection], used: int) -> Iterator[str]:
    """A sentence for each reason why good files are not used."""
    reasons: dict[str, list[str]] = {}
    for one in rejected:
        if one.left_out:
            reasons.setdefault(one.reason, []).append(one.file)
    for reason, files in reasons.items():
        if len(files) == 1:
            yield f"{files[0]} is {reason}"
        else:
            yield f"{len(files)} of {len(files) + used} files, {files[0]} for one, are {reason}"


def meant(entries: Sequence[Entry], rejected: Sequence[Rejection]) -> Iterator[str]:
    """Sentences on what a source was taken for: which good files are left out, and why there are no classes."""
    yield from _left_out(rejected, len(entries))
    if sentence := _unlabelled(entries):
        yield sentence


def _few(number: int) -> str:
    if number >= FEW:
        return ""
    return (
        f"{number} images are very few: the network will learn them by heart. Some 1,000 are a start; "
        "with fewer, use augmentation and stop early"
    )


def _small(entries: Sequence[Entry], size: int) -> str:
    enlarged = sum(entry.enlarged for entry in entries)
    if not enlarged:
        return ""
    return (
        f"{enlarged} of {len(entries)} images are smaller than {size} pixels and are enlarged, which blurs them; "
        "choose a smaller --size, or take them out"
    )


def _unusable(rejected: int, number: int) -> str:
    if rejected <= number * MANY_UNUSABLE:
        return ""
    return f"{rejected} of {number} files cannot be used; rejected.jsonl says why"


def _dark(entries: Sequence[Entry]) -> str:
    """Pictures that are nearly black because others of the set need at least 4 bits more."""
    most = max(entries, key=lambda entry: entry.needed, default=None)
    dark = [entry for entry in entries if most and entry.needed and entry.needed <= most.needed - _FAR]
    if not dark or not most:
        return ""
    needed = max(entry.needed for entry in dark)
    return (
        f"{len(dark)} of {len(entries)} images need only {needed} bits ({dark[0].file} for one) and "
        f"are nearly black on the scale of {most.needed} bits that {most.file} needs; prepare them by themselves"
    )


def _mixed(entries: Sequence[Entry], channels: int) -> str:
    grey = sum(entry.grey for entry in entries)
    if channels != RGB or grey < len(entries) / 2 or grey == len(entries):
        return ""
    return f"{grey} of {len(entries)} images are grey, the others coloured; --channels gray makes them all alike"


def _thin(classes: Counter[str]) -> str:
    if not classes:
        return ""
    name, fewest = min(classes.items(), key=lambda item: (item[1], item[0]))
    average = classes.total() / len(classes)
    if fewest >= average / 10 and average >= 10:
        return ""
    return f"classes are thin or uneven: {len(classes)} classes, {average:.0f} images on average, {fewest} in '{name}'"


def _unlabelled(entries: Sequence[Entry]) -> str:
    without = [entry.file for entry in entries if entry.label is None]
    if not without or len(without) == len(entries):
        return ""
    return (
        f"{len(without)} of {len(entries)} images have no label ({without[0]} for one), so the set has no classes; "
        "label them or take them out"
    )


def conversions(entries: Sequence[Entry], channels: int) -> str:
    """One sentence about what the images are now and what was converted to get there."""
    form = {1: "grey (1 channel)", RGB: "RGB (3 channels)"}.get(channels, f"of {channels} channels")
    modes = Counter(entry.mode for entry in entries)
    parts = [f"stored as {', '.join(f'{mode} {count}' for mode, count in modes.most_common())}"]
    grey = sum(entry.grey for entry in entries)
    if channels == RGB and grey:
        parts.append(f"{grey} of them grey")
    if bits := max((entry.needed for entry in entries), default=0):
        wide = sum(entry.needed > 0 for entry in entries)
        parts.append(f"{wide} whose values need {bits} bits at most, so that 0 to {2**bits - 1} is shown as 0 to 255")
    changes = Counter(change for entry in entries for change in entry.changes)
    parts += [f"{count} {change}" for change, count in sorted(changes.items())]
    return f"All {len(entries)} images are {form}: {'; '.join(parts)}."
