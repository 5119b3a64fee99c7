"""What an entry of the catalogue of techniques holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Group(NamedTuple):
    """What is chosen in one place: `choices` is a union of values, `seams` are the settings that take one of them.

    `several`: the setting is a list. `example` has a number for each setting without a default.
    """

    title: str
    what: str
    seams: tuple[str, ...]
    choices: Any
    several: bool = False
    example: Mapping[str, float] = {}


class Setting(NamedTuple):
    """One setting of a technique: its default as `--set` would take it, and what it may be."""

    name: str
    default: str
    range: str


class Technique(NamedTuple):
    """One entry of the catalogue. `switches` are options that turn it on, one for each of the group's settings.

    One that is `off` is the absence of a technique; only such a one neither `helps` nor `hurts`.
    """

    name: str
    group: Group
    what: str
    details: str
    helps: str
    hurts: str
    papers: tuple[str, ...]
    settings: tuple[Setting, ...]
    switches: tuple[str, ...]
    off: bool = False
