"""The one fact that data, networks, augmentation and metrics share: the form of an image."""

from __future__ import annotations

from pydantic import Field

from steadygan.part import Value

__all__ = ["LEAST_SCORED", "ImageSpec"]

LEAST_SCORED = 16
"""Pictures that a score takes at least; fewer say nothing."""


class ImageSpec(Value):
    """Form of every image of a data set: square, `size` pixels, `channels` channels, `classes` classes.

    In memory a batch of them is a float tensor (N, channels, size, size) in [-1, 1];
    on disk uint8 (N, size, size, channels). `classes` is 0 when there are no labels.
    A set of 2-D points (`builtin:ring`) is the case size 1, channels 2.
    """

    size: int = Field(ge=1)
    channels: int = Field(ge=1, le=16)
    classes: int = Field(default=0, ge=0)

    def __str__(self) -> str:
        labels = f", {self.classes} classes" if self.classes else ""
        return f"{self.size}×{self.size}, {self.channels} channel{'s' * (self.channels != 1)}{labels}"
