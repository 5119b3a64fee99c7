"""Mistakes in how long a run is to be."""

from __future__ import annotations

from steadygan.doctor.audit.plan import AuditRule, RunPlan, always
from steadygan.doctor.budget import ARTICLE_STEPS

_FEWEST = 1_000
_BATCH = 16
_SOURCE = "Fake satellite images, mistake 30"


def _steps(plan: RunPlan, least: int, below: int) -> str | None:
    steps = plan.steps
    if steps is None or not plan.draws or plan.setting("start.source") or not least <= steps < below:
        return None
    return f"{steps:,} steps; the founding articles train {ARTICLE_STEPS:,} and 50,000"


def _longer(plan: RunPlan) -> list[str]:
    by_images = plan.setting("budget.images") and not plan.setting("budget.steps")
    more = (plan.steps or 0) * plan.setting("batch", 0) // _BATCH if by_images else 0
    smaller = [f"--batch {_BATCH} (more steps)"] if more >= _FEWEST else []
    return [f"--steps {ARTICLE_STEPS}", "--minutes 60", *smaller]


def _unseen(plan: RunPlan) -> str | None:
    images = plan.training
    shown = (plan.steps or 0) * plan.setting("batch", 0) * plan.turns("discriminator")
    return f"{shown:,} images are shown of {images:,} there are: some never" if 0 < shown < images else None


RULES = (
    AuditRule(
        "few-steps", "warning", "Far too few steps", "A trial, or a batch so large that it leaves few.",
        lambda plan: _steps(plan, 0, _FEWEST), _longer, _SOURCE,
        "A trial of whether everything works needs no more.",
    ),
    AuditRule(
        "short-budget", "info", "Fewer steps than usual", "The default budget.",
        lambda plan: _steps(plan, _FEWEST, ARTICLE_STEPS),
        always(f"--steps {ARTICLE_STEPS}", "look at the scores at the end"), _SOURCE,
        "What 20,000 plain steps did then, steadier recipes do in fewer.",
    ),
    AuditRule(
        "images-unseen", "info", "Not every image is seen", "A short run on a large set.", _unseen,
        always("--images N, for at least each image once"), _SOURCE,
    ),
)  # fmt: skip
