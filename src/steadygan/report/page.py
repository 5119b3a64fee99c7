"""What a report shows, as values: Python gathers them from run folders, the page's own script draws them.

They travel as JSON inside the page. A picture is a `data:` address, "" where its file is missing or damaged. Every text
is plain: the page escapes it. A number that is not finite is None.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Number = float | None


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Frame(_Value):
    """A grid from the fixed latents, after so many images."""

    images: int
    picture: str


class Curve(_Value):
    """A line of a panel; `values` go with the `images` of its run. A `part` of something shown already is thin."""

    name: str
    colour: str
    part: bool = False
    values: tuple[Number, ...]


class Panel(_Value):
    """One chart over images seen, as in `curves.png`; `says` explains it in a sentence to somebody new."""

    key: str
    title: str
    says: str = ""
    logarithmic: bool = False
    lowest: Number = None
    highest: Number = None
    curves: tuple[Curve, ...]


class ScoreCurve(_Value):
    """One metric under one protocol along a run; `floor` is what reals score against other reals."""

    metric: str
    better: str
    unit: str = ""
    says: str = ""
    protocol: str
    floor: Number = None
    images: tuple[int, ...]
    values: tuple[Number, ...]
    low: tuple[Number, ...]
    high: tuple[Number, ...]


class Mark(_Value):
    """A finding of the doctor, or an act of care (`act` says it in a word), where it arose on the axis of images."""

    images: int
    severity: Literal["info", "warning", "serious"]
    rule: str
    act: str = ""
    says: str
    evidence: str
    causes: str = ""
    remedy: str = ""
    unless: str = ""
    source: str = ""
    picture: str = ""
    back_to: int | None = None


class Remark(_Value):
    """A line of the observation log."""

    images: int
    time: str
    author: str
    text: str


class Changed(_Value):
    """A setting that differs from the recipe's, both as text."""

    setting: str
    here: str
    recipe: str


class Source(_Value):
    """A paper or document; `address` is "" where there is none."""

    title: str
    address: str = ""


class Recipe(_Value):
    """What the run's recipe is, in its own words, and where it comes from."""

    name: str
    about: str = ""
    sources: tuple[Source, ...] = ()


class RunPage(_Value):
    """All that is shown of one run. `ended` says in one sentence how it ended and how it went.

    `facts` are (label, text); `commands` (what it does, command); `missing` are sentences on what could not be read.
    `images` is the axis of all panels, thinned; None in `values` there is a gap, after a set-back too.
    """

    name: str
    ended: str
    facts: tuple[tuple[str, str], ...]
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
    notes: tuple[Remark, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()


class Difference(_Value):
    """A setting in which runs of one report differ, a text for each."""

    setting: str
    values: tuple[str, ...]


class Page(_Value):
    """A report. `remark` says what its size made necessary, "" if nothing."""

    title: str
    written: str
    version: str
    runs: tuple[RunPage, ...]
    differences: tuple[Difference, ...] = ()
    remark: str = ""
