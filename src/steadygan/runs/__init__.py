"""The run folder as typed objects: training writes through them, everything else reads through them. No torch."""

from __future__ import annotations

from steadygan.runs.checkpoints import FORMAT, Meta, SavedCheckpoint
from steadygan.runs.info import BasisInfo, DataInfo, DeviceInfo, LayerWay, RunInfo, StartInfo
from steadygan.runs.readable import Missing, ReadableRun
from steadygan.runs.run import Run, checkpoint_at, run_at

__all__ = [
    "FORMAT",
    "BasisInfo",
    "DataInfo",
    "DeviceInfo",
    "LayerWay",
    "Meta",
    "Missing",
    "ReadableRun",
    "Run",
    "RunInfo",
    "SavedCheckpoint",
    "StartInfo",
    "checkpoint_at",
    "run_at",
]
