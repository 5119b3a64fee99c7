"""Every seed's difference, the means and their intervals, as one picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from steadygan.rundir import atomic_path
from steadygan.runs.study import Effect, StudyTable
from steadygan.runs.study_words import signed, verdict
from steadygan.visual.curves import BLUE, GREY, TEXT, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw", "save_picture"]

COLOURS = {"helped": BLUE, "hurt": VERMILION, "not decided": GREY}


def save_picture(table: StudyTable, path: Path) -> None:
    """Draw a row for each variant, best first: dots are seeds, crosses those at which a run diverged.

    The bar is the interval of the mean. What reaches beyond the picture ends in an arrow at its border.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = draw(table)
    FigureCanvasAgg(figure)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=120)


def draw(table: StudyTable) -> Figure:
    """The picture as a figure of matplotlib's."""
    from matplotlib.figure import Figure

    effects = table.effects
    rows = max(len(effects), 2)
    figure = Figure(figsize=(9, 1.5 + rows * (0.36 if rows < 13 else 0.28)), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    limit = table.reach()
    for row, effect in enumerate(effects):
        _draw(axes, effect, row, limit)
    _style(axes, table, limit)
    return figure


def _draw(axes: Axes, effect: Effect, row: int, limit: float) -> None:
    colour = COLOURS[effect.verdict]
    if effect.low is not None and effect.high is not None:
        low, high = max(effect.low, -limit), min(effect.high, limit)
        axes.plot([low, high], [row, row], color=colour, linewidth=5, alpha=0.28, solid_capstyle="butt", zorder=2)
        for end, edge, sign in ((effect.low, -limit, "<"), (effect.high, limit, ">")):
            if abs(end) > limit and math.copysign(1, end) == math.copysign(1, edge):
                axes.plot([edge], [row], sign, color=colour, markersize=6, clip_on=False, zorder=3)
    # seeds lie a little apart, so that equal ones are seen
    heights = row + 0.2 * (np.arange(len(effect.dots)) - (len(effect.dots) - 1) / 2) / max(len(effect.dots) - 1, 1)
    for dot, height in zip(effect.dots, heights, strict=True):
        at = float(np.clip(dot.difference, -limit, limit))
        out = "" if at == dot.difference else "<" if at < 0 else ">"
        mark = out or ("X" if dot.diverged else "o")
        axes.plot([at], [height], mark, color=colour, markersize=6 if mark != "o" else 4.5, mfc="white", clip_on=False)
    for at in (-limit, limit):
        if beyond := sorted((dot.difference for dot in effect.dots if dot.difference / at > 1), key=abs):
            ends = dict.fromkeys(map(signed, (beyond[0], beyond[-1])))
            _label(axes, " to ".join(ends), at, row, colour)
    if effect.mean is not None:
        axes.plot(
            [float(np.clip(effect.mean, -limit, limit))],
            [row],
            "D",
            color=colour,
            markersize=6.5,
            markeredgecolor="white",
            zorder=5,
        )


def _label(axes: Axes, text: str, at: float, height: float, colour: str) -> None:
    """How far out the dots are that are beyond the border, beside their arrows."""
    inwards, align = (8, "left") if at < 0 else (-8, "right")
    axes.annotate(
        text, (at, height), (inwards, 0), textcoords="offset points", ha=align, va="center", fontsize=7.5, color=colour
    )


def _style(axes: Axes, table: StudyTable, limit: float) -> None:
    effects, asked = table.effects, table.question
    axes.axvline(0, color=TEXT, linewidth=1, zorder=1)
    axes.set_xlim(-limit, limit)
    axes.set_ylim(max(len(effects), 2) - 0.45, -0.55)
    axes.set_yticks(range(len(effects)), [_short(asked.title(one.variant)) for one in effects], fontsize=9, color=TEXT)
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(effects)), [verdict(one) for one in effects], fontsize=9)
    for label, one in zip(right.get_yticklabels(), effects, strict=True):
        label.set_color(COLOURS[one.verdict])
        label.set_fontweight("normal" if one.verdict == "not decided" else "bold")
    for side in (axes, right):
        side.tick_params(axis="y", length=0, pad=9)
    axes.tick_params(axis="x", labelsize=8, colors=TEXT)
    axes.grid(axis="x", color="#E4E6EA", linewidth=0.6)
    axes.set_axisbelow(True)
    for name in ("left", "right", "top"):
        axes.spines[name].set_visible(False)
    right.spines["right"].set_visible(False)
    ends = ("← better", "worse →") if table.better == "lower" else ("← worse", "better →")
    for place, text, align in ((0.0, ends[0], "left"), (1.0, ends[1], "right")):
        axes.text(place, 1.01, text, transform=axes.transAxes, ha=align, va="bottom", fontsize=9, color=TEXT)
    diverged = any(dot.diverged for one in effects for dot in one.dots)
    marks = f"dots: seeds{' (×: a run diverged)' if diverged else ''}; diamond: their mean; bar: its interval"
    axes.set_xlabel(f"{asked.metric}, difference from the base\n{marks}", fontsize=9, color=TEXT)


def _short(title: str) -> str:
    return title if len(title) <= 38 else f"{title[:37]}…"
