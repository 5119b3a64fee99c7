"""The health of a set of images: duplicates, outliers, blank and blurred images, true resolution, class balance."""

from __future__ import annotations

from steadygan.data.health.examine import examine
from steadygan.data.health.findings import Health, Histogram, Remark
from steadygan.data.health.resolution import true_resolution

__all__ = ["Health", "Histogram", "Remark", "examine", "true_resolution"]
