"""One picture of how a run went: losses, what the discriminator says, gradients, speed and scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steadygan.records import DatedScore, Finding, Tick, scores_alike
from steadygan.rundir import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

MOST_POINTS = 600
MOST_METRICS = 4
_LABEL = 0.04  # of the width of a panel, which a label takes
# Okabe and Ito's palette, which colour-blind readers tell apart too. What the generator does is vermilion.
BLUE, VERMILION, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#AA4A8C", "#6B717C"
TEXT = "#4A4E57"


class Line(NamedTuple):
    """One curve: its name in the legend, its colour, and what it reads from a tick, None where there is nothing.

    A `part` of something shown already is thin, and left out of runs that never have any of it.
    """

    name: str
    colour: str
    value: Callable[[Tick], float | None]
    part: bool = False


class TickPanel(NamedTuple):
    """One set of axes: its title and its curves."""

    title: str
    lines: tuple[Line, ...]
    logarithmic: bool = False
    lowest: float | None = None
    highest: float | None = None


PANELS = {
    "loss": TickPanel(
        "Loss",
        (
            Line("discriminator", BLUE, lambda tick: tick.loss_d),
            Line("… on reals", GREEN, lambda tick: tick.loss_d_real, part=True),
            Line("… on fakes", PURPLE, lambda tick: tick.loss_d_fake, part=True),
            Line("generator", VERMILION, lambda tick: tick.loss_g),
        ),
    ),
    "logits": TickPanel(
        "Discriminator's logits",
        (Line("on reals", GREEN, lambda tick: tick.d_real), Line("on fakes", VERMILION, lambda tick: tick.d_fake)),
    ),
    "accuracy": TickPanel(
        "Discriminator is right about",
        (
            Line("reals", GREEN, lambda tick: tick.accuracy_real),
            Line("fakes", VERMILION, lambda tick: tick.accuracy_fake),
            Line("(moves on them apart)", GREY, lambda tick: tick.path, part=True),
        ),
        lowest=-0.03,
        highest=1.03,
    ),
    "gradients": TickPanel(
        "Gradient norm",
        (
            Line("discriminator", BLUE, lambda tick: tick.grad_norm_d),
            Line("generator", VERMILION, lambda tick: tick.grad_norm_g),
        ),
        logarithmic=True,
    ),
    "speed": TickPanel("Images per second", (Line("images/s", GREY, lambda tick: tick.images_per_second),), lowest=0.0),
}

WITHOUT_SCORES = (("loss", "loss", "logits"), ("accuracy", "gradients", "speed"))
WITH_SCORES = (("loss", "logits", "accuracy"), ("gradients", "speed", "scores"))


def save_curves(
    log: Sequence[Tick], path: Path, scores: Sequence[DatedScore] = (), findings: Sequence[Finding] = ()
) -> None:
    """Draw a run's ticks and scores as one PNG of 1200 × 800 pixels, against images seen.

    Thin lines are the ticks, bold lines their running mean over a twenty-fifth of the run, taken twice. Long logs are
    thinned to the extremes of each stretch, so that spikes stay visible; a spike that would flatten
    the rest leaves through the top of its panel. Scores share a curve only if their protocol is the same. Of findings,
    acts of care are marked in every panel; where the run was set back, curves are parted, and what it gave up there
    sets no limits.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    figure = Figure(figsize=(12, 8), dpi=100, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    acts = [one for one in findings if one.act]
    last = max([1, *(record.images for record in (*log[-1:], *scores, *acts))])
    places = figure.subplot_mosaic([list(row) for row in (WITH_SCORES if scores else WITHOUT_SCORES)])
    for name, panel in PANELS.items():
        _draw(places[name], panel, log, findings)
    if scores:
        _draw_scores(figure, places["scores"], scores, findings)
    for axes in figure.axes:
        axes.set_xlim(0, 1.03 * last)
    _mark(figure, acts, 1.03 * last)
    figure.supxlabel("images seen", fontsize=9, color=TEXT)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=100)


def short_count(images: float) -> str:
    """A number of images in few characters: 500, 12.8k, 1.25M."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(images) >= unit:
            return f"{images / unit:.4g}{name}"
    return f"{images:.4g}"


def running_mean(values: Floats, reach: int) -> Floats:
    """Mean of each value and the `reach` ones on either side, where there are any; passes over what is not finite."""
    finite = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    middle = np.arange(len(values))
    first, last = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, len(values))
    number = counts[last] - counts[first]
    return np.where(number > 0, (sums[last] - sums[first]) / np.maximum(number, 1), np.nan)


def thinned(values: Floats, most: int = MOST_POINTS) -> NDArray[np.intp]:
    """Indices, in order, of the lowest and the highest value of each of `most`/2 stretches; all of a short series."""
    if len(values) <= most:
        return np.arange(len(values))
    bounds = np.linspace(0, len(values), most // 2 + 1).astype(int)
    finite = np.isfinite(values)
    known = np.where(finite, values, values[finite].mean() if finite.any() else 0.0)
    picked = [
        first + extreme(known[first:last]) for first, last in pairwise(bounds) for extreme in (np.argmin, np.argmax)
    ]
    return np.unique(np.array(picked, dtype=np.intp))


def _draw(axes: Axes, panel: TickPanel, log: Sequence[Tick], findings: Sequence[Finding]) -> None:
    """All lines of one panel."""
    _style(axes, panel.title)
    if not log:
        axes.text(0.5, 0.5, "nothing yet", transform=axes.transAxes, ha="center", va="center", color=GREY)
        return
    images = np.array([tick.images for tick in log], dtype=float)
    jumps, limits = jumps_of(images, findings), []
    kept = np.array([not any(act.gave_up(tick.images) for act in findings) for tick in log])
    for line in panel.lines:
        values = np.array([line.value(tick) for tick in log], dtype=float)
        if line.part and not np.nan_to_num(values).any():
            continue
        values = np.where(values > 0, values, np.nan) if panel.logarithmic else values  # what can be shown
        mean = _draw_line(axes, line, images, values, jumps)
        limits.append(_shown(mean[kept], values[kept]) if kept.any() else _shown(mean, values))
    _limit(axes, panel, limits)
    if len(panel.lines) > 1:
        axes.legend(frameon=False, fontsize=9, loc="best")


def _draw_line(axes: Axes, line: Line, images: Floats, values: Floats, jumps: Indices) -> Floats:
    """Ticks thin, running mean bold, which it gives back; both begin anew after a jump."""
    reach = len(values) // 50
    pieces = np.split(values, jumps)
    mean = np.concatenate([running_mean(running_mean(piece, reach), reach) for piece in pieces])
    raw = thinned(values)
    smooth = np.unique(np.linspace(0, len(values) - 1, MOST_POINTS).astype(int))
    alone = np.concatenate([np.full(len(piece), len(piece) < 3, float) for piece in pieces])
    if reach and not line.part:
        axes.plot(*with_gaps(raw, jumps, images, values), color=line.colour, linewidth=0.7, alpha=0.35)
    width = 1.1 if line.part else 1.8
    seen, means, dots = with_gaps(smooth, jumps, images, mean, alone)
    axes.plot(seen, means, color=line.colour, linewidth=width, label=line.name)
    axes.plot(seen[dots == 1], means[dots == 1], "o", color=line.colour, markersize=4)
    return mean


def with_gaps(indices: Indices, jumps: Indices, *arrays: Floats) -> list[Floats]:
    """What arrays hold there, with a gap at each jump."""
    gaps = np.searchsorted(indices, jumps)
    return [np.insert(array[indices], gaps, np.nan) for array in arrays]


def jumps_of(images: Floats, findings: Sequence[Finding]) -> Indices:
    """Indices of what was written first after the run was set back, but what was written first of all."""
    backs = [act.images for act in findings if act.back_to is not None]
    first = np.unique(np.searchsorted(images, backs, side="right"))
    return first[(first > 0) & (first < len(images))]


def _shown(mean: Floats, values: Floats) -> Floats:
    """What the panel must show: the means and nearly all ticks."""
    finite = values[np.isfinite(values)]
    return np.concatenate([mean[np.isfinite(mean)], np.percentile(finite, [1, 99]) if finite.size else finite])


def _mark(figure: Figure, acts: Sequence[Finding], width: float) -> None:
    """A line for each act in every panel, and above the first what was done, of acts close together in one label."""
    for axes in figure.axes:
        for act in acts:
            axes.axvline(act.images, color=GREY, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1.5)
    labels: list[list[Finding]] = []
    for act in acts:
        if labels and act.images - labels[-1][0].images < _LABEL * width:
            labels[-1].append(act)
        else:
            labels.append([act])
    first, longest = figure.axes[0], 0
    for together in labels:
        counts = Counter(act.act for act in together)
        text = ", ".join(f"{count}× {name}" if count > 1 else name for name, count in counts.items())
        above = first.annotate(text, (together[0].images, 1.02), xycoords=first.get_xaxis_transform(), rotation=90)
        above.set(ha="center", va="bottom", fontsize=8, color=TEXT)
        longest = max(longest, len(text))
    if acts:
        _style(first, first.get_title("left"), pad=12 + 4.2 * longest)  # points, above the labels


def _limit(axes: Axes, panel: TickPanel, limits: Sequence[Floats]) -> None:
    """Limits around the means and nearly all ticks, with a margin."""
    shown = np.concatenate(limits)
    low, high = (float(shown.min()), float(shown.max())) if shown.size else (0.0, 1.0)
    if panel.logarithmic:
        logarithmic(axes, low / 1.5, high * 1.5)
        return
    low = low if panel.lowest is None else panel.lowest
    margin = 0.06 * (high - low) or 0.1 * abs(high) or 1
    bottom = low - margin if panel.lowest is None else low
    axes.set_ylim(bottom, high + margin if panel.highest is None else panel.highest)


def logarithmic(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis with plain numbers on it."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    axes.set_ylim(max(low, 1e-12), high)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 200 * low else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_scores(figure: Figure, place: Axes, scores: Sequence[DatedScore], findings: Sequence[Finding]) -> None:
    """One small panel per metric and protocol, each with its own scale; the four that were measured last."""
    latest = sorted(scores_alike(scores).values(), key=lambda found: found[-1].images)[-MOST_METRICS:]
    cell = place.get_subplotspec()
    assert cell is not None
    place.remove()
    rows = cell.subgridspec(len(latest), 1)
    for row, found in enumerate(latest):
        axes = figure.add_subplot(rows[row])
        _style(axes, f"{found[0].metric}  ({found[0].better} is better)")
        images, values = np.array([(score.images, score.value) for score in found], dtype=float).T
        parted = with_gaps(np.arange(len(found)), jumps_of(images, findings), images, values)
        axes.plot(*parted, "o-", color=PURPLE, markersize=4)
        axes.annotate(
            f"{found[-1].value:.4g}",
            (found[-1].images, found[-1].value),
            (0, 7),
            textcoords="offset points",
            ha="right",
            fontsize=9,
            color=PURPLE,
        )
        axes.margins(y=0.25)


def _style(axes: Axes, title: str, pad: float | None = None) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color="#2B2F36", pad=pad)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(color="#E6E8EC", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#B8BCC4")
    axes.tick_params(colors=TEXT, labelsize=9)
