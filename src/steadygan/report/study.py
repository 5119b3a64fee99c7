"""The page of a study of ablations: what helped, with every seed's dot, the sentences, and the pictures beside."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from steadygan.names import shown
from steadygan.records import now
from steadygan.report import pictures
from steadygan.report.document import document
from steadygan.runs import Run
from steadygan.runs.study import FEWEST, Dot, Effect, StudyTable, run_name
from steadygan.runs.study_words import amount, how_to_read, interval_words, ratio, share, signed, verdict
from steadygan.version import __version__

__all__ = ["study_page"]

MOST = 6_000_000
"""Characters of all pictures."""

_MOST_SEEDS = 4  # of which pictures are shown
_FORMS = tuple(form for form in pictures.ENCODINGS if form.side <= 530)
_WIDTH, _HEIGHT = 600, 34  # of a strip, in its own units
_EDGE = 10


class SeedMark(NamedTuple):
    """A seed in a strip: where it is, what it says when pointed at, and whether it lies beyond the border."""

    x: float
    y: float
    says: str
    diverged: bool
    beyond: int


class VariantStrip(NamedTuple):
    """The dots, the mean and the interval of a variant; `low` and `high` None where there is no interval."""

    marks: tuple[SeedMark, ...]
    mean: float | None
    low: float | None
    high: float | None


class SeedRow(NamedTuple):
    """One seed of a variant in numbers, and where its two runs lie, "" where they do not."""

    seed: int
    value: str
    base: str
    difference: str
    run: str
    base_run: str


class VariantRow(NamedTuple):
    """A variant; `rest` of its sentence is what follows its name."""

    title: str
    tone: str
    verdict: str
    sentence: str
    strip: VariantStrip
    seeds: tuple[SeedRow, ...]
    cells: tuple[str, ...]


class VariantPictures(NamedTuple):
    """The last fixed samples of a variant, one for each seed shown, "" where there are none."""

    title: str
    pictures: tuple[str, ...]


def study_page(table: StudyTable, folder: Path, beside: Path) -> str:
    """The page as the text of one HTML file, which is to lie in `beside`; links lead to runs in `folder`."""
    asked = table.question
    rows = tuple(_row(table, one, _Links(folder, beside)) for one in table.effects)
    seeds = asked.seeds[:_MOST_SEEDS]
    return document(
        "report",
        ("base.css", "report.css", "study.css"),
        (),
        body="study.html",
        title=shown(f"What helped: {asked.recipe}" if asked.recipe else "What helped"),
        headline=_headline(table),
        facts=_facts(table),
        rows=rows,
        base=(asked.title(asked.base), _mean(table.base.mean), share(table.base)),
        ticks=_ticks(table.reach()),
        zero=_WIDTH / 2,
        width=_WIDTH,
        height=_HEIGHT,
        ends=("← better", "worse →") if table.better == "lower" else ("← worse", "better →"),
        metric=shown(asked.metric),
        seeds=seeds,
        shown=_pictures(table, folder, seeds),
        how=how_to_read(asked),
        written=now(),
        version=__version__,
    )


class _Links(NamedTuple):
    """How a page in `beside` leads to the runs of a study."""

    folder: Path
    beside: Path

    def to(self, variant: str, seed: int) -> str:
        """The report of a run if there is one, else its folder; "" if there is none."""
        run = self.folder / "runs" / run_name(variant, seed)
        target = run / "report.html" if (run / "report.html").exists() else run
        if not target.exists():
            return ""
        try:
            path = os.path.relpath(target.absolute(), self.beside.absolute())
        except ValueError:  # on another drive
            return ""
        return quote(Path(path).as_posix(), errors="surrogateescape") + ("" if target.suffix else "/")


def _headline(table: StudyTable) -> str:
    verdicts = [one.verdict for one in table.effects]
    variants = f"Of {len(verdicts)} {'variant' if len(verdicts) == 1 else 'variants'}"
    told = [f"{verdicts.count(word)} {word}" for word in ("helped", "hurt") if word in verdicts]
    left = verdicts.count("not decided")
    rest = f", {left} {'is' if left == 1 else 'are'} not decided at this budget" if left else ""
    said = [f"{variants} {' and '.join(told)}{rest}." if told else f"{variants} none is decided at this budget."]
    seeds = len(table.question.seeds)
    if seeds < FEWEST:
        said.append(
            f"{seeds} {'seed is' if seeds == 1 else 'seeds are'} too few to decide anything, {FEWEST} the least."
        )
    if table.ended < table.question.runs:
        said.append(f"So far {table.ended} of {table.question.runs} runs have ended.")
    return " ".join(said)


def _facts(table: StudyTable) -> list[tuple[str, str]]:
    asked, base = table.question, table.base
    spread = "" if base.spread is None else f" ± {amount(base.spread)}"
    facts = {
        "images": asked.data,
        "each run": asked.budget,
        "seeds": str(len(asked.seeds)),
        "score": f"{asked.metric}, {table.better} is better",
        "measured on": asked.protocol,
        "base": "" if base.mean is None else f"{amount(base.mean)}{spread}",
        "reals score": "" if base.floor is None else amount(base.floor),
    }
    return [(name, shown(text)) for name, text in facts.items() if text]


def _row(table: StudyTable, effect: Effect, links: _Links) -> VariantRow:
    title = shown(table.question.title(effect.variant))
    return VariantRow(
        title=title,
        tone={"helped": "helped", "hurt": "serious"}.get(effect.verdict, "quiet"),
        verdict=verdict(effect),
        sentence=shown(table.sentences.get(effect.variant, "")),
        strip=_strip(effect, table.reach()),
        seeds=tuple(_seed_row(table, effect, dot, links) for dot in effect.dots),
        cells=(
            _mean(effect.arm.mean),
            "–" if effect.mean is None else signed(effect.mean),
            interval_words(effect) or "–",
            f"{effect.better_at} of {len(effect.dots)}" if effect.dots else "–",
            "–" if effect.p_holm is None else f"{max(effect.p_holm, 0.0001):.2g}",
            ratio(effect.time) or "–",
            ratio(effect.memory) or "–",
            share(effect.arm) or "–",
        ),
    )


def _mean(value: float | None) -> str:
    return "–" if value is None else amount(value)


def _seed_row(table: StudyTable, effect: Effect, dot: Dot, links: _Links) -> SeedRow:
    return SeedRow(
        seed=dot.seed,
        value=_score(dot.value),
        base=_score(dot.base),
        difference=signed(dot.difference),
        run=links.to(effect.variant, dot.seed),
        base_run=links.to(table.question.base, dot.seed),
    )


def _score(value: float | None) -> str:
    return "diverged" if value is None else amount(value)


def _strip(effect: Effect, reach: float) -> VariantStrip:
    places = len(effect.dots)
    marks = []
    for place, dot in enumerate(effect.dots):
        height = _HEIGHT / 2 + 10 * (place - (places - 1) / 2) / max(places - 1, 1)
        at = min(max(dot.difference, -reach), reach)
        says = f"seed {dot.seed}: {signed(dot.difference)} ({_score(dot.value)} against {_score(dot.base)})"
        beyond = (dot.difference > reach) - (dot.difference < -reach)
        marks.append(SeedMark(_x(at, reach), round(height, 1), says, bool(dot.diverged), beyond))
    low, high = (
        None if value is None else _x(value, reach) if abs(value) <= reach else _WIDTH * (value > 0)
        for value in (effect.low, effect.high)
    )
    mean = None if effect.mean is None else _x(min(max(effect.mean, -reach), reach), reach)
    return VariantStrip(tuple(marks), mean, low, high)


def _x(value: float, reach: float) -> float:
    return round(_WIDTH / 2 + value / reach * (_WIDTH / 2 - _EDGE), 1)


def _ticks(reach: float) -> list[tuple[float, str]]:
    """Round numbers below the strips, at most three to either side."""
    power = 10.0 ** math.floor(math.log10(reach))
    step = next(part * power for part in (0.2, 0.5, 1, 2, 5) if reach / (part * power) <= 3.5)
    count = int(reach / step)
    return [(_x(at * step, reach), signed(at * step) if at else "0") for at in range(-count, count + 1)]


def _pictures(table: StudyTable, folder: Path, seeds: Sequence[int]) -> list[VariantPictures]:
    """The last pictures from the fixed latents of each run, those of the base first; nothing where there are none."""
    asked = table.question
    names = [asked.base, *(one.variant for one in table.effects)]
    last = {(name, seed): _last_samples(folder / "runs" / run_name(name, seed)) for name in names for seed in seeds}
    files = [file for file in last.values() if file]
    made = dict(zip(files, pictures.shown(files, MOST, _FORMS).pictures if files else [], strict=True))
    rows = [
        VariantPictures(shown(asked.title(name)), tuple(made.get(last[name, seed] or Path(), "") for seed in seeds))
        for name in names
    ]
    return [row for row in rows if any(row.pictures)]


def _last_samples(run: Path) -> Path | None:
    files = Run(run).files.fixed_samples() if run.is_dir() else []
    return files[-1] if files else None
