"""The doctor beside a run: it measures now and then, looks at what was written, and says what it finds."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from steadygan.doctor.audit.data import RULES as OF_IMAGES
from steadygan.doctor.rule import Rule, examine, given_up
from steadygan.doctor.rules import RULES
from steadygan.errors import SteadyganError
from steadygan.networks import Pair, classes_of
from steadygan.records import Finding, Signals
from steadygan.signals.measure import COUNT, Measure, Reals
from steadygan.signals.players import Players
from steadygan.training.audit import audit_config
from steadygan.training.config import Cadence, DoctorSettings
from steadygan.training.game import Game, bare
from steadygan.training.listeners import Listener
from steadygan.training.seeds import fixed_latents
from steadygan.training.session import Session
from steadygan.training.snapshot import Snapshot


class Doctor(Listener):
    """Writes signals at ticks, as often as `most_time` of the run's time allows, and each finding of the rules once,
    but again if it comes again after the run was set back from it.

    The first tick of a run and its end are measured in any case. What earlier sessions took counts. It looks whenever
    it has measured, as `doctor.rule.story` does afterwards, and acts in the first process alone. With a cadence of its
    own it measures at that, whatever it takes: then what it sees follows from the seed.
    If it cannot measure, as some networks of a user's own may have it, it says so and the run goes on without.
    """

    def __init__(self, settings: DoctorSettings, ticks: Cadence, rules: Sequence[Rule] = RULES) -> None:
        self.fixed = not settings.is_open()
        self.cadence, self.most_time, self.rules = settings if self.fixed else ticks, settings.most_time, rules
        self.seconds = self.last_seconds = 0.0
        self.measured_images = -1

    def begin(self, session: Session) -> None:
        if not session.runtime.main:
            return
        before = session.run.signals()
        self.seconds = sum(line.seconds for line in before)
        self.last_seconds = before[-1].seconds if before else 0.0
        self.measured_images = before[-1].images if before else -1
        self.latest = _latest(session)
        self.measure = Measure(
            Reals(
                session.dataset,
                session.runtime.device,
                labelled=classes_of(session.average.network) > 0,
                mirror=session.config.data.mirror,
            )
        )

    def __call__(self, session: Session, now: Snapshot) -> None:
        cheap = self.seconds + self.last_seconds <= self.most_time * session.progress.seconds
        if session.runtime.main and self.most_time >= 0 and (self.fixed or cheap):
            self._look(session)

    def finish(self, session: Session, now: Snapshot, done: bool) -> None:
        if session.runtime.main and done and self.most_time >= 0:
            self._look(session)

    def _look(self, session: Session) -> None:
        if session.progress.images == self.measured_images:
            return  # by a session that came as far, before care ended the run
        before, self.latest = self.latest, _latest(session)
        if self.fixed and self.latest != before:
            self.measure.before = None  # as for a run that goes on from there: what moved since is not known to it
        start = time.perf_counter()
        place = {"step": session.progress.steps, "images": session.progress.images}
        try:
            found = self.measure(players_of(session, self.measure.reals), last_updates(session.game))
        except Exception as problem:  # noqa: BLE001 - whatever a user's code may do
            self.most_time, self.measured_images = -1.0, session.progress.images
            lines = str(problem).splitlines()
            text = f"the doctor looks no more: {lines[0] if lines else type(problem).__name__}"
            session.say(text)
            session.run.note(text, "run")
            return
        seconds = time.perf_counter() - start
        session.write(Signals.model_validate({**found, **place, "seconds": round(seconds, 4)}))
        written = session.run.findings()
        past = given_up(written)
        for finding in examine(session.case(), self.rules, [one for one in written if one not in past]):
            session.write(finding)
            session.say(sentence(finding, session.run.path))
        self.measured_images, self.last_seconds = session.progress.images, time.perf_counter() - start
        self.seconds += self.last_seconds


def _latest(session: Session) -> str:
    """The name of the newest checkpoint; "" before the first."""
    latest = session.run.files.latest
    return latest.read_text(encoding="utf-8") if latest.exists() else ""


def audit(session: Session, pair: Pair) -> None:
    """Write down what can be seen of settings and networks before the first step, and say what is more than an info.

    What is to be said of the images was said when they were opened, and is in their folder.
    """
    try:
        found = audit_config(session.config, session.dataset, pair)
    except SteadyganError as problem:  # networks of the user's own that cannot be looked into train all the same
        session.say(f"not audited: {problem}")
        return
    of_images = {rule.id for rule in OF_IMAGES}
    for finding in [one for one in found if one.rule not in of_images]:
        session.write(finding)
        if finding.severity != "info":
            session.say(sentence(finding, session.run.path))


def players_of(session: Session, reals: Reals) -> Players:
    """The players of a run, for the latents of its signals; these get the classes of the reals beside them."""
    game, device = session.game, session.runtime.device
    return Players(
        bare(game.generator),
        bare(game.discriminator),
        game.show,
        game.view,
        game.loss,
        fixed_latents(range(COUNT), session.latents, session.config.seed, "signals").to(device),
        reals.real[1:],
        session.config.batch // session.runtime.world,
    )


def last_updates(game: Game) -> dict[str, dict[nn.Parameter, Tensor]]:
    """By player, what its last update took from each weight."""
    apart = "discriminator_fake" in game.optimizers and bool(game.report["path"] > 0)
    judge = game.optimizers["discriminator_fake" if apart else "discriminator"]
    return {"generator": game.optimizers["generator"].taken(), "discriminator": judge.taken()}


def sentence(finding: Finding, run: Path) -> str:
    """A finding as it is said while a run goes on: how bad, what, the evidence, and what to try first."""
    first = re.sub(r"\bRUN\b", lambda _: shlex.quote(str(run)), finding.remedy.split("; ")[0])
    return f"{finding.severity}: {finding.says or finding.rule}: {finding.evidence}" + (
        f"; try {first}" if first else ""
    )
