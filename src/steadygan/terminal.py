"""The terminal a program was started from: it asks to stop, it may go away, and it lacks characters."""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
import signal
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TextIO

Handler = Callable[[int, FrameType | None], Any]

# Ctrl-C; schedulers and `kill`; a closed terminal or a lost connection; the same and Ctrl-Break on Windows
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
STOPPING = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""The signals by which a program is asked to stop, as far as the system has them."""

GONE = {getattr(signal, name) for name in _NAMES[2:] if hasattr(signal, name)}
"""Those that say that the user has left. They come twice, from the system and from the shell, and mean it once."""

_LEFT = {errno.EPIPE, errno.EIO, errno.EBADF, errno.EINVAL, errno.ESHUTDOWN, errno.ECONNRESET}
"""How systems say that the reader has left or the terminal was closed; Windows says EINVAL."""

_ERRORS = "steadygan.plain"
_PAIRS = """
    → -> ← <- × x · * ≤ <= ≥ >= ≠ != ≈ ~ ± +- √ sqrt ∞ inf ‖ || ° deg § section
    – - — - − - ‐ - ‑ - ‘ ' ’ ' “ " ” " « " » " ✓ ok ✗ no • * ⁄ / ß ss µ u
""".split()  # noqa: SIM905
_PLAIN = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True))
_LETTER = re.compile(r"(?:LATIN|GREEK) (SMALL|CAPITAL) LETTER (?:DOTLESS )?(\w+)")


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


@contextmanager
def plain_streams() -> Iterator[None]:
    """As long as this lasts, standard output and error take any text, and the end of their reader ends nothing.

    What an encoding lacks is written in plain characters. One that was closed from the start takes everything and shows
    nothing; a disk too full for the standard output is an OSError that says so.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:  # or the next file opened would be the standard output
        pass
    os.close(handle)
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as the process
    sys.stdout, sys.stderr = Stream(sys.stdout, "the standard output"), Stream(sys.stderr)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        sys.stdin, sys.stdout, sys.stderr = before


class Stream(io.TextIOBase):
    """A text stream in front of another, which may be None; it has no `buffer`, so that nobody goes round it.

    `name` is what an error on it is called; without one there is no error, because there is nowhere to say it.
    """

    def __init__(self, stream: TextIO | None, name: str = "") -> None:
        self.stream, self.called = stream, name

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self.stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return _ERRORS

    def write(self, text: str, /) -> int:
        plain = text.encode(self.encoding, _ERRORS).decode(self.encoding)
        if plain:  # typer tries an empty text first, and would hide what happens to it
            self._do("write", plain)
        return len(text)

    def flush(self) -> None:
        self._do("flush")

    def isatty(self) -> bool:
        return self.stream is not None and self.stream.isatty()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self.stream is None:
            raise io.UnsupportedOperation("this stream was closed before the program began")
        return self.stream.fileno()

    def _do(self, method: str, *text: str) -> None:
        if self.stream is None:
            return
        try:
            getattr(self.stream, method)(*text)
        except OSError as problem:
            self._leave()
            if self.called and problem.errno not in _LEFT:
                raise OSError(problem.errno, problem.strerror, self.called) from problem

    def _leave(self) -> None:
        """Say nothing more; what still waits in the stream goes nowhere, or the interpreter would fail at its end."""
        gone, self.stream = self.stream, None
        with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            if gone is not None:
                os.dup2(nowhere.fileno(), gone.fileno())
                gone.flush()


def _in_plain(problem: Any) -> tuple[str, int]:
    """The handler of what an encoding lacks (`codecs.register_error`)."""
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    return "".join(map(_spelled, problem.object[problem.start : problem.end])), problem.end


def _spelled(character: str) -> str:
    """A character in ASCII: its likeness, the letter below its marks, its name if it is Greek, or else its code."""
    if "\udc80" <= character <= "\udcff":  # a byte of a file name that is no text
        return f"\\x{ord(character) - 0xDC00:02x}"
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        return "+" if " AND " in name else "|" if name.endswith("VERTICAL") else "-"
    if name.startswith("BRAILLE PATTERN"):  # of a bar that turns
        return "*"
    if character not in _PLAIN and (found := _LETTER.match(name)):
        case, letter = found.groups()
        return letter if case == "CAPITAL" and len(letter) < 3 else letter.lower()
    parts = _PLAIN.get(character) or unicodedata.normalize("NFKD", character)
    plain = "".join(_PLAIN.get(part, part) for part in parts if not unicodedata.combining(part))
    return plain if plain.isascii() and plain else character.encode("ascii", "backslashreplace").decode()


codecs.register_error(_ERRORS, _in_plain)
