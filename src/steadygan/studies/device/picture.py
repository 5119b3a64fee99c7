"""What `bench device` found, on one picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from statistics import mode
from typing import TYPE_CHECKING

from steadygan.doctor.budget import duration
from steadygan.errors import ConfigError
from steadygan.rundir import atomic_path
from steadygan.studies.device.report import AnswerRow, DeviceReport
from steadygan.visual.curves import BLUE, GREEN, GREY, PURPLE, TEXT, VERMILION, logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, "#B07A00", GREY)
_DARK = "#2B2F36"
_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}  # so that no line crosses a word
_LETTERS = 165  # of a line of the head
_MARKS = {60: "1 min", 600: "10 min", 3600: "1 h", 36000: "10 h", 360000: "100 h", 3600000: "1000 h"}


def check_name(path: Path | None) -> None:
    """Refuse a name that is not that of a PNG, before anything is measured."""
    if path and path.suffix.lower() != ".png":
        raise ConfigError(f"{path}: the picture is a PNG; give it a name that ends in .png")


def save_device_picture(report: DeviceReport, path: Path) -> None:
    """Draw a report as a PNG of 1200 × 1000 pixels: the answers in words above, four panels of figures below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 10), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    title, *lines = head(report)
    figure.text(0.03, 0.965, title, fontsize=14, fontweight="bold", color=_DARK, va="center")
    figure.text(0.03, 0.945, "\n".join(lines), fontsize=9.5, color=TEXT, va="top", linespacing=1.45)
    places = figure.subplots(2, 2, gridspec_kw={"height_ratios": (1, 1.15)})
    figure.subplots_adjust(left=0.11, right=0.97, bottom=0.05, top=0.745, hspace=0.36, wspace=0.3)
    for place, draw in enumerate((_draw_speed, _draw_ways, _draw_millions, _draw_memory)):
        draw(places[divmod(place, 2)], report)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=100)


def head(report: DeviceReport) -> list[str]:
    """The title, and some lines with what has no panel."""
    title, *machine = report.machine()
    failed = [f"{row.recipe}: {row.reason}" for row in report.recipes if row.reason]
    ran = f"recipes: {len(report.recipes) - len(failed)} of {len(report.recipes)} run"
    more = [f"{len(failed) - 2} more"] if len(failed) > 2 else []
    rest: dict[str, Sequence[AnswerRow]] = {"resume": report.resume, "loading images": report.input}
    said = [f"{word}: " + "; ".join(f"{row.recipe} {row.words()}" for row in rows) for word, rows in rest.items()]
    used = [f"{duration(report.seconds)} of {duration(60 * report.minutes)} used"]
    used += [f"no time for {len(report.left_out)} answers"] if report.left_out else []
    paragraphs = ["; ".join(machine), "; ".join([ran, *failed[:2], *more]), *said, "; ".join(used)]
    return [title, *(line for one in paragraphs for line in textwrap.wrap(one, _LETTERS, max_lines=2))]


def _draw_speed(axes: Axes, report: DeviceReport) -> None:
    """A line for each recipe that was timed at more than one size; of those at one there is another panel."""
    series: dict[str, dict[int, float]] = {}
    for row in report.steps:
        if row.images_per_second and row.size > 1:  # points have no size to compare
            series.setdefault(row.recipe, {})[row.size] = row.images_per_second
    longest = max(map(len, series.values()), default=0)
    lines = {recipe: rates for recipe, rates in series.items() if len(rates) > 1 or longest == 1}
    if not _begun(axes, "Images a second, as shipped", "y", report.steps, drawn=bool(lines)):
        return
    sizes = sorted({size for rates in lines.values() for size in rates})
    for (recipe, rates), colour in zip(lines.items(), _COLOURS, strict=False):
        places = [sizes.index(size) for size in rates]
        axes.plot(places, list(rates.values()), "o-", color=colour, label=recipe, linewidth=1.8, markersize=5)
    axes.set_xticks(range(len(sizes)), [f"{size} px" for size in sizes])
    axes.set_xlim(-0.3, len(sizes) - 0.7)
    every = [rate for rates in lines.values() for rate in rates.values()]
    logarithmic(axes, min(every) / 1.5, max(every) * 1.5)
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.legend(frameon=False, fontsize=9, loc="upper right")


def _draw_ways(axes: Axes, report: DeviceReport) -> None:
    """Bars of the gain of each way, a colour for each recipe; where one is lacking, why."""
    rows = [row for row in report.ways if row.way != "as shipped"]
    title = f"Speed in other ways{f', {rows[0].size} px' if rows else ''}, as shipped = 1"
    if not _begun(axes, title, "x", report.ways, drawn=any(row.gain for row in rows)):
        return
    ways, recipes = (list(dict.fromkeys(getattr(row, name) for row in rows)) for name in ("way", "recipe"))
    high = 0.8 / len(recipes)
    for number, recipe in enumerate(recipes):
        mine = [row for row in rows if row.recipe == recipe]
        places = [ways.index(row.way) + (number - (len(recipes) - 1) / 2) * high for row in mine]
        axes.barh(places, [row.gain or 0 for row in mine], high * 0.9, color=_COLOURS[number], label=recipe)
        for place, row in zip(places, mine, strict=True):
            said = f"{row.gain:.2f}×" if row.gain else textwrap.shorten(row.reason, 44, placeholder=" …")
            _label(axes, said, row.gain or 0, place)
    axes.axvline(1, color=_DARK, linewidth=1)
    axes.set_xlim(0, 1.18 * max(1, *(row.gain or 0 for row in rows)))
    axes.set_yticks(range(len(ways)), [way.replace("_", " ") for way in ways])
    axes.set_ylim(len(ways) - 0.5, -0.5)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(-0.01, -0.07), ncols=len(recipes))


def _draw_millions(axes: Axes, report: DeviceReport) -> None:
    """A point for each recipe, at the size at which most were timed."""
    timed = [(row.million_seconds, row) for row in report.steps if row.million_seconds]
    size = mode([row.size for _, row in timed] or [0])
    rows = sorted(((seconds, row.recipe) for seconds, row in timed if row.size == size), key=lambda one: one[0])
    if not _begun(axes, f"A million images take{f', {size} px' * bool(rows)}", "x", report.steps, drawn=bool(rows)):
        return
    seconds, recipes = zip(*rows, strict=True)
    axes.plot(seconds, range(len(rows)), "o", color=BLUE, markersize=7)
    for place, value in enumerate(seconds):
        _label(axes, duration(value), value, place, gap=8)
    low, high = min(seconds) / 2, max(seconds) * 5
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    shown = {place: word for place, word in _MARKS.items() if low <= place <= high}
    axes.set_xticks(list(shown), list(shown.values()))
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), recipes)
    axes.set_ylim(max(len(rows), 4) - 0.4, -0.6)


def _draw_memory(axes: Axes, report: DeviceReport) -> None:
    """A bar for each batch; one that did not fit has its reason above its place."""
    rows, known = report.memory, [row.peak_mib / 1024 for row in report.memory if row.peak_mib]  # the first ones
    about = f", {rows[0].recipe}, {rows[0].size} px" if rows else ""
    if not _begun(axes, f"Most memory held, by batch{about}", "y", rows, drawn=bool(known)):
        return
    axes.bar(range(len(known)), known, 0.6, color=GREEN)
    for place, gib in enumerate(known):
        axes.text(place, gib, f"{gib:.2f} GiB\n", ha="center", va="center", fontsize=9, color=TEXT)
    axes.set_xticks(range(len(rows)), [f"{row.batch}" for row in rows])
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.set_yticks([])
    axes.margins(y=0.3)
    if lacking := rows[len(known) :]:
        said = textwrap.fill(f"batch {lacking[0].batch}: {lacking[0].reason}", 58)
        axes.text(0.02, 0.97, said, transform=axes.transAxes, va="top", fontsize=9, color=VERMILION)


def _begun(axes: Axes, title: str, grid: str, rows: Sequence[AnswerRow], drawn: bool) -> bool:
    """Whether there is something to be drawn on the panel; else it is left with the reason of its first row."""
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=_DARK)
    axes.grid(axis=grid, color="#E6E8EC", linewidth=0.8)  # type: ignore[arg-type] # a text here, a literal there
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#B8BCC4")
    axes.tick_params(colors=TEXT, labelsize=9)
    if not drawn:
        said = textwrap.fill(next((row.reason for row in rows if row.reason), "not asked"), 50)
        axes.text(0.5, 0.5, said, transform=axes.transAxes, ha="center", va="center", fontsize=9, color=GREY)
        axes.set(xticks=[], yticks=[])
    return drawn


def _label(axes: Axes, text: str, value: float, place: float, gap: float = 4) -> None:
    """A word beside the end of a bar, or beside a point."""
    axes.annotate(
        text, (value, place), (gap, 0), textcoords="offset points", va="center", fontsize=9, color=TEXT, bbox=_WHITE
    )
