"""One page about a set of images: self-contained HTML, without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from steadygan.data.health.pixels import small
from steadygan.data.health.report import Inspection
from steadygan.data.health.thumbnails import Thumbnails
from steadygan.data.work import Entry
from steadygan.names import shown
from steadygan.rundir import atomic_write

if TYPE_CHECKING:
    from jinja2 import Template


_RANDOM = 60
_CLASSES, _PER_CLASS, _BARS = 24, 6, 200
_GROUPS, _PER_GROUP = 8, 4
_REJECTED = 200


def write_page(found: Inspection, images: NDArray[np.uint8], entries: Sequence[Entry], path: Path) -> None:
    """Write what was found as one HTML file of less than 3 MB, atomically.

    `images` uint8 (N, S, S, C) are those inspected, prepared or reduced, and `entries` their lines of the index.
    Raises StorageError if `path` cannot be written.
    """
    atomic_write(path, page(found, images, entries))


def page(found: Inspection, images: NDArray[np.uint8], entries: Sequence[Entry]) -> str:
    """The text of the page; the same for the same set."""
    order = np.random.default_rng(0).permutation(len(entries)).tolist()
    classes: dict[str, list[int]] = {label: [] for label in list(found.classes)[:_CLASSES]}
    for index in order:
        some = classes.get(entries[index].label or "")
        if some is not None and len(some) < _PER_CLASS:
            some.append(index)
    remarks = [
        (it, [group[:_PER_GROUP] for group in it.groups[:_GROUPS]], it.indices[: len(it.examples)])
        for it in found.health.findings
    ]
    in_remarks = sum(sum(map(len, groups)) or len(indices) for _, groups, indices in remarks)
    pictures = len(order[:_RANDOM]) + sum(map(len, classes.values())) + in_remarks
    return _template().render(
        name=found.path.name or str(found.path),
        found=found,
        entries=entries,
        numbers={
            "images": f"{found.images:,}",
            "classes": f"{len(found.classes):,}" if found.classes else "",
            "pixels": f"{found.size}×{found.size}",
            "channels": {1: "grey", 3: "colour"}.get(found.channels, str(found.channels)),
            "rejected": f"{len(found.rejected):,}",
            "other files": f"{sum(found.passed_over.values()):,}",
        },
        remarks=remarks,
        random=order[:_RANDOM],
        classes=classes,
        bars=list(found.classes.items())[:_BARS],
        rejected=found.rejected[:_REJECTED],
        thumbnails=Thumbnails(small(images), pictures),
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    """`page.html`; all that is put into it shows as it is, names that are no UTF-8 too."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def as_text(value: Any) -> Any:
        return value if hasattr(value, "__html__") else shown(str(value))  # what is markup already stays so

    here = files("steadygan.data.health")
    environment = Environment(
        loader=FunctionLoader(lambda name: here.joinpath(name).read_text(encoding="utf-8")),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=as_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["sentence"] = lambda text: f"{text[:1].upper()}{text[1:]}."
    environment.filters["thousands"] = "{:,}".format
    environment.filters["short"] = "{:.4g}".format
    return environment.get_template("page.html")
