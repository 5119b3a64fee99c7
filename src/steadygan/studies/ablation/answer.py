"""What a study has answered so far, written into its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from steadygan.names import shown
from steadygan.runs.study import Question, StudyTable
from steadygan.studies.ablation.records import Outcome
from steadygan.studies.ablation.study import BASE, Study
from steadygan.studies.ablation.table import make_table


def question(study: Study) -> Question:
    """What it asks, in the words of the table."""
    budget, score = study.budget, study.score
    return Question(
        metric=score.metric,
        titles={one.name: one.title for one in study.variants if one.name != BASE},
        seeds=study.seeds,
        base=BASE,
        recipe=study.recipe,
        data=shown(Path(study.source).name),
        budget=f"{budget.images:,} images" if budget.images else f"{budget.minutes:g} minutes",
        protocol=f"{score.count:,} pictures against held-out images, {score.features.kind} features, the "
        f"{score.checkpoint} checkpoint",
    )


def so_far(study: Study, outcomes: Sequence[Outcome]) -> StudyTable:
    """The table of what has ended."""
    return make_table(outcomes, question(study))
