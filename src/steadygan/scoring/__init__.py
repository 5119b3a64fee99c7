"""Scores one can trust: which images are compared, by what, under which protocol, and how sure that is."""

from __future__ import annotations

from steadygan.scoring.base import Metric
from steadygan.scoring.judge import Judge
from steadygan.scoring.metrics import AnyMetric, choose_metrics
from steadygan.scoring.reference import Reference, Split, choose_reference

__all__ = ["AnyMetric", "Judge", "Metric", "Reference", "Split", "choose_metrics", "choose_reference"]
