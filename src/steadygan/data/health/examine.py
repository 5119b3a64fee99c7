"""Everything there is to say about the health of a set of images, from its pixels and its index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from steadygan.data.health import outliers, whole
from steadygan.data.health.duplicates import SMALLEST, find_duplicates
from steadygan.data.health.findings import Health, Histogram, Remark, Seen
from steadygan.data.health.measures import measure
from steadygan.data.health.pixels import small
from steadygan.data.indices import joined
from steadygan.data.work import BUILTIN, Entry

Check = Callable[[Seen], Remark | None]

_OF_PICTURES: tuple[Check, ...] = (
    whole.labels,
    whole.exact,
    whole.near,
    whole.mirrored,
    outliers.blank,
    outliers.blurred,
    whole.detail,
    outliers.brightness,
    outliers.colour,
    outliers.grey,
)
_OF_SETS: tuple[Check, ...] = (
    whole.few,
    whole.classes,
    whole.thin,
    whole.enlarged,
    whole.dark,
    outliers.size,
    outliers.shape,
)
_GRAVITY = {"serious": 0, "warning": 1, "info": 2}
_BINS = 24


def examine(
    images: NDArray[np.uint8],
    entries: Sequence[Entry],
    factors: Mapping[int, float] | None = None,
    size: int | None = None,
) -> Health:
    """The health of images uint8 (N, S, S, C), in memory or mapped from disk, with their lines of the index.

    `factors` has the true resolution of files that were looked at closely, by index (see `resolution`).
    `size` is the side in pixels that the set is prepared at, if `images` are smaller than that: those of 128
    pixels and more are looked at after a reduction to 64 to 127. Memory: some 100 MB and 120 bytes an
    image. Images of fewer than 8 pixels per side are no pictures; only their number and labels are looked at.
    Duplicates are not looked for among drawings of a built-in set: however alike two are, each was drawn by itself.
    """
    if not len(images):
        return Health(images=0)
    pixels = small(images)
    measures = measure(pixels)
    blank = measures.contrast < outliers.BLANK
    pictures = pixels.shape[1] >= SMALLEST
    drawn = all(entry.format == BUILTIN for entry in entries)
    duplicates = find_duplicates(pixels, measures, blank if pictures and not drawn else np.ones_like(blank))
    seen = Seen(pixels, entries, measures, duplicates, blank, size or images.shape[1], factors or {})
    found = [check(seen) for check in (_OF_PICTURES if pictures else ()) + _OF_SETS]
    return Health(
        images=len(images),
        findings=tuple(sorted((it for it in found if it), key=lambda it: _GRAVITY[it.severity])),
        histograms=_histograms(seen) if pictures else {},
        looked_closely=len(seen.factors),
        families=joined(duplicates.exact + duplicates.near),
    )


def _histograms(seen: Seen) -> dict[str, Histogram]:
    sizes = np.array([entry.size for entry in seen.entries], np.float64).reshape(-1, 2)
    values = {
        "width": sizes[:, 0],
        "height": sizes[:, 1],
        "width / height": sizes[:, 0] / np.maximum(sizes[:, 1], 1),
        "brightness": seen.measures.brightness,
        "contrast": seen.measures.contrast,
        "sharpness": seen.measures.sharpness,
    }
    return {name: _histogram(np.asarray(numbers, np.float64)) for name, numbers in values.items()}


def _histogram(values: NDArray[np.float64]) -> Histogram:
    """Bins between the 0.5th and the 99.5th percentile, so that one giant does not press all others into one bin."""
    low, high = np.percentile(values, [0.5, 99.5])
    if high - low < 1e-6:
        low, high = low - 0.5, low + 0.5
    counts, edges = np.histogram(np.clip(values, low, high), _BINS, (low, high))
    return Histogram(edges=tuple(np.round(edges, 4).tolist()), counts=tuple(counts.tolist()))
