"""How many processor threads a step uses: as many as other programs leave free, found by timing the run's own steps.

A thread that waits for one that does not run waits a whole time slice: beside another busy program two threads were up
to ten times slower than one. What others use is only a sign to look; what counts is which number of threads is faster.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil
import torch

from steadygan.data.pool import cores

_SAMPLE_SECONDS = 0.2
_NEARLY = 0.35  # a processor that others use for less than this counts as free
_SLOW = 0.6  # of the best rate so far: then it is looked whether fewer threads are faster
_STEPS = 3  # of each number of threads, of which the fastest counts: some have penalties, and the first starts threads
_HOPELESS = 2.0  # times the best: such a step is not repeated
_WORTH = 1.1  # times as fast: for less nothing is changed, since another number of threads rounds otherwise
_LONGEST_WAIT = 32


def choose_threads(asked: int) -> int:
    """Threads for this process on a quiet machine: as many as asked for, or as `threads_for` finds."""
    return asked or threads_for(
        cores(), int(os.environ.get("LOCAL_WORLD_SIZE", "1")), os.environ.get("OMP_NUM_THREADS", "")
    )


def is_pinned(asked: int) -> bool:
    """Whether somebody chose the number of threads, here or by OMP_NUM_THREADS."""
    return bool(asked or _number(os.environ.get("OMP_NUM_THREADS", "")))


def threads_for(processors: int, processes: int = 1, omp_threads: str = "") -> int:
    """Threads of one of `processes` that share a machine: one processor stays free from three up, the rest is shared.

    `omp_threads` is the variable OMP_NUM_THREADS, which the user may have set; but 1 beside other processes is what
    torchrun sets by itself.
    """
    own = _number(omp_threads)
    if own > 1 or (own == 1 and processes == 1):
        return own
    return max(1, (processors - (processors >= 3)) // processes)


def _number(omp_threads: str) -> int:
    first = omp_threads.partition(",")[0].strip()
    return int(first) if first.isdecimal() else 0


@dataclass
class Others:
    """How many of the processors that this process may use are used by other programs."""

    last: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def look(self) -> float:
        """Since the last look, of which the first is no measure; 0 where the system does not tell."""
        try:
            mine = psutil.Process()
            bound = mine.cpu_affinity() if hasattr(mine, "cpu_affinity") else None
            every = psutil.cpu_times(percpu=True)
            used = sum(_busy(one) for number, one in enumerate(every) if bound is None or number in bound)
            own = mine.cpu_times()
        except (psutil.Error, OSError, NotImplementedError):
            return 0.0
        before, self.last = self.last, (time.perf_counter(), used, own.user + own.system)
        seconds, used, own_used = (now - then for now, then in zip(self.last, before, strict=True))
        return max(0.0, (used - own_used) / max(seconds, 1e-9))

    def sample(self) -> float:
        """Over a fifth of a second in which this process rests."""
        self.look()
        time.sleep(_SAMPLE_SECONDS)
        return self.look()


def _busy(times: Any) -> float:
    """Seconds that a processor worked, for whomever; time that another guest of the machine took counts."""
    idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle)


def free(most: int, used: float) -> int:
    """How many of `most` threads find a processor of their own, where others use so many; at least one."""
    return max(1, min(most, int(most - used + _NEARLY)))


@dataclass
class ThreadTrial:
    """Steps of the run with one number of threads after another, the fewest first."""

    numbers: list[int]
    seconds: dict[int, list[float]] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """What is being tried."""
        return self.numbers[0]

    def add(self, seconds: float) -> bool:
        """Take the time of a step; whether all have been tried."""
        so_far = self.seconds.setdefault(self.number, [])
        so_far.append(seconds)
        others = [min(times) for number, times in self.seconds.items() if number != self.number]
        if len(so_far) == _STEPS or (others and seconds > _HOPELESS * min(others)):
            self.numbers.pop(0)
        return not self.numbers

    def best(self) -> dict[int, float]:
        """Seconds of the fastest step with each number."""
        return {number: min(times) for number, times in self.seconds.items()}


class Threads:
    """The number of threads of a run on a processor, which is changed while it runs unless it was `pinned`.

    `most` is the number on a quiet machine, `now` the one in use. `tell` gets a sentence for every change. A run
    repeats to the bit only as long as nothing changes.
    """

    def __init__(
        self,
        most: int,
        now: int,
        pinned: bool = False,
        tell: Callable[[str], None] = print,
        others: Callable[[], float] | None = None,
    ) -> None:
        self.most, self.now, self.pinned, self.tell = most, now, pinned or most == 1, tell
        self.others = others or Others().look
        self.trial: ThreadTrial | None = None
        self.best_rate = 0.0
        self._images, self._seconds = 0, 0.0
        self._wait, self._waiting = 1, 0
        if not self.pinned:
            self.others()

    def stepped(self, seconds: float, images: int) -> None:
        """Note how long a step took; while there is a trial, go on with it."""
        if self.pinned:
            return
        if self.trial is None:
            self._seconds, self._images = self._seconds + seconds, self._images + images
        elif self.trial.add(seconds):
            self._decide(self.trial.best())
            self.trial = None
        else:
            torch.set_num_threads(self.trial.number)

    def look(self) -> None:
        """Look whether another number may be better, and begin to try it; called at every tick."""
        if self.pinned or self.trial is not None or not self._seconds:
            return
        used, rate = self.others(), self._images / self._seconds
        self._seconds, self._images = 0.0, 0
        wanted = free(self.most, used)
        slow = rate < _SLOW * self.best_rate
        self.best_rate = max(self.best_rate, rate)
        self._waiting -= 1
        if self._waiting > 0 or (wanted == self.now and not (slow and self.now > 1)):
            return
        fewer = max(1, self.now // 2) if wanted == self.now else wanted
        self.trial = ThreadTrial(sorted({self.now, fewer}))
        torch.set_num_threads(self.trial.number)

    def _decide(self, seconds: dict[int, float]) -> None:
        best = min(seconds, key=lambda number: seconds[number])
        gain = seconds[self.now] / seconds[best] if self.now in seconds else 1.0
        if gain < _WORTH:
            self._wait = min(2 * self._wait, _LONGEST_WAIT)
            self._waiting = self._wait
        else:
            self._wait, self.best_rate = 1, 0.0
            self.tell(f"{counted(best)} instead of {self.now}: {gain:.1f}× as fast beside what else the machine does")
            self.now = best
        torch.set_num_threads(self.now)

    def state_dict(self) -> dict[str, Any]:
        return {"now": self.now}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with as many as the run had, if it may; else that is said, since they round otherwise."""
        had = state["now"]
        if not self.pinned:
            self.now = min(self.most, had)
            torch.set_num_threads(self.now)
        if self.now != had:
            self.tell(f"goes on with {counted(self.now)} where it had {had}: it no longer repeats to the bit")


def counted(number: int) -> str:
    """A number of threads in words."""
    return "1 thread" if number == 1 else f"{number} threads"
