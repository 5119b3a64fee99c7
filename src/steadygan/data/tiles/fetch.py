"""Asking a web server without being a burden to it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import IO, Annotated, Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, urlopen

from pydantic import PlainSerializer

from steadygan.errors import DataError
from steadygan.version import __version__

T = TypeVar("T")

USER_AGENT = f"steadygan/{__version__}"

LONGEST_WAIT = 300.0
"""Seconds that are waited when a server asks for it; of one that asks for more we take leave."""

_TRIES = 5
_FIRST_PAUSE = 1.0
_TIMEOUT = 30.0
_SECRET = re.compile(r"(?i)([?&][^=&]*(?:key|token|sig|secret|password|auth|credential)[^=&]*=)[^&{]+")


class Refused(Exception):
    """The server gives an answer that more attempts will not change."""

    def __init__(self, code: int) -> None:
        super().__init__(f"is refused by the server (HTTP {code})")
        self.code = code


@dataclass
class Polite:
    """Asks one server, from any number of threads: at most `rate` requests a second, all of them counted.

    A server that is busy (429, 5xx) or out of reach is asked again after a growing pause, or after as long as it
    says itself (Retry-After); all threads wait then.
    """

    rate: float
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _next: float = 0.0

    def ask(self, url: str, take: Callable[[Any], T], **headers: str) -> T:
        """What `take` makes of the answer for an address; keywords are header lines, with _ for -.

        Raises Refused for an answer that is final, DataError if the server wants no more requests from us or does not
        answer.
        """
        for attempt in range(_TRIES):
            self._wait()
            pause = _FIRST_PAUSE * 2**attempt
            try:
                with open_url(url, **headers) as answer:
                    return take(answer)
            except HTTPError as problem:
                with problem:
                    reason = f"HTTP {problem.code}"
                    if problem.code != 429 and problem.code < 500:
                        raise Refused(problem.code) from problem
                    pause = max(pause, retry_after(problem.headers.get("Retry-After")))
                if pause > LONGEST_WAIT:
                    raise DataError(f"{shown(url)}: the server wants no request for {pause:,.0f} seconds") from problem
            except (URLError, HTTPException, OSError) as problem:
                reason = str(getattr(problem, "reason", problem)) or type(problem).__name__
            if attempt + 1 < _TRIES:
                self._hold(pause)
        words = f"does not answer as it should ({reason}, {_TRIES} attempts); try again later"
        raise DataError(f"{shown(url)}: the server {words}")

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


def open_url(url: str, **headers: str) -> IO[bytes]:
    """What a web server gives for an address; keywords are header lines, with _ for -. Raises what urlopen raises."""
    sent = {"User-Agent": USER_AGENT, **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer: IO[bytes] = urlopen(Request(url, headers=sent), timeout=_TIMEOUT)
    return answer


def shown(url: str) -> str:
    """An address without passwords, keys, tokens and signatures, for messages and files."""
    parts = urlsplit(_SECRET.sub(r"\1…", url))
    return urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]))


Url = Annotated[str, PlainSerializer(shown)]
"""An address that is written down without its secrets."""
