"""Which variants stop after a third of the budget: what clearly loses, by a score that decides nothing else."""

from __future__ import annotations

from statistics import fmean

from steadygan.errors import DataError
from steadygan.studies.ablation.study import BASE, Study, StudyFolder

_FEWEST = 2  # seeds: one alone says nothing of what another would


def losing(study: Study, home: StudyFolder) -> dict[str, str]:
    """Names and reasons. A variant clearly loses if it is worse than the base under every seed; of those that do, the
    worst stop, at most half of all.

    What counts is the score that picks the best checkpoint, by training images: the score of the study is not looked at
    before its end, or variants would be chosen by what they are judged by.
    """
    worse: dict[str, float] = {}
    for variant in study.variants[1:]:
        pairs = [(_picked(home, variant.name, seed), _picked(home, BASE, seed)) for seed in study.seeds]
        ratios = [mine / base for mine, base in pairs if mine is not None and base]
        if len(ratios) == len(study.seeds) >= _FEWEST and min(ratios) > 1:
            worse[variant.name] = fmean(ratios)
    most = (len(study.variants) - 1) // 2
    stopped = sorted(worse, key=lambda name: -worse[name])[:most]
    return {
        name: (
            f"after a third of the budget its pictures are {worse[name]:.2f} times as far from training images as "
            f"those of the base, and farther under each of {len(study.seeds)} seeds"
        )
        for name in stopped
    }


def _picked(home: StudyFolder, name: str, seed: int) -> float | None:
    """The score of the best checkpoint so far, lower is better; None if there is none, or if the run has ended."""
    if home.finished(name, seed):  # diverged: it ended by itself
        return None
    try:
        score = home.run(name, seed).checkpoint("best").meta.score
    except DataError:
        return None
    return score.value if score else None
