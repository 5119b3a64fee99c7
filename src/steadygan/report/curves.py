"""The curves of a report: those of `curves.png`, and what the doctor measured, on one axis of images seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from steadygan.records import Finding, Signals, Tick
from steadygan.report.page import Curve, Panel
from steadygan.visual.curves import (
    GREEN,
    PANELS,
    PURPLE,
    VERMILION,
    Floats,
    Indices,
    jumps_of,
    thinned,
    with_gaps,
)

MOST_POINTS = 4_000
"""Places on the axis of a report; of longer logs every curve keeps its extremes, so that spikes stay visible."""


class Measured(NamedTuple):
    """A curve of what is measured beside the ticks, some of it more rarely."""

    name: str
    colour: str
    value: Callable[[Signals], float | None]


class _More(NamedTuple):
    """What a report says of a panel and shows in it besides its ticks; the title if it has no ticks."""

    says: str
    curves: tuple[Measured, ...] = ()
    title: str = ""


_PANELS = {
    "loss": _More("What each player tries to make small; neither need fall, for they play against each other."),
    "logits": _More(
        "What the discriminator answers: high for what it takes for real. Where held-out reals fall towards the fakes, "
        "it knows the training images by heart.",
        (Measured("on held-out reals", PURPLE, lambda line: line.d_held_out),),
    ),
    "accuracy": _More(
        "How often the discriminator is right: 1 always, 0.5 as a coin. Reals it was never trained on should be judged "
        "as the others are. Under a loss that only compares logits, right is beyond the middle between both sides.",
        (Measured("held-out reals", PURPLE, lambda line: line.accuracy_held_out),),
    ),
    "gradients": _More("How hard each player is pushed in a step. Near 0 it learns nothing; leaps are a danger."),
    "diversity": _More(
        "How different the pictures are from each other. Far below the reals, they are all alike: mode collapse.",
        (
            Measured("reals", GREEN, lambda line: line.diversity_real),
            Measured("pictures", VERMILION, lambda line: line.diversity),
        ),
        "Diversity",
    ),
    "distance": _More(
        "How far the pictures are from the training images: lower is better, other reals lie at 0.05 to 0.1.",
        (Measured("of the pictures", VERMILION, lambda line: line.distance),),
        "Distance to the training images",
    ),
    "copies": _More(
        "The share of pictures nearer to a training image than 99 of 100 held-out images are: by chance 0.01, or more "
        "where few are held out. A tenth and more is copying.",
        (Measured("of the pictures", VERMILION, lambda line: line.copies),),
        "Copies",
    ),
    "speed": _More("How fast the run went."),
}


class Axes(NamedTuple):
    """The axis of images seen, and the panels over it."""

    images: tuple[int, ...]
    panels: tuple[Panel, ...]


def axes_of(
    log: Sequence[Tick], signals: Sequence[Signals], findings: Sequence[Finding], most: int = MOST_POINTS
) -> Axes:
    """All panels that have anything to show, thinned to about `most` places on the axis.

    The axis is that of the ticks. What was measured more rarely is joined by straight lines between two measurements.
    Where the run was set back all curves have a gap.
    """
    lines: Sequence[Tick] | Sequence[Signals] = log or signals
    images = np.array([line.images for line in lines], dtype=float)
    if not len(images):
        return Axes((), ())
    jumps = jumps_of(images, findings)
    found = {key: _values(key, more, log, _Joined(images, jumps, signals)) for key, more in _PANELS.items()}
    kept = _kept(len(images), [values for curves in found.values() for _, values in curves], most)
    axis = with_gaps(kept, jumps, images)[0]
    gaps = np.flatnonzero(np.isnan(axis))
    axis[gaps] = axis[gaps - 1]  # never the first: a jump is of a line after another
    panels = []
    for key, curves in found.items():
        shown = [
            curve.model_copy(update={"values": _numbers(with_gaps(kept, jumps, values)[0])}) for curve, values in curves
        ]
        if shown:
            panels.append(_panel(key, shown))
    return Axes(tuple(int(place) for place in axis), tuple(panels))


class _Joined(NamedTuple):
    """What was measured now and then, on the axis of the ticks."""

    axis: Floats
    jumps: Indices
    signals: Sequence[Signals]

    def __call__(self, value: Callable[[Signals], float | None]) -> Floats:
        """Straight lines between measurements, none across a jump; NaN before the first and after the last."""
        there = [(line.images, number) for line in self.signals if (number := value(line)) is not None]
        places, numbers = np.array(there, dtype=float).reshape(-1, 2).T
        bounds = [0, *self.jumps, len(self.axis)]
        joined = np.full(len(self.axis), np.nan)
        for first, last in pairwise(bounds):
            piece = self.axis[first:last]
            inside = (places >= piece[0]) & (places <= piece[-1])
            if inside.any():
                joined[first:last] = np.interp(piece, places[inside], numbers[inside], left=np.nan, right=np.nan)
        return joined


def _values(key: str, more: _More, log: Sequence[Tick], joined: _Joined) -> list[tuple[Curve, Floats]]:
    """The curves of a panel that have any number; a part of something only if it is ever other than 0."""
    panel = PANELS.get(key)
    lines = panel.lines if panel and log else ()
    read = [np.array([line.value(tick) for tick in log], dtype=float) for line in lines]
    found = [
        (Curve(name=line.name, colour=line.colour, part=line.part, values=()), values)
        for line, values in zip(lines, read, strict=True)
        if not line.part or np.nan_to_num(values).any()
    ]
    found += [(Curve(name=curve.name, colour=curve.colour, values=()), joined(curve.value)) for curve in more.curves]
    if panel and panel.logarithmic:
        found = [(curve, np.where(values > 0, values, np.nan)) for curve, values in found]
    return [(curve, values) for curve, values in found if np.isfinite(values).any()]


def _panel(key: str, curves: Sequence[Curve]) -> Panel:
    panel, more = PANELS.get(key), _PANELS[key]
    if panel is None:
        return Panel(key=key, title=more.title, says=more.says, lowest=0.0, curves=tuple(curves))
    return Panel(
        key=key,
        title=panel.title,
        says=more.says,
        logarithmic=panel.logarithmic,
        lowest=panel.lowest,
        highest=panel.highest,
        curves=tuple(curves),
    )


def _kept(count: int, curves: Sequence[Floats], most: int) -> Indices:
    """Indices of all, or of the extremes of each curve."""
    if count <= most or not curves:
        return np.arange(count)
    return np.unique(np.concatenate([thinned(values, most // len(curves)) for values in curves]))


def _numbers(values: Floats) -> tuple[float | None, ...]:
    """With five digits, which no chart has pixels to tell apart."""
    return tuple(float(f"{value:.5g}") if np.isfinite(value) else None for value in values)
