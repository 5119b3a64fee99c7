"""What a rule is: a pure function of a case, with what it means and what to do beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from steadygan.doctor.case import Case
from steadygan.records import Finding, Severity

ORDER: tuple[Severity, ...] = ("serious", "warning", "info")


class Subject(Protocol):
    """What a rule looks at: a moment of a run."""

    @property
    def step(self) -> int: ...

    @property
    def images(self) -> int: ...


S = TypeVar("S", bound=Subject)


@dataclass(frozen=True)
class RuleOf(Generic[S]):
    """What can go wrong with a subject, how to see it, and what to do.

    `judge` looks at the case as it is now, and gives the evidence in a sentence, its numbers with the reference that
    they are compared with; None if there is nothing to see, or not enough to tell. `remedies` gives settings as they
    are written on the command line, each with its reason, the first to be tried first. `unless` says when that advice
    does not hold. `leads_to` names the rules that see what this failure brings with it: where both fire, this is the
    cause.
    """

    id: str
    severity: Severity
    says: str
    causes: str
    judge: Callable[[S], str | None]
    remedies: Callable[[S], Sequence[str]]
    source: str
    unless: str = ""
    picture: str = ""
    leads_to: tuple[str, ...] = ()

    def __call__(self, case: S) -> Finding | None:
        """What this rule finds in the case as it is now."""
        evidence = self.judge(case)
        return None if evidence is None else self.finding(case, evidence)

    def finding(self, case: S, evidence: str) -> Finding:
        """The finding, on evidence that somebody has."""
        return Finding(
            step=case.step,
            images=case.images,
            rule=self.id,
            severity=self.severity,
            says=self.says,
            evidence=evidence,
            causes=self.causes,
            remedy="; ".join(self.remedies(case)),
            unless=self.unless,
            source=self.source,
            picture=self.picture,
        )


class Rule(RuleOf[Case]):
    """A failure that can be seen in the records of a run."""


def examine(case: Case, rules: Iterable[Rule], known: Iterable[Finding] = ()) -> list[Finding]:
    """What rules find now that is not `known` yet; each is found once in a run."""
    before = {finding.rule for finding in known}
    return [found for rule in rules if rule.id not in before and (found := rule(case))]


def given_up(findings: Sequence[Finding]) -> list[Finding]:
    """What was found in weights that the run gave up when it was set back; they are found again if it fails again."""
    return [one for one in findings if not one.act and any(act.gave_up(one.images) for act in findings)]


def story(case: Case, rules: Sequence[Rule]) -> list[Finding]:
    """What rules would have found while the run went on, each when it was first to be seen, oldest first.

    They look whenever signals were measured, or without any at ticks, a hundred times at most, and at the end.
    """
    found: list[Finding] = []
    for images in moments(case):
        found += examine(case.until(images), rules, found)
    return found


def moments(case: Case) -> list[int]:
    """Images seen when the doctor looks."""
    measured = sorted(
        {int(images) for name in case.series if name.startswith("signals.") for images in case[name].images}
    )
    every = measured or sorted({int(images) for series in case.series.values() for images in series.images})
    if len(every) > _LOOKS:
        every = every[:: -(-len(every) // _LOOKS)]
    return sorted({*every, case.images})


_LOOKS = 100


def ranked(findings: Iterable[Finding], rules: Iterable[RuleOf[Any]]) -> list[Finding]:
    """Most serious first, causes before what they bring with them and as serious as that, then the oldest first.

    What was seen clearly later than something cannot have caused it.
    """
    found = list(findings)
    led = {rule.id: rule.leads_to for rule in rules}
    brought = {
        cause.rule: [one for one in found if one.rule in led.get(cause.rule, ()) and _in_time(cause, one)]
        for cause in found
    }
    follows = Counter(one.rule for ones in brought.values() for one in ones)
    weight = {one.rule: ORDER.index(one.severity) for one in found}
    for _ in found:  # as often as a chain of causes can be long
        weight = {name: min([own, *(weight[one.rule] for one in brought[name])]) for name, own in weight.items()}
    return sorted(found, key=lambda one: (weight[one.rule], follows[one.rule], one.images))


def _in_time(cause: Finding, effect: Finding) -> bool:
    return cause.images <= _LATER * effect.images


_LATER = 1.25  # times the images after which a cause may be noticed: some need more measurements than what they bring
