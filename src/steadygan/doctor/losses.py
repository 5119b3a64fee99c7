"""What a loss is worth by its kind: where it stands when the discriminator knows nothing, and what is normal."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from steadygan.doctor.case import Case

_LN2 = math.log(2)


@dataclass(frozen=True)
class LossFacts:
    """How the numbers of one kind of loss are to be read; formulas in `steadygan.objectives.losses`.

    `blind_d` and `blind_g` are what the players pay where all logits stand at the boundary, NaN if that says nothing.
    `absolute`: one logit alone means real or fake, so an accuracy means something. `bounded`: the discriminator's loss
    cannot fall below 0. `saturates`: the generator's gradient vanishes when the discriminator is sure. `grows`: losses
    far from 0 can be health. `unit` is how far apart logits lie that mean something. `remark` says what else is usual.
    """

    blind_d: float
    blind_g: float
    remark: str
    absolute: bool = True
    bounded: bool = True
    saturates: bool = False
    grows: bool = False
    unit: float = 1.0

    @property
    def normal(self) -> str:
        """What is usual of such a loss."""
        between = f"D's loss lies between 0 and {self.blind_d:.3g}, where it knows nothing"
        return f"{between}; {self.remark}" if self.bounded else self.remark


LOSSES: dict[str, LossFacts] = {
    "non_saturating": LossFacts(
        2 * _LN2, _LN2, "near 0 with G's high is no fault while the pictures get better, for G's gradient stays"
    ),
    "minimax": LossFacts(
        2 * _LN2,
        -_LN2,
        "G's is the negative of what D pays for fakes and is 0 when G learns nothing any more",
        saturates=True,
    ),
    "least_squares": LossFacts(0.25, 0.125, "a sudden fall after a long level is a warning"),
    "hinge": LossFacts(
        2.0,
        0.0,
        "0 says that all images are beyond the margin; G's is minus a mean logit, and its height says nothing",
    ),
    "wasserstein": LossFacts(
        math.nan,
        math.nan,
        "minus D's loss is a distance of fakes from reals and should shrink; G's loss wanders by hundreds in health",
        absolute=False,
        bounded=False,
        grows=True,
    ),
    "relativistic": LossFacts(
        _LN2, _LN2, "near 0.6 in a close game; single logits drift and mean nothing", absolute=False
    ),
    "relativistic_average": LossFacts(2 * _LN2, 2 * _LN2, "single logits drift and mean nothing", absolute=False),
}

# Of an unknown loss nothing is taken for granted.
UNKNOWN = LossFacts(
    math.nan,
    math.nan,
    "of an unknown loss only its own past can be said: changes count, levels do not",
    absolute=False,
    bounded=False,
    grows=True,
)


def facts_of(case: Case) -> LossFacts:
    """The facts of a case's loss, least squares by its own labels."""
    facts = LOSSES.get(case.loss, UNKNOWN)
    if case.loss != "least_squares":
        return facts
    a, b, c = (float(case.setting(f"loss.{name}", default)) for name, default in (("a", 0.0), ("b", 1.0), ("c", 1.0)))
    middle = (a + b) / 2
    return replace(facts, blind_d=(b - a) ** 2 / 4, blind_g=(middle - c) ** 2 / 2, unit=abs(b - a))
