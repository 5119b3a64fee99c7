"""Where this program keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path

from steadygan.errors import ConfigError
from steadygan.names import path_of


def cache_folder() -> Path:
    """$STEADYGAN_CACHE, else $XDG_CACHE_HOME/steadygan, else ~/.cache/steadygan.

    Raises ConfigError if there is no home, as for a user whom the system does not know.
    """
    if own := os.environ.get("STEADYGAN_CACHE"):
        return path_of(own)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "steadygan"
    except RuntimeError as problem:
        words = "you have no home folder for the cache; name one in the variable STEADYGAN_CACHE"
        raise ConfigError(words) from problem
