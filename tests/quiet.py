"""A console for tests that train."""

from __future__ import annotations

from collections.abc import Callable

from steadygan.training.console import Silent
from steadygan.training.session import Session


class Quiet(Silent):
    """Says nothing, remembers everything, and lets a test act at each step."""

    def __init__(self, act: Callable[[Session], None] = lambda session: None) -> None:
        self.said: list[str] = []
        self.act = act

    def say(self, text: str) -> None:
        self.said.append(text)

    def step(self, session: Session) -> None:
        self.act(session)
