"""What values show of themselves in a notebook: HTML for light and dark themes, without scripts, all text escaped."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from steadygan.names import shown

_MOST_BYTES = 400_000  # of a picture; servers of notebooks hold back what comes at more than 1 MB a second
_MOST_PIXELS = 640
_POINTS = 120
_WIDTH, _HEIGHT = 140, 44
_FAINT = "rgba(128,128,128,.35)"  # on any ground


def text(value: object) -> str:
    """Any text as HTML on one line."""
    return escape(shown(value))


def card(title: str, *parts: str) -> str:
    """A titled box of parts that are HTML, side by side where there is room; empty ones are left out."""
    inside = "".join(f'<div style="max-width:44em">{part}</div>' for part in parts if part)
    return (
        f'<div style="display:inline-block;border:1px solid {_FAINT};border-radius:8px;padding:10px 14px;'
        'max-width:70em;line-height:1.5;font-size:13px;white-space:normal">'
        f'<div style="font-weight:600;font-size:15px;margin-bottom:6px">{text(title)}</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:10px 22px;align-items:flex-start">{inside}</div></div>'
    )


def lines(sentences: Iterable[str]) -> str:
    """Plain sentences, each on a line of its own."""
    return "".join(f"<div>{text(sentence)}</div>" for sentence in sentences)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Plain cells; all columns but the first are aligned to the right, as numbers are."""
    body = "".join(_row("td", row) for row in rows)
    style = "border-collapse:collapse;margin:4px 0;font-size:inherit;color:inherit"
    return f'<table style="{style}">{_row("th", head)}{body}</table>' if body else ""


def _row(kind: str, cells: Sequence[object]) -> str:
    style = (
        f"padding:1px 14px 1px 0;white-space:nowrap;border-bottom:1px solid {_FAINT};background:transparent;text-align:"
    )
    sides = ("left", *("right",) * (len(cells) - 1))
    inside = "".join(
        f'<{kind} style="{style}{side}">{text(it)}</{kind}>' for it, side in zip(cells, sides, strict=True)
    )
    return f'<tr style="background:transparent">{inside}</tr>'


def picture(content: bytes, says: str, width: int = 320) -> str:
    """A picture of so many pixels, or fewer where there is less room; "" if there is none."""
    if not content:
        return ""
    style = f"width:{width}px;max-width:100%;border-radius:4px;margin:0"
    return f'<img src="{address(content)}" alt="{text(says)}" title="{text(says)}" style="{style}">'


def address(content: bytes) -> str:
    """A picture as an address that holds it: PNG, WebP or JPEG."""
    kind = {b"\x89PNG": "png", b"RIFF": "webp"}.get(content[:4], "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def small(file: Path) -> bytes:
    """The bytes of a picture as a card can hold them: a large one is made smaller; b"" if it cannot be read."""
    from PIL import Image

    try:
        content = file.read_bytes()
        if len(content) <= _MOST_BYTES:
            return content
        with Image.open(io.BytesIO(content)) as image:
            image.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
            image.convert("RGB").save(made := io.BytesIO(), "JPEG", quality=88)
        return made.getvalue()
    except Exception:  # noqa: BLE001 - of a file that is being written, or damaged, Pillow raises anything
        return b""


def curve(name: str, colour: str, values: Sequence[float]) -> str:
    """A small curve and its last value; a spike leaves through the top or the bottom. "" without any value."""
    means = _means(values)
    finite = sorted(value for value in means if math.isfinite(value))
    if not finite:
        return ""
    low, high = finite[len(finite) // 50], finite[-1 - len(finite) // 50]
    across, up = _WIDTH / max(len(means) - 1, 1), 0.92 * _HEIGHT / (high - low or 1)
    places = " ".join(
        f"{across * index:.1f},{0.96 * _HEIGHT - up * (value - low):.1f}"
        for index, value in enumerate(means)
        if math.isfinite(value)
    )
    last = next(value for value in reversed(means) if math.isfinite(value))
    return (
        f'<div style="display:inline-block;margin:4px 14px 4px 0;font-size:12px">{text(name)} <b>{last:.3g}</b>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" style="display:block;width:{_WIDTH}px;'
        f'height:{_HEIGHT}px;border-bottom:1px solid {_FAINT}"><polyline points="{places}" fill="none" '
        f'stroke="{colour}" stroke-width="1.6" vector-effect="non-scaling-stroke"/></svg></div>'
    )


def _means(values: Sequence[float]) -> list[float]:
    """At most so many means of neighbours as are worth drawing."""
    count = min(len(values), _POINTS)
    parts = [values[len(values) * it // count : len(values) * (it + 1) // count] for it in range(count)]
    known = [[value for value in part if math.isfinite(value)] for part in parts]
    return [sum(part) / len(part) if part else math.nan for part in known]
