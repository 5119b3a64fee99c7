"""Where this program keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path

from steadygan.names import path_of


def cache_folder() -> Path:
    """$STEADYGAN_CACHE, else $XDG_CACHE_HOME/steadygan, else ~/.cache/steadygan."""
    if own := os.environ.get("STEADYGAN_CACHE"):
        return path_of(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "steadygan"
