"""How measures answer to what is done to pictures: a table in colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steadygan.rundir import atomic_path

_SHOWN = 30.0


def save_answers(
    rows: Sequence[str],
    columns: Sequence[str],
    strength: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    path: Path,
) -> None:
    """Draw a table (rows, columns) with `texts` in cells coloured by `strength`: red above 0, blue below.

    Strength is in half widths of the interval; colours are logarithmic from 1 on and end at 30.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import SymLogNorm
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.6 + 0.62 * len(columns), 1.3 + 0.36 * len(rows)), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    norm = SymLogNorm(1, vmin=-_SHOWN, vmax=_SHOWN)
    drawn = axes.imshow(np.clip(strength, -_SHOWN, _SHOWN), cmap="RdBu_r", norm=norm, aspect="auto")
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            dark = abs(strength[row][column]) > _SHOWN / 8
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "#2B2F36")
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="left", rotation_mode="anchor", fontsize=9)
    axes.set_yticks(range(len(rows)), rows, fontsize=9)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, ticks=[-_SHOWN, -10, -3, 0, 3, 10, _SHOWN])
    bar.ax.set_yticklabels([f"{_SHOWN:.0f} better", "10", "3", "0", "3", "10", f"{_SHOWN:.0f} worse"])
    bar.set_label("change, in half widths of the interval of 95 %", fontsize=9)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=100)
