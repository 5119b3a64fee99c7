"""A run at one glance, as a notebook shows it: its latest grid, how it went, its best scores, what the doctor found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from steadygan import cards
from steadygan.records import DatedScore, Finding, Note, scores_alike
from steadygan.runs.ending import last_stage
from steadygan.runs.readable import ReadableRun

if TYPE_CHECKING:
    from steadygan.runs.info import RunInfo
    from steadygan.runs.run import Run

_MOST = 3  # findings and notes, the latest of them
_MOST_METRICS = 6
# Okabe and Ito's palette, as the curves of a run have it
_BLUE, _VERMILION, _PURPLE = "#0072B2", "#D55E00", "#AA4A8C"


def card(run: Run) -> str:
    """HTML; what cannot be read is said in it, and raises nothing."""
    read = ReadableRun(run)
    infos: list[RunInfo] = read.missing.read(lambda: [run.info()], [])
    log, scores, findings, notes = read.log, read.scores, read.findings, read.notes
    name = run.path.absolute().name
    said = [f"{info.recipe} on {info.data.source}" for info in infos]
    said += [f"{info.data.spec}; {info.data.training:,} images to train on" for info in infos]
    said += [f"{tick.images:,} images seen, {tick.images_per_second:,.0f}/s" for tick in log[-1:]]
    drawn = (
        cards.curve("loss of D", _BLUE, [tick.loss_d for tick in log]),
        cards.curve("loss of G", _VERMILION, [tick.loss_g for tick in log]),
        _score_curve(scores),
    )
    frames = run.files.fixed_samples()
    seen = f"the latest grid, after {int(frames[-1].stem):,} images" if frames else ""
    return cards.card(
        f"{name}: {infos[0].recipe}" if infos else name,
        cards.picture(cards.small(frames[-1]), seen) if frames else "",
        "".join(
            (
                cards.lines([*said, *_ended(notes)]),
                *drawn,
                cards.table(("best scores", "value", "reals score", "better", "after images"), _best(scores)),
                cards.lines([*_findings(findings), *_user(notes), *read.missing]),
            )
        ),
    )


def _ended(notes: Sequence[Note]) -> list[str]:
    """How it ended, in the run's own words."""
    said = last_stage(notes)
    return ["not finished yet"] if said.startswith(("started", "resumed")) else [said] if said else []


def _series(scores: Sequence[DatedScore]) -> dict[str, list[DatedScore]]:
    """Scores that compare, by metric: those under the protocol it was measured by most often."""
    found: dict[str, list[DatedScore]] = {}
    for (metric, _), alike in scores_alike(scores).items():
        found[metric] = max(found.get(metric, []), alike, key=len)
    return found


def _score_curve(scores: Sequence[DatedScore]) -> str:
    """The metric that was measured most often."""
    most = max(_series(scores).values(), key=len, default=[])
    return cards.curve(most[0].metric, _PURPLE, [score.value for score in most]) if len(most) > 1 else ""


def _best(scores: Sequence[DatedScore]) -> list[tuple[str, ...]]:
    """The best of each metric, beside what reals score; of many metrics those that were measured last."""
    rows: list[tuple[str, ...]] = []
    latest = sorted(_series(scores).items(), key=lambda it: -it[1][-1].images)[:_MOST_METRICS]
    for metric, found in latest:
        best = min(found, key=_badness)
        floor = "" if best.floor is None else f"{best.floor:.4g}"
        rows.append((metric, f"{best.value:.4g}", floor, best.better, f"{best.images:,}"))
    return rows


def _badness(score: DatedScore) -> float:
    """What is the less, the better a score is; infinite of one that is no number."""
    signed = {"lower": score.value, "higher": -score.value, "as reals": abs(score.value - (score.floor or 0.0))}
    return signed[score.better] if math.isfinite(score.value) else math.inf


def _findings(findings: Sequence[Finding]) -> list[str]:
    latest = list({finding.rule: finding for finding in findings}.values())
    more = [f"… and {len(latest) - _MOST} findings before"] if len(latest) > _MOST else []
    return [*more, *(f"{it.severity}: {it.says or it.rule}, after {it.images:,} images" for it in latest[-_MOST:])]


def _user(notes: Sequence[Note]) -> list[str]:
    return [f"note: {note.text}" for note in notes if note.author == "user"][-_MOST:]
