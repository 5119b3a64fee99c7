"""How a run came to its end, as its own notes say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from steadygan.records import Note

Ending = Literal["started", "resumed", "finished", "stopped on request", "training diverged"]
"""The words with which the notes of its stages begin; after the first two it has come to no end yet."""

_STAGES: tuple[Ending, ...] = ("started", "resumed", "finished", "stopped on request", "training diverged")


def ending_of(notes: Sequence[Note]) -> Ending:
    """The last stage that a run noted; "started" if it noted none."""
    own = (note.text for note in reversed(notes) if note.author == "run")
    return next((stage for text in own for stage in _STAGES if text.startswith(stage)), "started")
