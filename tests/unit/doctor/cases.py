"""Hand-made cases for the doctor's rules: what a run would have written, told as names and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steadygan.doctor.case import SCORES, SIGNALS, Case, Series, series_of

Columns = Mapping[str, Sequence[float]]
NONE: Columns = {}
BATCH = 50


def case(
    ticks: Columns = NONE, signals: Columns = NONE, scores: Columns = NONE, images: int = 100_000, **fields: Any
) -> Case:
    """A run of so many images, by default at the end of its budget; each column is spread evenly over it.

    `fields` are those of `Case`; a column of one value stands at the end of the run.
    """
    series = {
        prefix + name: spread(values, images)
        for prefix, columns in (("", ticks), (SIGNALS, signals), (SCORES, scores))
        for name, values in columns.items()
    }
    return Case(series, **{"budget_images": images, "training": 10_000, "held_out": 1_000} | fields)


def spread(values: Sequence[float], images: int) -> Series:
    """Values at equal distances, the last one after all images."""
    seen = [images * (place + 1) // len(values) for place in range(len(values))]
    return series_of([(at // BATCH, at, value) for at, value in zip(seen, values, strict=True)])
