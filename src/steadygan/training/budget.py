"""How much of a budget is used, how long it will take, and what to say of a short one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steadygan.doctor.audit.plan import DEFAULT_IMAGES
from steadygan.doctor.budget import ARTICLE_STEPS

if TYPE_CHECKING:
    from steadygan.training.config import Budget
    from steadygan.training.session import Progress


def spent(budget: Budget, progress: Progress) -> float:
    """Share of the budget used so far, 1 or more when the run is over; the limit nearest to its end counts."""
    shares = (
        progress.images / budget.images if budget.images else 0.0,
        progress.steps / budget.steps if budget.steps else 0.0,
        progress.seconds / (60 * budget.minutes) if budget.minutes else 0.0,
    )
    return max(shares)


def expected_seconds(budget: Budget, images_per_second: float, images_per_step: float) -> float:
    """Seconds until the first limit of a budget is reached at a given speed."""
    limits = (
        budget.images / images_per_second if budget.images else None,
        budget.steps * images_per_step / images_per_second if budget.steps else None,
        60 * budget.minutes if budget.minutes else None,
    )
    return min(limit for limit in limits if limit is not None)


def with_schedules(budget: Budget, images: float) -> Budget:
    """The same budget, whose schedules without a length take so many images if it says nothing else."""
    known = budget.schedule_images or max(1, round(images))
    return budget.model_copy(update={"schedule_images": known})


def too_short(steps: int) -> str:
    """A word on a default budget of fewer steps than the founding articles train; "" if there is nothing to say."""
    if steps >= ARTICLE_STEPS:
        return ""
    return (
        f"that is a short run, {DEFAULT_IMAGES:,} images for want of another budget: the founding articles train "
        f"{ARTICLE_STEPS:,} steps and more; --steps {ARTICLE_STEPS} or --minutes M ask for another length"
    )
