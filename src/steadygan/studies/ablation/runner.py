"""The jobs of a study, so many at once: started, watched, stopped together, and what each came to collected."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from steadygan.errors import ConfigError, Interrupted
from steadygan.studies.ablation.engines import Engine, JobHandle
from steadygan.studies.ablation.halving import losing
from steadygan.studies.ablation.job import without_run
from steadygan.studies.ablation.records import Outcome
from steadygan.studies.ablation.study import BASE, Study, StudyFolder
from steadygan.training.loop import StopRequest

_LOOK_SECONDS = 0.2
_TAIL = 4096  # bytes from the end of a log, in which its last line is
_SAID = "steadygan: "


@dataclass(frozen=True)
class StudyTask:
    """One run, or its first third."""

    variant: str
    seed: int
    rung: bool = False

    def __str__(self) -> str:
        return f"{self.variant}, seed {self.seed}"


@dataclass
class RunJob:
    """A task that runs; `slot` is which of the places side by side it has, and which GPU."""

    task: StudyTask
    handle: JobHandle
    slot: int
    began: float


@dataclass
class Standing:
    """How far a study is: what came of runs so far, what runs now with its share done, what waits."""

    study: Study
    outcomes: list[Outcome]
    running: dict[StudyTask, float]
    waiting: int
    seconds_left: float


class Watcher(Protocol):
    """Who is told how a study goes on."""

    def say(self, text: str) -> None: ...

    def look(self, state: Standing) -> None:
        """Some times a second."""

    def ended(self, outcome: Outcome, state: Standing) -> None: ...


@dataclass
class Runner:
    """Makes the runs of a study that are not made yet. `seconds` is what one is thought to take."""

    study: Study
    home: StudyFolder
    engine: Engine
    jobs: int
    seconds: float
    view: Watcher
    failed: dict[tuple[str, int], Outcome] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)

    def run(self) -> list[Outcome]:
        """All of them; Interrupted once the jobs have saved their state. ConfigError if scores do not compare."""
        stop = StopRequest()
        with stop.listening():
            if self.study.halving and self.home.stopped() is None:
                self._all([StudyTask(*run, rung=True) for run in self._open()], stop)
                self._halve()
            self._all([StudyTask(*run) for run in self._open()], stop)
        return self.outcomes()

    def outcomes(self) -> list[Outcome]:
        """What the runs came to so far, in the order of the study."""
        stopped = self.home.stopped() or {}
        found: list[Outcome] = []
        for run in self.study.runs():
            if done := self.home.finished(*run):
                found.append(done.outcome)
            elif run in self.failed:
                found.append(self.failed[run])
            elif run[0] in stopped:
                found.append(without_run(self.study, run, self.home.run(*run), "stopped early", stopped[run[0]]))
        return found

    def _open(self) -> list[tuple[str, int]]:
        """The runs that are still to be made; one that failed in an earlier session is tried again."""
        stopped = self.home.stopped() or {}
        return [
            run
            for run in self.study.runs()
            if run not in self.failed and run[0] not in stopped and not self.home.finished(*run)
        ]

    def _all(self, tasks: Sequence[StudyTask], stop: StopRequest) -> None:
        waiting, running, slots = list(tasks), list[RunJob](), list(range(self.jobs))
        try:
            while (waiting or running) and not stop.asked:
                while waiting and slots:
                    running.append(self._start(waiting.pop(0), slots.pop(0)))
                for job in [job for job in running if job.handle.poll() is not None]:
                    running.remove(job)
                    slots.append(job.slot)
                    self._ended(job, self._state(running, len(waiting)))
                self.view.look(self._state(running, len(waiting)))
                time.sleep(_LOOK_SECONDS)
        finally:
            _end(running)
        if stop.asked:
            raise Interrupted(
                f"stopped, {len(self.outcomes())} of {len(self.study.runs())} runs done and the others saved; go on "
                "with the same command"
            )

    def _start(self, task: StudyTask, slot: int) -> RunJob:
        line = ["study-job", str(self.home.path.absolute()), task.variant, str(task.seed), "--tied"]
        self.home.jobs.mkdir(parents=True, exist_ok=True)
        log = self.home.job_log(task.variant, task.seed)
        handle = self.engine.start([*line, *(["--rung"] if task.rung else [])], log, self.study, slot)
        return RunJob(task, handle, slot, time.monotonic())

    def _ended(self, job: RunJob, state: Standing) -> None:
        task, run = job.task, (job.task.variant, job.task.seed)
        self.took.append(time.monotonic() - job.began)
        done = self.home.finished(*run)
        if done is None and not (task.rung and job.handle.wait() == 0):
            self.failed[run] = without_run(self.study, run, self.home.run(*run), "failed", self._why(job))
        if done is not None or run in self.failed:
            _same_protocol(self.study, self.home)
            outcomes = self.outcomes()
            self.home.write_results(outcomes)
            self.view.ended(done.outcome if done else self.failed[run], replace(state, outcomes=outcomes))

    def _why(self, job: RunJob) -> str:
        """Why a job left no outcome, in its own words."""
        code, log = job.handle.wait(), self.home.job_log(job.task.variant, job.task.seed)
        if code < 0:
            why = " as the system does when memory is used up" if code == -getattr(signal, "SIGKILL", 9) else ""
            return f"its process was ended by signal {-code}{',' if why else ''}{why}"
        said = [line for line in _last_lines(log) if line.startswith(_SAID)]
        return said[-1].removeprefix(_SAID) if said else f"its process ended with code {code}; see {log}"

    def _halve(self) -> None:
        found = losing(self.study, self.home)
        self.home.write_stopped(found)
        for name, reason in found.items():
            self.view.say(f"{name} stops here: {reason}")
        if not found:
            self.view.say("after a third of the budget no variant clearly loses: all go on")

    def _state(self, running: Sequence[RunJob], waiting: int) -> Standing:
        shares = {job.task: self._share(job.task) for job in running}
        each = sum(self.took) / len(self.took) if self.took else self.seconds
        left = waiting + sum(1 - share for share in shares.values())
        return Standing(self.study, self.outcomes(), shares, waiting, left * each / self.jobs)

    def _share(self, task: StudyTask) -> float:
        """How much of its budget a run has used, by the last line of its log."""
        budget = self.study.budget
        with suppress(OSError, ValueError, IndexError, KeyError):
            last = json.loads(_last_lines(self.home.run(task.variant, task.seed).files.log)[-1])
            share = last["images"] / budget.images if budget.images else last["seconds"] / 60 / (budget.minutes or 1)
            return float(min(share * (3 if task.rung else 1), 1.0))
        return 0.0


def _last_lines(file: os.PathLike[str]) -> list[str]:
    with suppress(OSError), open(file, "rb") as log:
        log.seek(max(0, os.fstat(log.fileno()).st_size - _TAIL))
        return [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return []


def _end(running: Sequence[RunJob]) -> None:
    """Ask all jobs to stop, once, and wait until they have saved their state; a second Ctrl-C ends them at once."""
    try:
        for job in running:
            job.handle.terminate()
        for job in running:
            job.handle.wait()
    except KeyboardInterrupt:
        for job in running:
            job.handle.kill()
        raise


def _same_protocol(study: Study, home: StudyFolder) -> None:
    """Refuse a study whose runs were scored in different ways; of two seeds the images differ, and nothing else."""
    ways: dict[str, str] = {}
    for name, seed in study.runs():
        done = home.finished(name, seed)
        if done and done.score:
            ways.setdefault(_way(done.score.protocol), f"{name}, seed {seed}")
    if len(ways) > 1:
        (first, one), (second, other), *_ = ways.items()
        raise ConfigError(
            f"scores of this study do not compare: {one} was measured by {first}, {other} by {second}; begin anew with "
            f"-o, or delete {home.finished_json(BASE, study.seeds[0]).name} in the runs of one kind to score them again"
        )


def _way(protocol: str) -> str:
    """A protocol but for the images, the seed that draws them, and its digest."""
    return re.sub(r" of \S+ seed=\d+ #\S+$", "", protocol)
