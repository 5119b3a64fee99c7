"""What a set of images lets one expect, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from steadygan.data.health import Health
from steadygan.data.sources.items import Rejection
from steadygan.data.work import Entry

RGB = 3
MANY_UNUSABLE = 0.05
_TO_LOOK_AT = frozenset({"brightness", "colour"})
"""Remarks that only say where to look: many sets are so, and train well."""


def advice(entries: Sequence[Entry], rejected: Sequence[Rejection], health: Health) -> Iterator[str]:
    """Sentences about a prepared set: what was left out or cannot be used, and what is the matter with its images."""
    yield from meant(entries, rejected)
    unusable = sum(not one.left_out for one in rejected)
    if unusable > (unusable + len(entries)) * MANY_UNUSABLE:
        yield f"{unusable} of {unusable + len(entries)} files cannot be used; rejected.jsonl says why"
    for remark in health.findings:
        if remark.severity != "info" and remark.check not in _TO_LOOK_AT:
            yield f"{remark.sentence}; {remark.remedy}"


def meant(entries: Sequence[Entry], rejected: Sequence[Rejection]) -> Iterator[str]:
    """Sentences on what a source was taken for: which good files are left out, and why there are no classes."""
    left_out: dict[str, list[str]] = {}
    for one in rejected:
        if one.left_out:
            left_out.setdefault(one.reason, []).append(one.file)
    for reason, files in left_out.items():
        several = f"{len(files)} of {len(files) + len(entries)} files, {files[0]} for one, are {reason}"
        yield several if len(files) > 1 else f"{files[0]} is {reason}"
    without = [entry.file for entry in entries if entry.label is None]
    if without and len(without) < len(entries):
        yield (
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
