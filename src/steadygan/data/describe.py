"""`dataset.json`: what a data set is, in one file."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from steadygan.data.advice import advice, conversions
from steadygan.data.growing import Growing
from steadygan.data.health import Health
from steadygan.data.mapped import blocks
from steadygan.data.plan import Plan
from steadygan.data.settings import FORMAT, READING
from steadygan.data.sources.items import Rejection
from steadygan.spec import ImageSpec
from steadygan.version import __version__

_NOTES = 10


def describe(
    plan: Plan,
    growing: Growing,
    rejected: Sequence[Rejection],
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    names: tuple[str, ...],
    held_out: NDArray[np.int64],
    health: Health,
) -> dict[str, Any]:
    """All of `dataset.json` for images uint8 (N, S, S, C) with their labels (N,) and the indices held out."""
    entries = growing.entries
    _, size, _, channels = pixels.shape
    classes = Counter(entry.label for entry in entries) if names else Counter()
    return {
        "format": FORMAT,
        "reading": READING,
        "digest": digest_of(pixels, labels, held_out),
        "spec": ImageSpec(size=size, channels=channels, classes=len(names)).model_dump(),
        "counts": {
            "images": len(entries),
            "held_out": len(held_out),
            "rejected": len(rejected),
            "try_again": sum(it.passing for it in rejected),
            "enlarged": sum(entry.enlarged for entry in entries),
            "grey": sum(entry.grey for entry in entries),
            "passed_over": plan.with_passed_over(growing.passed_over),
            "classes": {name: classes[name] for name in names},
        },
        "class_names": names,
        "converted": conversions(entries, channels),
        "notes": plan.notes[:_NOTES],
        "advice": [
            *plan.notes[:_NOTES],
            *advice(entries, rejected, health),
            *_of_split(plan, held_out),
        ],
        "health": health.model_dump(mode="json", exclude={"families"}),
        "settings": plan.settings.model_dump(),
        "sources": [source.model_dump(mode="json") for source in plan.sources],
        "origin": plan.origin,
        "fingerprint": plan.fingerprint,
        "key": plan.key,
        "versions": {
            "steadygan": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pillow": PIL.__version__,
        },
    }


def _of_split(plan: Plan, held_out: NDArray[np.int64]) -> Iterator[str]:
    if plan.settings.held_out and not len(held_out) and len(plan.tasks):
        yield (
            "no image is held out: there are fewer than ten, or all belong together, as overlapping tiles of one image "
            "do; scores will be of images that were trained on"
        )


def digest_of(pixels: NDArray[np.uint8], labels: NDArray[np.int64] | None, held_out: NDArray[np.int64]) -> str:
    """SHA-256 over the form, the pixels, the labels and which images are held out."""
    digest = hashlib.sha256(f"{pixels.shape} {labels is not None}".encode())
    for block in blocks(pixels, 64):
        digest.update(block.tobytes())
    if labels is not None:
        digest.update(labels.astype("<i8").tobytes())
    digest.update(held_out.astype("<i8").tobytes())
    return digest.hexdigest()
