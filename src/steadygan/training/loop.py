"""The loop: turns, average, listeners, until the budget is spent or somebody asks to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import torch
from torch import Tensor

from steadygan.data.loader import Batches
from steadygan.terminal import GONE, when_asked_to_stop
from steadygan.training.budget import spent
from steadygan.training.listeners import Listener
from steadygan.training.seeds import seed_everything
from steadygan.training.session import Session


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
) -> None:
    """Train until the budget is spent or a stop is asked for, then let every listener act a last time.

    With several processes the end is agreed at the ticks of the first listener: asking at each step would cost more.
    """
    runtime, progress = session.runtime, session.progress
    before, start = progress.seconds, time.perf_counter()
    over = runtime.any(spent(session.config.budget, progress) >= 1)
    due: list[Listener] = []
    while not over:
        step(session, batches)
        progress.seconds = before + time.perf_counter() - start
        session.input_wait_seconds = batches.wait_seconds
        due = [listener for listener in listeners if session.crossed(listener.cadence)]
        for listener in due:
            listener(session)
        on_step(session)
        if runtime.world == 1 or session.crossed(listeners[0].cadence):
            over = runtime.any(stop.asked or spent(session.config.budget, progress) >= 1)
    for listener in listeners:
        if listener not in due:  # else it has just acted, at the last step
            listener(session)


def step(session: Session, batches: Batches) -> None:
    """One round of the game, with randomness that depends on nothing but seed, process and step."""
    runtime, progress = session.runtime, session.progress
    share = session.config.batch // runtime.world
    seed_everything(session.config.seed, "step", runtime.rank, progress.steps)

    def next_real() -> tuple[Tensor, ...]:
        images, labels = next(batches)
        return runtime.to_layout(images), *session.given(labels)

    def next_latent() -> Tensor:
        return torch.randn(share, session.latent_dim, device=runtime.device)

    session.images_this_step = session.game.step(next_real, next_latent)
    progress.steps += 1
    progress.images += session.images_this_step
    session.average.update(progress.images, session.images_this_step)
    session.meter.add(session.game.report)
