"""What a report shows, as values: Python gathers them from run folders, the page's own script draws them.

They travel as JSON inside the page. A picture is a `data:` address, "" where its file is missing or damaged. Every text
is plain: the page escapes it; what a terminal would obey, but ends of lines, is spelled out already. A number that is
not finite is None.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from steadygan.names import shown

Text = Annotated[str, AfterValidator(lambda text: "\n".join(map(shown, text.split("\n"))))]
Number = Annotated[
    float | None, BeforeValidator(lambda value: value if value is None or math.isfinite(value) else None)
]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Frame(_Value):
    """A grid from the fixed latents, after so many images."""

    images: int
    picture: str


class Curve(_Value):
    """A line of a panel; `values` go with the `images` of its run. A `part` of something shown already is thin."""

    name: Text
    colour: str
    part: bool = False
    values: tuple[Number, ...]


class Panel(_Value):
    """One chart over images seen, as in `curves.png`; `says` explains it in a sentence to somebody new."""

    key: str
    title: Text
    says: Text = ""
    logarithmic: bool = False
    lowest: Number = None
    highest: Number = None
    curves: tuple[Curve, ...]


class ScoreCurve(_Value):
    """One metric under one protocol along a run; `floor` is what reals score against other reals."""

    metric: Text
    better: str
    unit: Text = ""
    says: Text = ""
    protocol: Text
    floor: Number = None
    images: tuple[int, ...]
    values: tuple[Number, ...]
    low: tuple[Number, ...]
    high: tuple[Number, ...]


class Mark(_Value):
    """A finding of the doctor, or an act of care (`act` says it in a word), where it arose on the axis of images.

    The run was set back from what is `past`.
    """

    images: int
    severity: Literal["info", "warning", "serious"]
    rule: Text
    act: Text = ""
    says: Text
    evidence: Text
    causes: Text = ""
    remedy: Text = ""
    unless: Text = ""
    source: Text = ""
    picture: str = ""
    back_to: int | None = None
    past: bool = False


class LoggedNote(_Value):
    """A line of the observation log."""

    images: int
    time: Text
    author: Text
    text: Text


class Changed(_Value):
    """A setting that differs from the recipe's, both as text."""

    setting: Text
    here: Text
    recipe: Text


class Source(_Value):
    """A paper or document; `address` is "" where there is none."""

    title: Text
    address: Text = ""


class Recipe(_Value):
    """What the run's recipe is, in its own words, a paragraph a line, and where it comes from."""

    name: Text
    about: Text = ""
    sources: tuple[Source, ...] = ()


class RunPage(_Value):
    """All that is shown of one run. `ended` says in one sentence how it ended and how it went.

    `facts` are (label, text); `commands` (what it does, command); `missing` are sentences on what could not be read.
    `images` is the axis of all panels, thinned; None in `values` there is a gap, after a set-back too.
    """

    name: Text
    ended: Text
    facts: tuple[tuple[Text, Text], ...]
    montage: str = ""
    inputs: str = ""
    nearest: str = ""
    best: int | None = None
    frames: tuple[Frame, ...] = ()
    images: tuple[int, ...] = ()
    panels: tuple[Panel, ...] = ()
    scores: tuple[ScoreCurve, ...] = ()
    marks: tuple[Mark, ...] = ()
    changed: tuple[Changed, ...] | None = ()
    recipe: Recipe
    notes: tuple[LoggedNote, ...] = ()
    commands: tuple[tuple[Text, Text], ...] = ()
    missing: tuple[Text, ...] = ()


class Difference(_Value):
    """A setting in which runs of one report differ, a text for each."""

    setting: Text
    values: tuple[Text, ...]


class Page(_Value):
    """A report. `remark` says what its size made necessary, "" if nothing."""

    title: Text
    written: Text
    version: Text
    runs: tuple[RunPage, ...]
    differences: tuple[Difference, ...] = ()
    remark: Text = ""
