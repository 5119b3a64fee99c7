"""How a run came to its end, as its own notes say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from steadygan.records import Note

Ending = Literal["started", "resumed", "finished", "stopped on request", "training diverged", "ended by an error"]
"""The words with which the notes of its stages begin; after the first two it has come to no end yet."""

_STAGES: tuple[Ending, ...] = get_args(Ending)


def ending_of(notes: Sequence[Note]) -> Ending:
    """The last stage that a run noted; "started" if it noted none."""
    said = last_stage(notes)
    return next((stage for stage in _STAGES if said.startswith(stage)), "started")


def last_stage(notes: Sequence[Note]) -> str:
    """How a run told of its last stage; "" if it noted none."""
    return next((note.text for note in reversed(notes) if note.author == "run" and note.text.startswith(_STAGES)), "")
