"""What `bench device` found, on one picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from steadygan.errors import ConfigError
from steadygan.rundir import atomic_path
from steadygan.studies.device.report import DeviceReport, StepRow
from steadygan.training.budget import duration
from steadygan.visual.curves import BLUE, GREEN, GREY, PURPLE, TEXT, VERMILION, logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, "#B07A00", GREY)
_DARK = "#2B2F36"
_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}  # so that no line crosses a word
_LETTERS = 165  # of a line of the head


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
    _draw_speed(places[0, 0], report)
    _draw_ways(places[0, 1], report)
    _draw_millions(places[1, 0], report)
    _draw_memory(places[1, 1], report)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=100)


def head(report: DeviceReport) -> list[str]:
    """The title, and some lines with what has no panel."""
    ran, not_run = ([row for row in report.recipes if bool(row.reason) is wrong] for wrong in (False, True))
    title, *machine = report.machine()
    recipes = f"recipes: {len(ran)} of {len(report.recipes)} run"
    recipes += "".join(f"; {row.recipe}: {row.reason}" for row in not_run[:2])
    recipes += f"; {len(not_run) - 2} more" if len(not_run) > 2 else ""
    resume = "resume: " + "; ".join(f"{row.recipe} {row.words()}" for row in report.resume)
    loading = "loading images: " + "; ".join(f"{row.recipe} {row.words()}" for row in report.input)
    left_out = f"no time for {len(report.left_out)} answers" if report.left_out else ""
    used = f"{duration(report.seconds)} of {duration(60 * report.minutes)} used"
    paragraphs = ["; ".join(machine), recipes, resume, loading, "; ".join(filter(None, [used, left_out]))]
    return [title, *(line for one in paragraphs for line in textwrap.wrap(one, _LETTERS, max_lines=2))]


def _draw_speed(axes: Axes, report: DeviceReport) -> None:
    """A line for each recipe that was timed at more than one size; of those at one there is another panel."""
    _style(axes, "Images a second, as shipped", "y")
    series: dict[str, list[StepRow]] = {}
    for row in report.steps:
        if row.images_per_second and row.size > 1:  # points have no size to compare
            series.setdefault(row.recipe, []).append(row)
    longest = max(map(len, series.values()), default=0)
    lines = {recipe: rows for recipe, rows in series.items() if len(rows) > 1 or longest == 1}
    if not lines:
        _nothing(axes, [row.reason for row in report.steps])
        return
    sizes = sorted({row.size for rows in lines.values() for row in rows})
    for (recipe, rows), colour in zip(list(lines.items())[: len(_COLOURS)], _COLOURS, strict=False):
        places, values = [sizes.index(row.size) for row in rows], [row.images_per_second or 0 for row in rows]
        axes.plot(places, values, "o-", color=colour, label=recipe, linewidth=1.8, markersize=5)
    axes.set_xticks(range(len(sizes)), [f"{size} px" for size in sizes])
    axes.set_xlim(-0.3, len(sizes) - 0.7)
    rates = [row.images_per_second or 0 for rows in lines.values() for row in rows]
    logarithmic(axes, min(rates) / 1.5, max(rates) * 1.5)
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.legend(frameon=False, fontsize=9, loc="upper right")


def _draw_ways(axes: Axes, report: DeviceReport) -> None:
    """Bars of the gain of each way, a colour for each recipe; where one is lacking, why."""
    rows = [row for row in report.ways if row.way != "as shipped"]
    size = f", {rows[0].size} px" if rows else ""
    _style(axes, f"Speed in other ways{size}, as shipped = 1", "x")
    if not any(row.gain for row in rows):
        _nothing(axes, [row.reason for row in report.ways])
        return
    ways, recipes = list(dict.fromkeys(row.way for row in rows)), list(dict.fromkeys(row.recipe for row in rows))
    most = max(row.gain or 0 for row in rows)
    high = 0.8 / len(recipes)
    for number, recipe in enumerate(recipes):
        mine = [row for row in rows if row.recipe == recipe]
        places = [ways.index(row.way) + (number - (len(recipes) - 1) / 2) * high for row in mine]
        axes.barh(places, [row.gain or 0 for row in mine], high * 0.9, color=_COLOURS[number], label=recipe)
        for place, row in zip(places, mine, strict=True):
            said = f"{row.gain:.2f}×" if row.gain else textwrap.shorten(row.reason, 44, placeholder=" …")
            _label(axes, said, row.gain or 0, place)
    axes.axvline(1, color=_DARK, linewidth=1)
    axes.set_xlim(0, 1.18 * max(most, 1))
    axes.set_yticks(range(len(ways)), [way.replace("_", " ") for way in ways])
    axes.set_ylim(len(ways) - 0.5, -0.5)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(-0.01, -0.07), ncols=len(recipes))


def _draw_millions(axes: Axes, report: DeviceReport) -> None:
    """A point for each recipe, at the size at which most were timed."""
    timed = [row for row in report.steps if row.million_seconds]
    sizes = [row.size for row in timed]
    size = max(dict.fromkeys(sizes), key=sizes.count, default=0)
    rows = sorted((row for row in timed if row.size == size), key=lambda row: row.million_seconds or 0)
    _style(axes, f"A million images take{f', {size} px' if rows else ''}", "x")
    if not rows:
        _nothing(axes, [row.reason for row in report.steps])
        return
    seconds = [row.million_seconds or 0 for row in rows]
    axes.plot(seconds, range(len(rows)), "o", color=BLUE, markersize=7)
    for place, value in enumerate(seconds):
        _label(axes, duration(value), value, place, gap=8)
    axes.set_xscale("log")
    axes.set_xlim(min(seconds) / 2, max(seconds) * 5)
    marks = [(60, "1 min"), (600, "10 min"), (3600, "1 h"), (36000, "10 h"), (360000, "100 h"), (3600000, "1000 h")]
    low, high = axes.get_xlim()
    shown = [(place, word) for place, word in marks if low <= place <= high]
    axes.set_xticks([place for place, _ in shown], [word for _, word in shown])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), [row.recipe for row in rows])
    axes.set_ylim(max(len(rows), 4) - 0.4, -0.6)


def _draw_memory(axes: Axes, report: DeviceReport) -> None:
    """A bar for each batch; one that did not fit has its reason above its place."""
    rows = report.memory
    about = f", {rows[0].recipe}, {rows[0].size} px" if rows else ""
    _style(axes, f"Most memory held, by batch{about}", "y")
    if not any(row.peak_mib for row in rows):
        _nothing(axes, [row.reason for row in rows])
        return
    known = [row for row in rows if row.peak_mib]  # the first ones
    axes.bar(range(len(known)), [(row.peak_mib or 0) / 1024 for row in known], 0.6, color=GREEN)
    for place, row in enumerate(known):
        gib = (row.peak_mib or 0) / 1024
        axes.text(place, gib, f"{gib:.2f} GiB\n", ha="center", va="center", fontsize=9, color=TEXT)
    axes.set_xticks(range(len(rows)), [f"{row.batch}" for row in rows])
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.set_yticks([])
    axes.margins(y=0.3)
    if lacking := [row for row in rows if not row.peak_mib]:
        said = f"batch {lacking[0].batch}: {lacking[0].reason}"
        axes.text(0.02, 0.97, textwrap.fill(said, 58), transform=axes.transAxes, va="top", fontsize=9, color=VERMILION)


def _style(axes: Axes, title: str, grid: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=_DARK)
    axes.grid(axis=grid, color="#E6E8EC", linewidth=0.8)  # type: ignore[arg-type] # a text here, a literal there
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#B8BCC4")
    axes.tick_params(colors=TEXT, labelsize=9)


def _label(axes: Axes, text: str, value: float, place: float, gap: float = 4) -> None:
    """A word beside the end of a bar, or beside a point."""
    axes.annotate(
        text, (value, place), (gap, 0), textcoords="offset points", va="center", fontsize=9, color=TEXT, bbox=_WHITE
    )


def _nothing(axes: Axes, reasons: Sequence[str]) -> None:
    """An empty panel, with the reason of its first row."""
    said = next(filter(None, reasons), "not asked")
    text = textwrap.fill(said, 50)
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=9, color=GREY)
    axes.set_xticks([])
    axes.set_yticks([])
