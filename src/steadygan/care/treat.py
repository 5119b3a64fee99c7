"""Care that treats: the doctor's remedies, one at a time, each kept if it helped and taken back if it did not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from steadygan.care.acts import Act, Changes, Continue, Moment, RollBack
from steadygan.care.keep import Keep, Keeping, Policy, State
from steadygan.doctor.case import Case
from steadygan.doctor.remedies import Remedy, penalties_times, rates, settings_in, written
from steadygan.doctor.rule import ORDER, examine, ranked
from steadygan.doctor.rules import RULES
from steadygan.doctor.trends import quality
from steadygan.records import Finding

_WORSE = 1.1  # times the score that a try is held against: single scores repeat within some percent
_YOUNG = 2.0  # times that of the run when it was as young: the faster one at first need not be the better one
_EARLY = 0.35  # of the budget, until which fresh weights lose little
_HARDER = 3  # times a remedy that only multiplies is applied at once, where once was not enough


class Treatment(BaseModel):
    """What is being tried: against which rule, from which checkpoint on, since when; what comes next if it fails.

    `before` are the changes in force without it, `course` the scores of the pictures until then by the images that
    their weights had learned, `tried` what was in force in each try, with its score at the end.
    """

    rule: str
    base: int | None
    since: int
    before: dict[str, Any]
    course: list[tuple[int, float]]
    now: dict[str, Any] | None = None
    queue: list[dict[str, Any]]
    tried: list[tuple[dict[str, Any], float | None]] = Field(default_factory=list)

    def bound(self, images: int) -> float:
        """What the pictures must score by now; infinite if nothing is known to hold them against."""
        if self.base is not None:
            return _WORSE * min((score for _, score in self.course), default=math.inf)
        young = [score for age, score in self.course if age <= images - self.since]
        return _YOUNG * young[-1] if young else math.inf


class TreatState(State):
    """As `State`; `suspected` are the warnings so far, `given_up` the rules for which nothing helped.

    `treated` is when the last treatment ended: what was found before that is over.
    """

    treatment: Treatment | None = None
    tries: int = 0
    suspected: list[str] = Field(default_factory=list)
    given_up: list[str] = Field(default_factory=list)
    treated: int = 0


class Treat(Keep):
    """As `keep`; and what the doctor finds is treated by its remedies, as far as they can be applied to a run.

    A serious finding, or a warning seen at two checkpoints, or at one if the audit warned too, sets the run back to its
    best checkpoint, early on to fresh weights, with the first remedy of the gravest one; what the audit advised comes
    first. After `wait` of the budget it is kept if the finding is gone and the pictures are not worse than before (from
    fresh weights: not twice as bad as when the run was as young), else taken back for the next one, until one helps or
    `tries` have been made. Then the one whose pictures scored best stays. Nothing is begun where less of the budget is
    left than is given up by it. Zhang et al. (2021), AutoTrainer, ICSE,
    section 4, who repair while training; a remedy must beat a random one and a plain restart to be worth it, and does
    only where the doctor is right.
    """

    fixed_looks: ClassVar[bool] = True

    kind: Literal["treat"] = "treat"  # type: ignore[assignment]
    wait: float = Field(default=0.1, gt=0, le=1)
    tries: int = Field(default=6, ge=1)

    def build(self) -> Policy:
        return Treating(self)


class Treating(Keeping):
    """The policy of `Treat`."""

    settings: Treat
    state: TreatState

    def __init__(self, settings: Treat) -> None:
        super().__init__(settings, TreatState())

    def needs(self) -> tuple[int, ...]:
        treatment = self.state.treatment
        return (*super().needs(), *([treatment.base] if treatment and treatment.base is not None else []))

    def decide(self, moment: Moment) -> Act:
        treatment = self.state.treatment
        if moment.broken:
            return self._next(moment, treatment, moment.broken) if treatment else self.set_back(moment)
        if treatment:
            waits = moment.images - treatment.since < self.settings.wait * (moment.case.budget_images or moment.images)
            return Continue() if waits else self._judged(moment, treatment)
        return self._begun(moment) or self.past_best(moment)

    def _begun(self, moment: Moment) -> Act | None:
        """The first remedy of the gravest finding for which there is one; None if there is none."""
        now = self.findings(moment)
        before = [one for one in moment.found if one.images > self.state.treated]
        found = ranked({one.rule: one for one in (*before, *now)}.values(), RULES)
        twice = {*self.state.suspected} & {one.rule for one in now}
        advised = bool(self.advice(moment))
        grave = [one for one in found if advised or one.severity == "serious" or one.rule in twice]
        self._remember(suspected=sorted({*self.state.suspected, *(one.rule for one in now)}))
        for finding in grave if self.state.tries < self.settings.tries else ():
            queue = [dict(one) for one in self.remedies(moment, finding)]
            base = self.base(moment)
            possible = queue and finding.rule not in self.state.given_up and (base is not None or moment.fresh)
            if not possible or not self._pays(moment, moment.case.began_images if base is None else base):
                continue
            treatment = Treatment(
                rule=finding.rule,
                base=base,
                since=moment.images,
                before=dict(moment.changes),
                course=_course(moment),
                queue=queue,
            )
            return self._next(moment, treatment, f"{finding.says}: {finding.evidence}")
        return None

    def advice(self, moment: Moment) -> list[Changes]:
        """What the audit advised first of each thing it warned of: all of it together, then one by one."""
        each = [one for finding in moment.advised for one in settings_in(finding.remedy)[:1]]
        each = [one for one in each if one and moment.allowed(one)]
        together = {place: value for one in reversed(each) for place, value in one.items()}
        return [together, *each] if each else []

    def base(self, moment: Moment) -> int | None:
        """The checkpoint from which remedies are tried; None are fresh weights, which early on are no worse."""
        early = moment.fresh and moment.images - moment.case.began_images <= _EARLY * moment.case.budget_images
        there = moment.checkpoints if moment.best not in moment.checkpoints else (moment.best,)
        return there[-1] if there and not early else None

    def findings(self, moment: Moment) -> list[Finding]:
        """What is worse than an info now, the gravest first, causes before what they bring."""
        return [one for one in ranked(examine(moment.case, RULES), RULES) if one.severity != ORDER[-1]]

    def remedies(self, moment: Moment, finding: Finding) -> Iterator[Changes]:
        """What is to be tried against a finding, in this order: what the audit advised, the finding's own remedies,
        then what calms any game.

        A learning rate is changed further if once is not enough. Against what has no remedy of its own that a run can
        take, as against slow input, nothing is tried.
        """
        seen, rules = list[Changes](), [one for one in RULES if one.id == finding.rule]  # none of an older version's
        told = [one.settings for rule in rules for one in rule.remedies(moment.case) if isinstance(one, Remedy)]
        own = [one for one in told if moment.allowed(one)]
        pairs = [(one, _harder(moment, one)) for one in (*own, *calming(moment.case))] if own else []
        for changes in (*(self.advice(moment) if own else ()), *(one for pair in pairs for one in pair)):
            other = any(moment.case.setting(place) != value for place, value in (changes or {}).items())
            if changes and other and changes not in seen and moment.allowed(changes):
                seen.append(changes)
                yield changes

    def _judged(self, moment: Moment, treatment: Treatment) -> Act:
        """Whether what was tried has helped."""
        found, score, bound = self.findings(moment), _score(moment), treatment.bound(moment.images)
        ill = [one for one in found if one.rule == treatment.rule or one.severity == "serious"]
        if ill:
            return self._next(moment, treatment, f"{ill[0].says}: {ill[0].evidence}")
        if score is not None and score > bound:
            return self._next(moment, treatment, f"the pictures score {score:.3g}, where {bound:.3g} was to be had")
        self._remember(treatment=None, suspected=[], treated=moment.images)
        return Continue(f"{_said(treatment.now or {})} helped: {treatment.rule} is not found any more, and it stays so")

    def _next(self, moment: Moment, treatment: Treatment, why: str) -> Act:
        """Take back what did not help, if anything was tried, and try the next; after the last the best one stays."""
        tried, failed = list(treatment.tried), ""
        if treatment.now is not None:
            tried.append((treatment.now, None if moment.broken else _score(moment)))
            failed = f"{_said(treatment.now)} did not help; "
        pays = treatment.now is None or self._pays(moment, treatment.since)
        if treatment.queue and self.state.tries < self.settings.tries and pays:
            now, *queue = treatment.queue
            following = {"now": now, "queue": queue, "tried": tried, "since": moment.images}
            changes = {**treatment.before, **now}
            self._remember(treatment=treatment.model_copy(update=following), tries=self.state.tries + 1)
            return RollBack(treatment.base, changes, f"{failed}{why}")
        best = min(tried, key=lambda one: math.inf if one[1] is None else one[1], default=({}, None))[0]
        changes = {**treatment.before, **best}
        given_up = [*self.state.given_up, treatment.rule]
        self._remember(treatment=None, given_up=given_up, suspected=[], treated=moment.images)
        if not (pays or moment.broken):
            return Continue(f"{failed}{why}; too little of the budget is left to go back, and it goes on as it is")
        nearest = f"nothing that was tried helps, {_said(best)} came nearest and stays"
        return RollBack(treatment.base, changes, f"{failed}{why}; {nearest}")

    def _pays(self, moment: Moment, since: int) -> bool:
        """Whether what is left of the budget, where it is known, is worth what was learned since then: as long as that,
        and as two waits.
        """
        budget = moment.case.budget_images
        return not budget or budget - moment.images >= max(2 * self.settings.wait * budget, moment.images - since)

    def _remember(self, **changed: Any) -> None:
        self.state = self.state.model_copy(update=changed)


def calming(case: Case) -> list[Changes]:
    """What calms a game whatever is wrong: smaller steps, noise on what the discriminator sees, a smoother
    discriminator, turns by how sure it is.

    Arjovsky and Bottou (2017), section 3; Mescheder et al. (2018), section 4; "Fake satellite images", mistake 31.
    """
    found: list[Changes] = [rates(case, 0.5, "smaller steps").settings]
    if case.setting("show.kind") == "as_is":
        found.append({"show": {"kind": "instance_noise", "std": 0.1}})
    stronger = penalties_times(case, 10, "a smoother discriminator")
    found += [one.settings for one in stronger if isinstance(one, Remedy)]
    if not case.setting("penalties"):
        found.append({"penalties": [{"kind": "r1", "gamma": 1}]})
    if case.setting("turns.kind") != "moderated":
        found.append({"turns": "moderated"})
    return found


def _course(moment: Moment) -> list[tuple[int, float]]:
    """What picks the best checkpoint, or else measures the pictures, by the images that their weights had learned."""
    found = quality(moment.case, 1)
    ages = found.series.images - moment.case.began_images if found else ()
    return [(int(age), float(score)) for age, score in zip(ages, found.series.values, strict=True)] if found else []


def _score(moment: Moment) -> float | None:
    return next((score for _, score in reversed(_course(moment))), None)


def _harder(moment: Moment, settings: Changes) -> Changes | None:
    """Learning rates multiplied as often as `_HARDER`; None for other settings and schedules."""
    now = {place: moment.case.setting(place) for place in settings}
    known = all(isinstance(value, int | float) for value in (*now.values(), *settings.values()))
    if not known or not all(place.startswith("optimizer.") and place.endswith(".lr") for place in settings):
        return None
    return {place: float(f"{now[place] * (value / now[place]) ** _HARDER:.3g}") for place, value in settings.items()}


def _said(changes: Changes) -> str:
    return ", ".join(written(changes))
