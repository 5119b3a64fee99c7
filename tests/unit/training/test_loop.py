"""Who is called when: listeners at their cadence, all with one snapshot, and once more at the end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from steadygan.training import loop
from steadygan.training.config import Budget, Cadence, RunConfig
from steadygan.training.listeners import Listener
from steadygan.training.session import Progress, Session


class Noting(Listener):
    """Writes down what it is called with."""

    def __init__(self, name: str, every: int, statistics: int, calls: list) -> None:
        self.name, self.cadence, self.statistics, self.calls = name, Cadence(every_steps=every), statistics, calls

    def __call__(self, session, now):
        self.calls.append((session.progress.steps, self.name, now))

    def finish(self, session, now, done):
        self.calls.append(("done" if done else "stopped", self.name, now))


@pytest.fixture
def played(monkeypatch):
    """Plays a run without networks, whose snapshots are the numbers of latents asked for; its listeners' calls."""

    def step(session, batches):
        session.progress.steps += 1
        session.images_this_step = 8

    def play(steps, stop_after, *listeners):
        runtime = SimpleNamespace(world=1, any=bool)
        threads = SimpleNamespace(stepped=lambda *_: None)
        config = RunConfig(budget=Budget(steps=steps))
        session = Session(config, None, None, runtime, None, None, threads, Progress())
        stop = loop.StopRequest()

        def on_step(session):
            stop.asked = session.progress.steps == stop_after

        return loop.play(session, SimpleNamespace(wait_seconds=0.0), listeners, stop, on_step)

    monkeypatch.setattr(loop, "step", step)
    monkeypatch.setattr(loop, "take", lambda session, count: count)
    return play


def test_listeners_called_after_one_step_get_one_snapshot_on_the_most_latents_any_of_them_asks_for(played):
    calls: list = []
    assert played(6, None, Noting("a", 2, 128, calls), Noting("b", 3, 512, calls), Noting("c", 6, 0, calls))
    assert calls[:3] == [(2, "a", 128), (3, "b", 512), (4, "a", 128)]
    assert calls[3:6] == [(6, "a", 512), (6, "b", 512), (6, "c", 512)]
    assert calls[6:] == [("done", name, 512) for name in "abc"], "who acted at the last step does not act again"


def test_at_the_end_all_act_that_did_not_just_act_and_are_told_if_it_was_only_stopped(played):
    calls: list = []
    assert not played(9, 4, Noting("a", 2, 0, calls), Noting("b", 5, 512, calls))
    assert calls == [(2, "a", 0), (4, "a", 0), (4, "b", 512), ("stopped", "a", 512), ("stopped", "b", 512)]
