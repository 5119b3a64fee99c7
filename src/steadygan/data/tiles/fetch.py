"""Fetching many small files from one web server without being a burden to it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from urllib.error import HTTPError, URLError

from steadygan.data.tiles.remote import open_url, shown
from steadygan.errors import DataError

ABSENT = frozenset({204, 404, 410})
"""Answers that mean: there is nothing at this place."""

LONGEST_WAIT = 300.0
"""Seconds that are waited when a server asks for it; of one that asks for more we take leave."""

_TRIES = 5
_FIRST_PAUSE = 1.0
_STOP = frozenset({401, 403, 407, 451})


class Refused(Exception):
    """The server will not give this one file; the others may still be had."""


@dataclass
class Polite:
    """Asks one server, from any number of threads: at most `rate` requests a second, all of them counted.

    A server that is busy (429, 5xx) or out of reach is asked again after a growing pause, or after as long as it
    says itself (Retry-After); all threads wait then.
    """

    rate: float
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _next: float = 0.0

    def get(self, url: str) -> bytes | None:
        """What is at an address; None if there is nothing (204, 404, 410).

        Raises Refused if the server gives an answer that more attempts will not change, DataError if it wants no
        more requests from us or does not answer.
        """
        for attempt in range(_TRIES):
            self._wait()
            try:
                with open_url(url) as answer:
                    return None if getattr(answer, "status", 200) in ABSENT else answer.read()
            except HTTPError as problem:
                with problem:
                    pause, reason = self._after(problem, url, attempt), f"HTTP {problem.code}"
                if pause is None:
                    return None
            except (URLError, HTTPException, OSError) as problem:
                pause = _pause(attempt)
                reason = str(getattr(problem, "reason", problem)) or type(problem).__name__
            if attempt + 1 < _TRIES:
                self._hold(pause)
        raise DataError(f"{shown(url)}: the server does not answer as it should ({reason}, {_TRIES} attempts)")

    def _after(self, problem: HTTPError, url: str, attempt: int) -> float | None:
        """Seconds until the next attempt, or None if there is nothing at that address."""
        if problem.code in ABSENT:
            return None
        if problem.code in _STOP:
            raise DataError(f"{shown(url)}: the server refuses (HTTP {problem.code}); check the address and your key")
        if problem.code != 429 and problem.code < 500:
            raise Refused(f"is refused by the server (HTTP {problem.code})")
        asked = retry_after(problem.headers.get("Retry-After"))
        if asked > LONGEST_WAIT:
            raise DataError(f"{shown(url)}: the server wants no request for {asked:,.0f} seconds")
        return max(asked, _pause(attempt))

    def _wait(self) -> None:
        """Until it is the turn of this request."""
        while True:
            with self._lock:
                now = time.monotonic()
                if now >= self._next:
                    self._next = now + 1 / self.rate
                    return
                pause = self._next - now
            time.sleep(pause)

    def _hold(self, seconds: float) -> None:
        """No request of any thread for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def _pause(attempt: int) -> float:
    return float(_FIRST_PAUSE * 2**attempt)


def retry_after(text: str | None) -> float:
    """Seconds that a Retry-After line asks for, given as a number or a date; 0 if it says nothing that makes sense."""
    if not text:
        return 0.0
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0
