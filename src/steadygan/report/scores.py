"""The scores of a run as curves, with the circumstances in which they were measured in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from steadygan.records import DatedScore, scores_alike
from steadygan.report.page import ScoreCurve

_SPLITS = {
    "held-out": "images the run has never seen",
    "training": "images it was trained on",
    "all": "all images",
}
_PICKS = "; picks the best"


def curves_of(scores: Sequence[DatedScore]) -> tuple[ScoreCurve, ...]:
    """One for each metric and protocol, in the order in which they were first measured."""
    return tuple(_curve(metric, protocol, found) for (metric, protocol), found in scores_alike(scores).items())


def _curve(metric: str, protocol: str, found: Sequence[DatedScore]) -> ScoreCurve:
    last = found[-1]
    return ScoreCurve(
        metric=metric,
        better=last.better,
        unit=last.unit,
        says=last.says,
        protocol=in_words(protocol),
        floor=last.floor,
        images=tuple(score.images for score in found),
        values=tuple(score.value for score in found),
        low=tuple(score.low for score in found),
        high=tuple(score.high for score in found),
    )


def picks_the_best(protocol: str) -> bool:
    """Whether it is the score that picks the best checkpoint."""
    return protocol.endswith(_PICKS)


def in_words(protocol: str) -> str:
    """A protocol as a sentence, with the protocol itself behind it; one of another form as it is."""
    text = protocol.removesuffix(_PICKS)
    count, split = re.search(r" n=(\d+) ", text), re.search(r" ([-\w]+) of [0-9a-f]{12}", text)
    if not count or not split:
        return protocol
    sentence = f"{int(count[1]):,} pictures against as many {_SPLITS.get(split[1], split[1])}"
    if features := re.search(r"^\S+ (?:\S+ )*?([a-z]\S*) resize=", text):
        sentence += f", in the features {features[1]}"
    picks = "; this score picks the best checkpoint" if picks_the_best(protocol) else ""
    return f"{sentence}{picks} ({protocol})"
