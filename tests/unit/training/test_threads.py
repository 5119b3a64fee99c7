"""The number of threads follows what the machine has free, and is decided by timing steps."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest

from steadygan.training import threads as module
from steadygan.training.threads import Others, Threads, ThreadTrial, free, is_pinned


class Machine:
    """A machine on which `busy` other programs run; a step takes a second with one thread and all of a processor."""

    def __init__(self, processors: int = 2) -> None:
        self.processors, self.busy, self.told = processors, 0, []
        self.used = 1
        self.times: list[float] = []

    def others(self) -> float:
        return min(self.busy, self.processors)

    def seconds(self) -> float:
        """Each thread has a processor of its own or all wait for the one that has none, as measured: ten times."""
        crowded = self.used + self.busy > self.processors
        return 1.0 if self.used == 1 else 10.0 if crowded else 1.0 / self.used

    def play(self, threads: Threads, ticks: int, steps: int = 10) -> list[int]:
        """The number of threads after each tick."""
        after = []
        for _ in range(ticks):
            for _ in range(steps):
                self.times.append(self.seconds())
                threads.stepped(self.times[-1], 32)
            threads.look()
            after.append(threads.now)
        return after


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(module.torch, "set_num_threads", lambda number: setattr(machine, "used", number))
    return machine


def started(machine, most=2, now=2, **more):
    machine.used = now
    return Threads(most, now, tell=machine.told.append, others=machine.others, **more)


def test_on_a_quiet_machine_nothing_is_tried(machine):
    threads = started(machine)
    assert machine.play(threads, 20) == [2] * 20
    assert set(machine.times) == {0.5}
    assert machine.told == []


def test_beside_a_busy_program_fewer_are_taken_and_all_again_within_two_ticks_of_its_end(machine):
    threads = started(machine)
    machine.play(threads, 2)
    machine.busy = 1
    assert machine.play(threads, 3)[-1] == 1
    assert machine.times[-10:] == [1.0] * 10
    machine.busy = 0
    assert machine.play(threads, 2)[-1] == 2
    assert machine.times[-1] == 0.5
    assert [text.partition(":")[0] for text in machine.told] == ["1 thread instead of 2", "2 threads instead of 1"]


def test_a_slow_number_of_threads_costs_one_step_of_a_trial(machine):
    machine.others = lambda: 0.0  # nobody tells
    threads = started(machine, now=1)
    machine.busy = 1
    machine.play(threads, 1, steps=1)
    assert machine.play(threads, 1)[-1] == 1
    assert machine.times.count(10.0) == 1


def test_what_does_not_help_is_tried_again_later_and_later(machine):
    machine.others = lambda: 2.0  # programs that compute but do not disturb
    threads = started(machine)
    tried = []
    for tick in range(60):
        machine.play(threads, 1)
        if threads.trial:
            tried.append(tick)
    gaps = [later - earlier for earlier, later in pairwise(tried)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 10
    assert machine.told == []


def test_a_step_that_became_slow_is_enough_where_nobody_tells_what_others_do(machine):
    machine.others = lambda: 0.0
    threads = started(machine)
    machine.play(threads, 2)
    machine.busy = 1
    assert machine.play(threads, 3)[-1] == 1


def test_a_pinned_number_stays(machine):
    threads = started(machine, pinned=True)
    machine.busy = 2
    assert machine.play(threads, 5) == [2] * 5


@pytest.mark.parametrize(
    ("most", "used", "number"), [(2, 0, 2), (2, 0.3, 2), (2, 0.9, 1), (2, 5, 1), (1, 0, 1), (15, 3.1, 12)]
)
def test_a_thread_needs_a_processor_that_is_nearly_free(most, used, number):
    assert free(most, used) == number


def test_a_trial_takes_the_fastest_of_three_steps_with_each_number():
    trial = ThreadTrial([1, 2])
    assert [trial.add(seconds) for seconds in (3, 1, 2, 1.5, 0.5, 0.7)] == [False] * 5 + [True]
    assert trial.best() == {1: 1, 2: 0.5}


def test_a_resumed_run_goes_on_with_as_many_and_says_so_if_it_cannot(machine):
    threads = started(machine)
    machine.busy = 1
    machine.play(threads, 3)
    state = threads.state_dict()
    again = started(machine)
    again.load_state_dict(state)
    assert (again.now, machine.used) == (1, 1)
    machine.told.clear()
    started(machine, pinned=True).load_state_dict(state)
    assert machine.told == ["goes on with 2 threads where it had 1: it no longer repeats to the bit"]


def test_what_this_process_does_itself_on_processors_of_its_own_is_not_the_work_of_others(monkeypatch):
    clock = iter([0.0, 10.0])
    processors = iter([[(0, 0), (0, 0), (0, 0)], [(8, 2), (5, 5), (10, 0)]])  # worked and idle; the last is not ours
    own = iter([SimpleNamespace(user=0.0, system=0.0), SimpleNamespace(user=4.0, system=1.0)])
    process = SimpleNamespace(cpu_affinity=lambda: [0, 1], cpu_times=lambda: next(own))

    class Times(tuple):
        idle = property(lambda self: self[1])

    monkeypatch.setattr(module.psutil, "Process", lambda: process)
    monkeypatch.setattr(module.psutil, "cpu_times", lambda percpu: [Times(one) for one in next(processors)])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    others = Others()
    others.look()
    assert others.look() == pytest.approx((8 + 5 - 5) / 10)


@pytest.mark.parametrize(("asked", "omp", "pinned"), [(0, "", False), (2, "", True), (0, "3", True), (0, "0", False)])
def test_threads_are_pinned_by_a_setting_or_by_the_environment(monkeypatch, asked, omp, pinned):
    monkeypatch.setenv("OMP_NUM_THREADS", omp)
    assert is_pinned(asked) == pinned
