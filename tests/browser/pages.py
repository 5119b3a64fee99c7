"""Pages to look at: a run that went well, one that did not, several, one without anything."""

from __future__ import annotations

import base64
import math
from io import BytesIO
from typing import Any

from PIL import Image

from steadygan.report.page import (
    Changed,
    Curve,
    Difference,
    Frame,
    LoggedNote,
    Mark,
    Page,
    Panel,
    Recipe,
    RunPage,
    ScoreCurve,
    Source,
)

HOSTILE = '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script></script><!--<script>\'&amp;'


def picture(shade: int) -> str:
    file = BytesIO()
    Image.new("RGB", (32, 32), (shade % 256, 90, 160)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def mark(images: int, text: str = "the pictures are alike", **other: Any) -> Mark:
    given = {"severity": "serious", "rule": "mode-collapse", "evidence": "a distance of 0.01, 0.2 of reals"}
    return Mark.model_validate(given | {"images": images, "says": text, "remedy": "--recipe steady; wait"} | other)


def run(name: str = "a", frames: int = 12, ticks: int = 200, text: str = "", **other: Any) -> RunPage:
    """A run of 1,200 images, with a finding and an act of care; `text` is put wherever a text can be."""
    images = tuple(round(1200 * (index + 1) / ticks) for index in range(ticks))
    falling = tuple(None if index == ticks // 2 else 1 + math.exp(-index / 40) for index in range(ticks))
    panels = (("loss", "Loss", False), ("gradients", "Gradient norm", True))
    given: dict[str, Any] = {
        "name": name + text,
        "ended": f"Finished after 1,200 images{text}.",
        "facts": (("Trained on", f"12 squares{text}"),),
        "montage": picture(7),
        "best": 800,
        "frames": tuple(Frame(images=100 * (at + 1), picture=picture(20 * at)) for at in range(frames)),
        "images": images,
        "panels": tuple(
            Panel(
                key=key,
                title=title + text,
                says="What it is" + text,
                logarithmic=logarithmic,
                curves=(Curve(name="discriminator" + text, colour="#0072B2" + text, values=falling),),
            )
            for key, title, logarithmic in panels
            if ticks
        ),
        "scores": (
            ScoreCurve(
                metric="swd" + text,
                better="lower",
                protocol="64 pictures" + text,
                floor=0.5,
                images=(400, 800, 1200),
                values=(3.0, 1.0, 2.0),
                low=(2.5, None, 1.5),
                high=(3.5, None, 2.5),
            ),
        ),
        "marks": (
            mark(600, "the pictures are alike" + text, causes=text, unless=text, source=text),
            mark(700, "began again" + text, act="set back", severity="info", back_to=0),
        ),
        "changed": (Changed(setting="batch" + text, here="4" + text, recipe="64" + text),),
        "recipe": Recipe(
            name="dcgan" + text,
            about="A recipe" + text,
            sources=(
                Source(title="A paper", address="https://example.org/p"),
                Source(title="b", address="javascript:1"),
            ),
        ),
        "notes": (LoggedNote(images=0, time="2026-01-01T10:00:00+00:00", author="user", text="lower rate" + text),),
        "commands": (("Repeat it", "steadygan train squares/ --seed 0" + text),),
        "missing": ("nearest.png is not there" + text,),
    }
    return RunPage.model_validate(given | other)


def page(*runs: RunPage, **other: Any) -> Page:
    return Page(title="squares", written="2026-01-01T11:00:00+00:00", version="1.0", runs=runs, **other)


def empty() -> Page:
    bare = {"scores": (), "marks": (), "montage": "", "best": None, "missing": (), "changed": None, "facts": ()}
    return page(run(frames=0, ticks=0, **bare))


def compared() -> Page:
    later = tuple(Frame(images=images, picture=picture(images // 5)) for images in (500, 1000))
    other = run("b", ticks=60, best=None, marks=()).model_copy(update={"frames": later})
    return page(run(), other, differences=(Difference(setting="batch", values=("4", "8")),))
