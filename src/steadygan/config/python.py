"""Functions of the user's own, named on the command line as FILE.py:FUNCTION."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steadygan.errors import ConfigError


def python_function(option: str, text: str) -> Callable[..., Any]:
    """Run the user's file, which is what asking for a function in it means; ConfigError if it fails or lacks it."""
    file, _, name = text.rpartition(":")
    if not Path(file).is_file():
        raise ConfigError(f"{option} {text}: there is no file {file}")
    try:
        function = runpy.run_path(file).get(name)
    except Exception as problem:  # whatever a user's file may do
        raise ConfigError(f"{option} {text}: {type(problem).__name__}: {problem}") from problem
    if not callable(function):
        raise ConfigError(f"{option} {text}: {file} has no function {name}")
    return function  # type: ignore[no-any-return] # callable narrows Any to no type
