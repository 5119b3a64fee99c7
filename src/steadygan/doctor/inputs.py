"""Reals that reach the discriminator in another range than -1 to 1, where the generator's pictures are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from steadygan.doctor.case import Case
from steadygan.doctor.rule import Rule

_ROUNDING = 0.02  # as far as interpolation, or a file's levels, may lead beyond the range
# How far from 0 reals may go by what they are shown through: augmentation and noise as far as they like, parts of the
# user's own as far as mild noise leads. Grey levels go further than all of these.
_BEYOND = {"as_is": 1 + _ROUNDING, "diff_augment": math.inf, "ada": math.inf, "instance_noise": math.inf}
_OWN = 1.6
_LEVELS = 20.0
_FLAT = 0.05  # from least to most of all reals together: less than photographs of fog
_NARROW = 0.62  # least and most of values divided by their range twice over, or never shifted to both sides


@dataclass(frozen=True)
class _Given:
    """What the discriminator was last given as reals, and how far beyond -1 to 1 it may go."""

    least: float
    mean: float
    deviation: float
    most: float
    beyond: float

    def __str__(self) -> str:
        return (
            f"the reals that the discriminator is given go from {self.least:.3g} to {self.most:.3g}, mean "
            f"{self.mean:.3g}, deviation {self.deviation:.2g}; the generator's pictures go from -1 to 1"
        )

    @property
    def furthest(self) -> float:
        return max(self.most, -self.least)

    @property
    def flat(self) -> bool:
        return self.most - self.least < _FLAT or self.deviation < _FLAT / 10


def _given(case: Case, flat: bool = False) -> _Given | None:
    """None if it is unknown, `flat` or not as asked, or if the data are points, which may be anywhere."""
    least, mean, deviation, most = (case[f"signals.inputs.{place}"].last for place in range(4))
    if not math.isfinite(least + mean + deviation + most) or case.setting("networks.kind") == "points":
        return None
    given = _Given(least, mean, deviation, most, _BEYOND.get(case.setting("show.kind", "as_is"), _OWN))
    return given if given.flat == flat else None


def _forms(given: _Given) -> Iterator[str]:
    """What the range looks like."""
    if given.furthest > _LEVELS:
        yield "these are grey levels that nobody brought to -1 to 1"
    elif given.furthest > given.beyond:
        yield "these were normalised twice, or by the mean and deviation of another set"
    elif abs(given.least) <= _ROUNDING and given.most > 0.5:
        yield "these are values from 0 to 1 that nobody brought to -1 to 1"


def _range(case: Case) -> str | None:
    given = _given(case)
    return next((f"{given}: {form}" for form in _forms(given)), None) if given else None


def _normalised_twice(case: Case) -> str | None:
    given = _given(case, flat=True)
    return f"{given}: nearly one value for all pixels, as when 0 to 255 is divided by 255 twice" if given else None


def _narrow(case: Case) -> str | None:
    given = _given(case)
    if given is None or given.furthest >= _NARROW or any(_forms(given)):
        return None
    return f"{given}: hardly more than half of it is used"


_BRINGS = (
    *("discriminator-too-strong", "vanishing-gradients", "mode-collapse", "partial-collapse"),
    *("contrast-off", "colours-off", "saturated"),
)
_CORRECT = "bring them to -1 to 1 once, as x / 127.5 - 1 from uint8 (steadygan's own loader does that)"
_LOOK = "look at inputs.png (what the discriminator really sees)"
_SOURCE = "Radford et al. (2016), arXiv:1511.06434, section 3; Chintala et al. (2016), How to Train a GAN, point 1"
_rule = partial(Rule, source=_SOURCE, picture="inputs.png", leads_to=_BRINGS)

INPUTS: tuple[Rule, ...] = (
    _rule(
        id="input-range",
        severity="serious",
        says="the reals are in another range than the pictures",
        causes="a loader that normalises otherwise than the generator's tanh; normalisation forgotten or done twice",
        judge=_range,
        remedies=lambda case: [_CORRECT, _LOOK],
        unless="the generator of your own makes pictures in that very range",
    ),
    _rule(
        id="normalised-twice",
        severity="serious",
        says="the reals are nearly one flat value",
        causes="normalisation done twice: once by the data set and once by the loader",
        judge=_normalised_twice,
        remedies=lambda case: [_CORRECT, _LOOK],
        unless="the images really are empty",
    ),
    _rule(
        id="narrow-inputs",
        severity="warning",
        says="the reals use hardly half of the range",
        causes="a shift by a half without the doubling (x / 255 - 0.5); images without light and dark",
        judge=_narrow,
        remedies=lambda case: [_LOOK, _CORRECT],
        unless="the images are of fog, or of a sensor whose range was kept on purpose",
    ),
)
