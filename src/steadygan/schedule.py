"""Values that change with the images seen: pure functions, so that a resumed run needs no memory of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Discriminator, Field, Tag

from steadygan.part import Part

__all__ = ["Cosine", "Cyclical", "Linear", "WarmUp"]

_TIMES = {"k": 10**3, "M": 10**6}
_LARGEST = 10**15


def number(value: Any) -> Any:
    """Text such as 200k, 1.5M, 1e6 or 200_000 as a number; what is no text stays. ValueError if it is none."""
    if not isinstance(value, str):
        return value
    digits, times = value.strip(), 1
    for letter, thousands in _TIMES.items():
        if digits.lower().endswith(letter.lower()):
            digits, times = digits[:-1], thousands
    try:
        found = times * Decimal(digits)
        known = abs(found) <= _LARGEST
    except ArithmeticError:  # of decimal, to which NaN and 1e999999999 are no numbers either
        known = False
    if not known:
        raise ValueError(f"{value!r} is no number; write it as 200000, 200_000, 200k, 1.5M or 1e6")
    return int(found) if found == found.to_integral_value() else float(found)


def whole_number(value: Any) -> Any:
    """As `number`, but ValueError if it has a fraction."""
    found = number(value)
    if isinstance(found, bool) or (isinstance(found, float) and not found.is_integer()):
        raise ValueError(f"{value} is not a whole number; write it as 200000, 200_000, 200k, 1.5M or 1e6")
    return found


Count = Annotated[int, Field(ge=1), BeforeValidator(whole_number)]
"""How many: 1 or more, of images or steps, also written 200k, 1.5M, 1e6 or 200_000."""


class ScheduleSettings(Part, ABC):
    """Base of all schedules: called with the images seen so far, it gives the value; `extremes` bounds it."""

    @abstractmethod
    def __call__(self, images: int) -> float: ...

    @abstractmethod
    def extremes(self) -> tuple[float, float]:
        """The least and the largest value it can take."""


class _Ramp(ScheduleSettings):
    """From `start` to `end` over the first `images` images, `end` ever after.

    Without `images` it is as long as the run (see `Budget.schedule_images`); in an object of the user's own, where
    nobody fills them in, it stays at `start`.
    """

    start: float
    end: float
    images: Count | None = None

    def share(self, images: int) -> float:
        """How much of the way is done after so many images seen, 0 to 1."""
        return min(images / self.images, 1.0) if self.images else 0.0

    def extremes(self) -> tuple[float, float]:
        return min(self.start, self.end), max(self.start, self.end)


class Linear(_Ramp):
    """A straight line from `start` to `end` over the first `images` images, by default all; `end` ever after.

    Goodfellow et al. (2016), equation 8.14.
    """

    paper: ClassVar[str] = "isbn:9780262035613"
    helps: ClassVar[str] = "Anneals noise or a penalty away once the players have found each other."
    hurts: ClassVar[str] = "A run that ends early has not had all of it; with `images`, its length must be chosen."

    kind: Literal["linear"] = "linear"

    def __call__(self, images: int) -> float:
        return self.start + self.share(images) * (self.end - self.start)


class Cosine(_Ramp):
    """Half a cosine wave from `start` to `end` over the first `images` images, by default all; `end` ever after.

    end + (1 + cos(pi n / N)) / 2 (start - end): Loshchilov and Hutter (2017), equation 5, without restarts.
    Huang et al. (2024) let learning rate, beta2, gamma, augmentation and average follow it.
    """

    paper: ClassVar[str] = "arXiv:1608.03983"
    helps: ClassVar[str] = "A learning rate that falls smoothly lets the end of a run settle."
    hurts: ClassVar[str] = (
        "A finished run that is prolonged goes back to a larger value or, with `images`, on at the end."
    )

    kind: Literal["cosine"] = "cosine"

    def __call__(self, images: int) -> float:
        return self.end + (1 + math.cos(math.pi * self.share(images))) / 2 * (self.start - self.end)


class WarmUp(ScheduleSettings):
    """From 0 to `value` on a straight line over the first `images` images; `value` ever after.

    Goyal et al. (2017), section 2.2.
    """

    paper: ClassVar[str] = "arXiv:1706.02677"
    helps: ClassVar[str] = "Large learning rates and large batches, whose first steps would throw fresh networks."
    hurts: ClassVar[str] = "Costs the images of its length, in which little is learned."

    kind: Literal["warm_up"] = "warm_up"
    value: float
    images: Count

    def __call__(self, images: int) -> float:
        return min(images / self.images, 1.0) * self.value

    def extremes(self) -> tuple[float, float]:
        return min(0.0, self.value), max(0.0, self.value)


class Cyclical(ScheduleSettings):
    """A triangle wave between `low` and `high`, one period every `period_images`. Smith (2017), section 3.1.

    It begins at `low` and is at `high` half a period later.
    """

    paper: ClassVar[str] = "arXiv:1506.01186"
    helps: ClassVar[str] = "Tries a range of learning rates in one run."
    hurts: ClassVar[str] = 'The author of "DCGAN 256×256 faces" found it unstable.'

    kind: Literal["cyclical"] = "cyclical"
    low: float
    high: float
    period_images: Annotated[int, Field(ge=2), BeforeValidator(whole_number)]

    def __call__(self, images: int) -> float:
        place = images % self.period_images / self.period_images
        return self.low + (1 - abs(2 * place - 1)) * (self.high - self.low)

    def extremes(self) -> tuple[float, float]:
        return min(self.low, self.high), max(self.low, self.high)


AnySchedule = Linear | Cosine | WarmUp | Cyclical


def _tag(value: Any) -> str:
    """Which member of `Scheduled` a value is meant to be."""
    if isinstance(value, dict):
        return str(value.get("kind"))
    return getattr(value, "kind", "number")


Scheduled = Annotated[
    Annotated[float, Tag("number")]
    | Annotated[Linear, Tag("linear")]
    | Annotated[Cosine, Tag("cosine")]
    | Annotated[WarmUp, Tag("warm_up")]
    | Annotated[Cyclical, Tag("cyclical")],
    Discriminator(_tag),
]
"""A plain number, which is a constant, or a schedule: `gamma=10` or `gamma=Cosine(start=2, end=0.2, images=10**7)`."""


def at(value: float | ScheduleSettings, images: int) -> float:
    """The value of a number or a schedule after so many images seen."""
    return value(images) if isinstance(value, ScheduleSettings) else value


def with_length(value: Any, images: int | None) -> Any:
    """The same settings, in which all schedules without a length of their own take so many images."""
    if isinstance(value, _Ramp):
        return value if value.images else value.model_copy(update={"images": images})
    if isinstance(value, tuple):
        return tuple(with_length(part, images) for part in value)
    if isinstance(value, BaseModel):
        parts = {name: getattr(value, name) for name in type(value).model_fields}
        new = {name: with_length(part, images) for name, part in parts.items()}
        update = {name: part for name, part in new.items() if part is not parts[name] and part != parts[name]}
        return value.model_copy(update=update) if update else value
    return value


def _within(low: float, high: float, wanted: str, open_below: bool = False) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        least, most = value.extremes() if isinstance(value, ScheduleSettings) else (value, value)
        # a warm-up begins at 0 even where 0 for ever would make no sense
        bottom = most if isinstance(value, WarmUp) else least
        if not (low <= least and most <= high) or (open_below and bottom <= low):
            raise ValueError(f"must be {wanted}, got {least:g}" + (f" to {most:g}" if most != least else ""))
        return value

    return check


NonNegative = Annotated[Scheduled, AfterValidator(_within(0, math.inf, "0 or more"))]
Positive = Annotated[Scheduled, AfterValidator(_within(0, math.inf, "more than 0", open_below=True))]
Share = Annotated[Scheduled, AfterValidator(_within(0, 1, "between 0 and 1"))]
BelowOne = Annotated[Scheduled, AfterValidator(_within(0, math.nextafter(1, 0), "0 or more and less than 1"))]
