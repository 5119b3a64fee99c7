"""`tune`: trials side by side until there are as many as wanted, each an ordinary run trained by the command line.

A trial is chosen by Optuna's tree-structured Parzen estimator (Bergstra et al. 2011; Akiba et al. 2019). While it
trains, the score that picks its best checkpoint, of training images, is compared with that of earlier trials at the
same share of the budget, and what is worse than their median ends early. What decides is another score, of held-out
images, which picked nothing within the run; but as the best of many it flatters: the winner has to be tried again with
other seeds.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from steadygan.claim import LOCK, alone
from steadygan.errors import ConfigError, Diverged, Interrupted, SteadyganError, os_errors
from steadygan.names import shown
from steadygan.runs.ending import ending_of
from steadygan.studies.processes import start
from steadygan.studies.tuning.search import CHECKS, Search, SearchFolder, SearchResult, texts

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

__all__ = ["tune"]

_LOOK_SECONDS = 0.3
_HOPELESS = 3  # failures in a row from the first trial on, after which the search ends
_SAID = "steadygan: "
_TAIL = 4096

Say = Callable[[str], None]


@os_errors()
def tune(search: Search, home: SearchFolder, trials: int, jobs: int, threads: int, say: Say) -> SearchResult:
    """Search until there are `trials` in all, `jobs` at once; the same search goes on in the same folder.

    Several processes may share a folder. Trials whose process was killed go on from their last checkpoint. Raises
    ConfigError if the folder holds something else or if nothing works, Interrupted once all trials have saved their
    state.
    """
    home.begin(search)
    study = home.study(search)
    worker = _Searching(search, home, study, threads, say)
    try:
        worker.run(trials, jobs)
    except KeyboardInterrupt as problem:
        raise Interrupted("stopped, and what was training saved its state; go on with the same command") from problem
    finally:
        worker.end()
    return home.found(search, study.get_trials(deepcopy=False))


@dataclass
class _TrialJob:
    """A trial at work, in a process that trains and then in one that scores; `held` keeps other workers off it."""

    trial: Trial
    held: ExitStack
    process: subprocess.Popen[bytes] | None = None
    scoring: bool = False
    checked: int = 0

    @property
    def number(self) -> int:
        return self.trial.number

    def stop(self) -> None:
        """Let its process save its state, and wait for it."""
        if self.process and self.process.poll() is None:
            self.process.terminate()  # not by Ctrl-C, which all that a script starts with `&` ignores
            self.process.wait()


@dataclass
class _Searching:
    """Starts trials and follows them."""

    search: Search
    home: SearchFolder
    study: Study
    threads: int
    say: Say
    working: list[_TrialJob] = field(default_factory=list)
    failures: int = 0
    works: bool = False

    def run(self, trials: int, jobs: int) -> None:
        """Until there are so many trials, none of them at work here."""
        while True:
            while len(self.working) < jobs and (job := self._next(trials)):
                self.working.append(job)
            if not self.working:
                return
            for job in [*self.working]:
                if self._follow(job):
                    self.working.remove(job)
                    job.held.close()
            time.sleep(_LOOK_SECONDS)

    def end(self) -> None:
        """Stop what is at work."""
        for job in self.working:
            if job.process and job.process.poll() is None:
                job.process.terminate()
        for job in self.working:
            job.stop()
            job.held.close()
        self.working.clear()

    def _next(self, trials: int) -> _TrialJob | None:
        """A trial that nobody works at, else a new one, if there are to be more."""
        from optuna.trial import Trial, TrialState

        known = self.study.get_trials(deepcopy=False)
        mine = {job.number for job in self.working}
        for one in known:
            if one.state == TrialState.RUNNING and one.number not in mine and (held := self._hold(one.number)):
                trial = Trial(self.study, one._trial_id)  # noqa: SLF001 - nothing else makes it one again
                return _TrialJob(trial, held, checked=max(one.intermediate_values, default=0))
        if len(known) >= trials:
            return None
        trial = self.study.ask({one.place: one.distribution() for one in self.search.ranges})
        held = self._hold(trial.number)
        return _TrialJob(trial, held) if held else None

    def _hold(self, number: int) -> ExitStack | None:
        """The right to work at a trial; None if another process does, or one that a killed one left behind."""
        held, run = ExitStack(), self.home.run(number).path
        try:
            held.enter_context(alone(self.home.job(number, "lock"), f"working at trial {number}", ""))
            if (run / LOCK).exists():
                with alone(run / LOCK, f"training {run}", ""):
                    pass
        except ConfigError:
            held.close()
            return None
        return held

    def _follow(self, job: _TrialJob) -> bool:
        """Take a trial a step further; whether it has ended."""
        if job.process is None:
            self._begin(job)
            return False
        if job.process.poll() is None:
            return not job.scoring and self._hopeless(job)
        code = job.process.returncode
        if code == Diverged.exit_code and not job.scoring:
            return self._tell(job, "pruned", "it diverged")
        if code:
            return self._fail(job)
        if job.scoring:
            return self._scored(job)
        self._report(job)
        self._score(job)
        return False

    def _begin(self, job: _TrialJob) -> None:
        """Train from nothing, or go on with what is there."""
        run, search = self.home.run(job.number), self.search
        if run.path.exists() and run.checkpoints():
            if ending_of(run.notes()) == "finished":
                self._score(job)
            else:
                self._launch(job, "resume", str(run.path))
            return
        if run.path.exists():  # ended before its first checkpoint
            shutil.rmtree(run.path)
        first = (f"checkpoint.every_images={search.every_images()}", "checkpoint.keep=1")
        chosen = (f"{place}={text}" for place, text in texts(search, job.trial.params).items())
        sets = [word for text in (*first, *search.settings, *chosen) for word in ("--set", text)]
        options = ["--images", str(search.images), "--threads", str(self.threads), "--care", "watch"]
        self._launch(job, "train", search.source, "--recipe", search.recipe, *options, *sets, "-o", str(run.path))

    def _score(self, job: _TrialJob) -> None:
        job.scoring = True
        out = self.home.job(job.number, "json")
        run = str(self.home.run(job.number).path)
        self._launch(job, "evaluate", run, "--metrics", self.search.metric, f"--json={out}")

    def _launch(self, job: _TrialJob, *arguments: str) -> None:
        job.process = start(arguments, self.home.job(job.number, "log"), self.threads)

    def _hopeless(self, job: _TrialJob) -> bool:
        """End a run that is worse than what most others were at its last check; whether it was ended."""
        self._report(job)
        if not job.checked or not job.trial.should_prune():
            return False
        job.stop()
        return self._tell(job, "pruned", "it was worse than half of the others had been by then")

    def _report(self, job: _TrialJob) -> None:
        """Tell Optuna what a run has scored since it was last asked, for this trial and for those to come."""
        with suppress(SteadyganError):  # its folder is being made
            scores = self.home.run(job.number).scores()
            for score in (one for one in scores if one.metric == scores[0].metric):
                check = round(CHECKS * score.images / self.search.images)
                if job.checked < check < CHECKS and math.isfinite(score.value):
                    job.checked = check
                    job.trial.report(score.value, check)

    def _scored(self, job: _TrialJob) -> bool:
        found = json.loads(self.home.job(job.number, "json").read_text(encoding="utf-8"))
        value = float(found["scores"][0]["value"])
        if not math.isfinite(value):
            return self._tell(job, "pruned", "its score is not a finite number")
        self.works = True
        return self._tell(job, "complete", "", value)

    def _fail(self, job: _TrialJob) -> bool:
        reason = self._why(job)
        self.failures += 1
        self._tell(job, "failed", reason)
        if self.failures >= _HOPELESS and not self.works:
            raise ConfigError(f"{self.failures} trials failed and none succeeded; the last: {reason}")
        return True

    def _why(self, job: _TrialJob) -> str:
        """Why a process ended, in its own words."""
        with self.home.job(job.number, "log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
            lines = log.read().decode(errors="replace").splitlines()
        said = [line.removeprefix(_SAID) for line in lines if line.startswith(_SAID)]
        return said[-1] if said else f"its process ended with code {job.process.returncode if job.process else '?'}"

    def _tell(self, job: _TrialJob, state: str, reason: str, value: float | None = None) -> bool:
        """End a trial in Optuna's storage; pruned ones are those that its sampler learns to avoid."""
        from optuna.trial import TrialState

        job.trial.set_user_attr("run", self.home.run(job.number).path.name)
        job.trial.set_user_attr("reason", reason)
        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        self.study.tell(job.number, value, state=states[state])
        told = f"{self.search.metric} {value:.4g}" if value is not None else f"{state}, since {reason}"
        chosen: Sequence[str] = [f"{place}={text}" for place, text in texts(self.search, job.trial.params).items()]
        self.say(shown(f"trial {job.number}: {told}; {', '.join(chosen)}"))
        return True
