"""What a recipe is told before it chooses: the images, the machine and the budget."""

from __future__ import annotations

from pydantic import Field

from steadygan.part import Value

__all__ = ["Facts"]


class Facts(Value):
    """The images a run will see, the machine it runs on and how far it goes.

    `size` in pixels (1 for points); `images` is how many there are to train on; `budget_images` how many real images
    the run will show, None where it is bounded by time; `device` is cpu, cuda or mps. The defaults are those with which
    `steadygan recipes NAME` shows a recipe.
    """

    size: int = Field(default=64, ge=1)
    channels: int = Field(default=3, ge=1)
    classes: int = Field(default=0, ge=0)
    images: int = Field(default=10_000, ge=1)
    device: str = "cpu"
    budget_images: int | None = None

    @property
    def points(self) -> bool:
        """Whether the set is one of points, not images."""
        return self.size == 1


USUAL = Facts()
