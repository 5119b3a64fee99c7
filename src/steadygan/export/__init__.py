"""Trained generators for use elsewhere: one file, or one line of Python."""

from __future__ import annotations

from steadygan.export.model import TrainedGenerator, load

__all__ = ["TrainedGenerator", "load"]
