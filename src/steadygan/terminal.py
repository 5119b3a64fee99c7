"""The terminal a program was started from: it asks the program to stop, and it may go away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TextIO, cast

Handler = Callable[[int, FrameType | None], Any]

# Ctrl-C; schedulers and `kill`; a closed terminal or a lost connection; the same and Ctrl-Break on Windows
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
STOPPING = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""The signals by which a program is asked to stop, as far as the system has them."""

GONE = {getattr(signal, name) for name in _NAMES[2:] if hasattr(signal, name)}
"""Those that say that the user has left. They come twice, from the system and from the shell, and mean it once."""


@contextmanager
def when_asked_to_stop(handler: Handler) -> Iterator[None]:
    """Let `handler` answer the signals that ask to stop, while the block lasts.

    What was ignored before stays so, as nohup has it. Outside the main thread there is nothing to take over.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in STOPPING}
    ours = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    for number in ours:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in ours.items():
            signal.signal(number, old)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Answer a signal as Ctrl-C is answered, but a second word of a terminal that is gone with nothing."""
    if number in GONE:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def lasting(stream: TextIO) -> TextIO:
    """A text stream whose other end may go away or fill up: what is written to it then is lost, and nobody minds."""
    return cast(TextIO, _Lasting(stream))


class _Lasting:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()
