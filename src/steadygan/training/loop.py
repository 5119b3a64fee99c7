"""The loop: turns, average, listeners, until the budget is spent or somebody asks to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from torch import Tensor

from steadygan.data.loader import Batches
from steadygan.errors import Diverged
from steadygan.terminal import GONE, when_asked_to_stop
from steadygan.training.budget import spent
from steadygan.training.caring import decide
from steadygan.training.listeners import Listener
from steadygan.training.session import Session
from steadygan.training.snapshot import Snapshot, take


class StopRequest:
    """Whether the user asked to stop, or is gone. A second Ctrl-C or SIGTERM interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._urged = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if number not in GONE:
            if self._urged:
                raise KeyboardInterrupt
            self._urged = True
        self.asked = True

    @contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Take the signals over for the length of the block."""
        with when_asked_to_stop(self):
            yield self


def play(
    session: Session,
    batches: Batches,
    listeners: Sequence[Listener],
    stop: StopRequest,
    on_step: Callable[[Session], None],
) -> bool:
    """Train until the budget is spent or a stop is asked for, then let every listener act a last time, and finish.

    Returns whether the budget is spent. With several processes the end is agreed at the ticks: asking at each step
    would cost more.
    """
    runtime, progress, config = session.runtime, session.progress, session.config
    before, start = progress.seconds, time.perf_counter()
    enough = False  # whether care ended the run before its budget is spent
    over = runtime.any(spent(config.budget, progress) >= 1)
    due: list[Listener] = []
    for listener in listeners:
        listener.begin(session)
    if session.decides and not over:  # what was decided at the checkpoint that the run goes on from
        over = enough = decide(session)
    while not over:
        began = time.perf_counter()
        step(session, batches)
        ended = time.perf_counter()
        session.threads.stepped(ended - began, session.images_this_step)
        progress.seconds = before + ended - start
        session.input_wait_seconds = batches.wait_seconds
        due = [listener for listener in listeners if session.crossed(listener.cadence)]
        problem = _call(due, session, _snapshot(session, due))
        on_step(session)
        if runtime.world == 1 or session.crossed(config.log):
            over = runtime.any(stop.asked or spent(config.budget, progress) >= 1)
        if problem:  # a stop that was asked for comes a step later, so that no checkpoint holds what was set back to
            decide(session, problem)
            over, due = runtime.any(spent(config.budget, progress) >= 1), []
        elif not over and session.crossed(config.checkpoint):
            over = enough = decide(session)
    done = enough or spent(config.budget, progress) >= 1
    now = _snapshot(session, listeners)
    if problem := _call([one for one in listeners if one not in due], session, now):  # the others have just acted
        raise problem
    for listener in listeners:
        listener.finish(session, now, done)
    return done


def _call(listeners: Sequence[Listener], session: Session, now: Snapshot) -> Diverged | None:
    """Call them; what was not finite, if one of them saw that, after which none is called."""
    try:
        for listener in listeners:
            listener(session, now)
    except Diverged as problem:
        return problem
    return None


def _snapshot(session: Session, listeners: Sequence[Listener]) -> Snapshot:
    """What these listeners are to look at."""
    return take(session, max((listener.statistics for listener in listeners), default=0))


def step(session: Session, batches: Batches) -> None:
    """One round of the game, with randomness that depends on nothing but seed, process and step."""
    runtime, progress = session.runtime, session.progress
    next_latent = session.seeded(progress.steps)

    def next_real() -> tuple[Tensor, ...]:
        images, labels = next(batches)
        return runtime.to_layout(images), *session.given(labels)

    session.images_this_step = session.game.step(next_real, next_latent)
    progress.steps += 1
    progress.images += session.images_this_step
    session.average.update(progress.images, session.images_this_step)
    session.meter.add(session.game.report)
