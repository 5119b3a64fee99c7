"""One page about a set of images: self-contained HTML, without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from steadygan.data.health.findings import Histogram, Remark
from steadygan.data.health.pixels import small
from steadygan.data.health.thumbnails import Thumbnails, escape
from steadygan.data.work import Entry
from steadygan.rundir import atomic_write

if TYPE_CHECKING:
    from steadygan.data.inspection import Inspection

_RANDOM = 60
_CLASSES, _PER_CLASS, _BARS = 24, 6, 200
_GROUPS, _PER_GROUP = 8, 4
_REJECTED = 200
_WIDTH, _HEIGHT = 240, 90


def write_page(found: Inspection, images: NDArray[np.uint8], entries: Sequence[Entry], path: Path) -> None:
    """Write what was found as one HTML file of less than 3 MB, atomically.

    `images` uint8 (N, S, S, C) are those inspected, prepared or reduced, and `entries` their lines of the index.
    Raises StorageError if `path` cannot be written.
    """
    atomic_write(path, page(found, images, entries))


def page(found: Inspection, images: NDArray[np.uint8], entries: Sequence[Entry]) -> str:
    """The text of the page; the same for the same set."""
    picked = _Picked(found, entries)
    thumbnails = Thumbnails(small(images), picked.number)
    style = files("steadygan.data.health").joinpath("page.css").read_text(encoding="utf-8")
    name = escape(found.path.name or str(found.path))
    body = "\n".join(
        part
        for part in (
            f"<h1>{name}</h1><p class=where>{escape(str(found.path))}</p>",
            _headline(found),
            _findings(found, entries, thumbnails),
            _montage(picked.random, entries, thumbnails),
            _by_class(found, picked, entries, thumbnails),
            _histograms(found.health.histograms),
            _rejected(found),
            _table(found),
        )
        if part
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{name}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


class _Picked:
    """Which images are shown, so that their number is known before the first is drawn."""

    def __init__(self, found: Inspection, entries: Sequence[Entry]) -> None:
        order = np.random.default_rng(0).permutation(len(entries))
        self.random = [int(index) for index in order[:_RANDOM]]
        self.classes: dict[str, list[int]] = {label: [] for label in list(found.classes)[:_CLASSES]}
        for index in order:
            some = self.classes.get(entries[index].label or "", None)
            if some is not None and len(some) < _PER_CLASS:
                some.append(int(index))
        shown = sum(len(_shown(finding)) for finding in found.health.findings)
        self.number = len(self.random) + sum(map(len, self.classes.values())) + shown


def _shown(finding: Remark) -> list[int]:
    """The indices of the images shown with a finding."""
    if finding.groups:
        return list(chain.from_iterable(group[:_PER_GROUP] for group in finding.groups[:_GROUPS]))
    return list(finding.indices[: len(finding.examples)])


def _headline(found: Inspection) -> str:
    numbers = {
        "images": f"{found.images:,}",
        "classes": f"{len(found.classes):,}" if found.classes else "",
        "pixels": f"{found.size}×{found.size}",
        "channels": {1: "grey", 3: "colour"}.get(found.channels, str(found.channels)),
        "rejected": f"{len(found.rejected):,}",
        "other files": f"{sum(found.passed_over.values()):,}",
    }
    cells = "".join(f"<div><b>{value}</b>{name}</div>" for name, value in numbers.items() if value)
    notes = "".join(f"<p class=note>{escape(_sentence(note))}</p>" for note in found.notes)
    return f"<div class=numbers>{cells}</div><p>{escape(found.converted)}</p>{notes}"


def _findings(found: Inspection, entries: Sequence[Entry], thumbnails: Thumbnails) -> str:
    if not found.health.findings:
        return "<h2>Findings</h2><p>Nothing was found that would trouble training.</p>"
    return "<h2>Findings</h2>" + "".join(_finding(it, entries, thumbnails) for it in found.health.findings)


def _finding(finding: Remark, entries: Sequence[Entry], thumbnails: Thumbnails) -> str:
    text = (
        f"<p><span class=tag>{finding.severity}</span> {escape(_sentence(finding.sentence))}</p>"
        f"<p class=remedy>{escape(_sentence(finding.remedy))}</p>"
    )
    if finding.groups:
        groups = finding.groups[:_GROUPS]
        rows = (_figures(group[:_PER_GROUP], entries, thumbnails, captions=True) for group in groups)
        more = _more(len(finding.groups) - len(groups), "group")
        pictures = f"<div class=groups>{''.join(f'<div class=group>{row}</div>' for row in rows)}</div>{more}"
    else:
        shown = _shown(finding)
        captions = finding.captions or ("",) * len(shown)
        pictures = "".join(
            thumbnails.figure(index, entries[index].file, caption)
            for index, caption in zip(shown, captions, strict=False)
        )
        pictures = f"<div class=pictures>{pictures}</div>" if pictures else ""
        pictures += _more(finding.count - len(shown), "image") if shown else ""
    names = "".join(f"<li>{escape(file)}</li>" for file in finding.examples)
    listed = f"<details><summary>Files</summary><ul>{names}</ul></details>" if names else ""
    return f'<section class="finding {finding.severity}">{text}{pictures}{listed}</section>'


def _sentence(text: str) -> str:
    """A clause as a sentence of its own."""
    return f"{text[:1].upper()}{text[1:]}."


def _more(number: int, word: str) -> str:
    return f"<p class=more>and {number:,} more {word}{'s' * (number != 1)}</p>" if number > 0 else ""


def _figures(indices: Iterable[int], entries: Sequence[Entry], thumbnails: Thumbnails, captions: bool = False) -> str:
    names = ((index, entries[index].file) for index in indices)
    return "".join(thumbnails.figure(index, name, name if captions else "") for index, name in names)


def _montage(indices: Sequence[int], entries: Sequence[Entry], thumbnails: Thumbnails) -> str:
    if not thumbnails.visible:
        return ""
    return f"<h2>Random images</h2><div class=pictures>{_figures(indices, entries, thumbnails)}</div>"


def _by_class(found: Inspection, picked: _Picked, entries: Sequence[Entry], thumbnails: Thumbnails) -> str:
    if not found.classes:
        return ""
    most = max(found.classes.values())
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td class=bar><i style='width:{number / most:.1%}'></i></td>"
        f"<td class=number>{number:,}</td></tr>"
        for name, number in list(found.classes.items())[:_BARS]
    )
    more = _more(len(found.classes) - _BARS, "class").replace("classs", "classes")
    bars = f"<table class=bars>{rows}</table>{more}"
    if not thumbnails.visible:
        return f"<h2>Classes</h2>{bars}"
    montages = "".join(
        f"<section class=class><h3>{escape(name)}</h3><div class=pictures>"
        f"{_figures(indices, entries, thumbnails)}</div></section>"
        for name, indices in picked.classes.items()
    )
    return f"<h2>Classes</h2>{bars}<div class=classes>{montages}</div>"


def _histograms(histograms: dict[str, Histogram]) -> str:
    if not histograms:
        return ""
    charts = "".join(
        f"<figure class=chart>{_chart(name, it)}<figcaption>{escape(name)}</figcaption></figure>"
        for name, it in histograms.items()
    )
    return f"<h2>How the images spread</h2><div class=charts>{charts}</div>"


def _chart(name: str, histogram: Histogram) -> str:
    """Bars as an SVG; pointed at, each says its range and count."""
    most, step = max(histogram.counts) or 1, _WIDTH / len(histogram.counts)
    bars = "".join(
        f'<rect x="{at * step:.1f}" y="{_HEIGHT * (1 - count / most):.1f}" width="{step - 1:.1f}" '
        f'height="{_HEIGHT * count / most:.1f}"><title>{low:.4g} to {high:.4g}: {count:,}</title></rect>'
        for at, (count, low, high) in enumerate(
            zip(histogram.counts, histogram.edges[:-1], histogram.edges[1:], strict=True)
        )
    )
    low, high = histogram.edges[0], histogram.edges[-1]
    label = escape(f"{name}: {low:.4g} to {high:.4g}", quote=True)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 18}" role="img" aria-label="{label}">{bars}'
        f'<line x1="0" y1="{_HEIGHT}" x2="{_WIDTH}" y2="{_HEIGHT}"/>'
        f'<text x="0" y="{_HEIGHT + 14}">{low:.4g}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT + 14}" text-anchor="end">{high:.4g}</text></svg>'
    )


def _rejected(found: Inspection) -> str:
    if not found.rejected:
        return ""
    rows = "".join(
        f"<tr><th>{escape(it.file)}</th><td>{escape(it.reason)}</td></tr>" for it in found.rejected[:_REJECTED]
    )
    more = _more(len(found.rejected) - _REJECTED, "file")
    return f"<h2>Files that cannot be used</h2><table class=rejected>{rows}</table>{more}"


def _table(found: Inspection) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in found.rows().items())
    return f"<h2>In numbers</h2><table class=facts>{rows}</table>"
