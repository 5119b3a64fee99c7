"""Settings: how they are merged, checked, compared and shown. Knows no particular setting and no torch."""

from __future__ import annotations

from steadygan.config.compare import changes, difference, flatten
from steadygan.config.load import explain, merge, nearest, nested, parse_assignment, read_toml, resolve
from steadygan.config.parts import BY_NAME, BY_NAMES
from steadygan.config.python import python_function
from steadygan.config.show import to_toml

__all__ = [
    "BY_NAME",
    "BY_NAMES",
    "changes",
    "difference",
    "explain",
    "flatten",
    "merge",
    "nearest",
    "nested",
    "parse_assignment",
    "python_function",
    "read_toml",
    "resolve",
    "to_toml",
]
