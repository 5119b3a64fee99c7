"""`--over`: settings and what they may be, in words, as values, and as distributions of Optuna's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from steadygan.errors import ConfigError
from steadygan.part import Value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["SearchRange", "parse_ranges"]

_HOW = "write name.of.setting=1e-4..1e-3, =1e-4..1e-3:log, =2..8 or =16|32|64"
_NEXT = re.compile(r",(?=\s*[A-Za-z_][\w.]*\s*=)")  # between settings, not within a value
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_SPAN = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(:log)?")
_WHOLE = re.compile(r"[+-]?\d+")


class SearchRange(Value):
    """What a setting may be: any number from `low` to `high`, or one of `choices`, texts as behind `--set`.

    `whole`: whole numbers only. `log`: as many of them between 1 and 10 as between 10 and 100.
    """

    place: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    log: bool = False
    choices: tuple[str, ...] = ()

    def distribution(self) -> BaseDistribution:
        """As Optuna has it."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.choices:
            return CategoricalDistribution(self.choices)
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def ends(self) -> tuple[str, ...]:
        """The values that have to be possible, as texts: all choices, or both ends."""
        return self.choices or (self.text(self.low), self.text(self.high))

    def text(self, value: object) -> str:
        """A value as behind `--set`."""
        return str(value) if self.choices else repr(int(float(str(value))) if self.whole else float(str(value)))

    def __str__(self) -> str:
        span = "|".join(self.choices) or f"{self.ends()[0]}..{self.ends()[1]}{':log' if self.log else ''}"
        return f"{self.place}={span}"


def parse_ranges(texts: Sequence[str]) -> tuple[SearchRange, ...]:
    """`place=low..high[:log]` or `place=a|b|c`, one or, with commas between, several a text; ConfigError says which is
    wrong.
    """
    found = [_parse(part.strip()) for text in texts for part in _NEXT.split(text) if part.strip()]
    if not found:
        raise ConfigError(f"--over: say which settings to search, and where: {_HOW}")
    places = [one.place for one in found]
    if twice := next((place for place in places if places.count(place) > 1), None):
        raise ConfigError(f"--over {twice}: given twice; put all its values into one")
    return tuple(found)


def _parse(text: str) -> SearchRange:
    place, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not place or not values:
        raise ConfigError(f"--over {text}: no range; {_HOW}")
    if span := _SPAN.fullmatch(values):
        return _span(text, place, span[1], span[2], bool(span[3]))
    choices = tuple(dict.fromkeys(choice.strip() for choice in values.split("|")))
    if len(choices) < 2 or "" in choices:
        raise ConfigError(f"--over {text}: one value is nothing to search; {_HOW}")
    return SearchRange(place=place, choices=choices)


def _span(text: str, place: str, first: str, last: str, log: bool) -> SearchRange:
    low, high = float(first), float(last)
    if not low < high:
        raise ConfigError(f"--over {text}: {first} is not below {last}; put the lower end first")
    if log and low <= 0:
        raise ConfigError(f"--over {text}: a range by powers (:log) begins above 0; give a positive lower end")
    whole = bool(_WHOLE.fullmatch(first) and _WHOLE.fullmatch(last))
    return SearchRange(place=place, low=low, high=high, whole=whole, log=log)
