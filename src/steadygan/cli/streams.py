"""What the program says: in characters that the terminal has, and to nobody's harm when nobody listens any more."""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

import typer

from steadygan.names import to_json

if TYPE_CHECKING:
    from pydantic import BaseModel

_GONE = {errno.EPIPE, errno.EIO, errno.EBADF, errno.EINVAL, errno.ESHUTDOWN, errno.ECONNRESET}
"""How systems say that the reader has left or the terminal was closed; Windows says EINVAL."""

_ERRORS = "steadygan.plain"
_PAIRS = """
    → -> ← <- × x · * ≤ <= ≥ >= ≠ != ≈ ~ ± +- √ sqrt ∞ inf ‖ || ° deg § section
    – - — - − - ‐ - ‑ - ‘ ' ’ ' “ " ” " « " » " ✓ ok ✗ no • * ⁄ / ß ss µ u
""".split()  # noqa: SIM905
_PLAIN = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True))
_LETTER = re.compile(r"(?:LATIN|GREEK) (SMALL|CAPITAL) LETTER (?:DOTLESS )?(\w+)")


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
            if self.called and problem.errno not in _GONE:
                raise OSError(problem.errno, problem.strerror, self.called) from problem

    def _leave(self) -> None:
        """Say nothing more; what still waits in the stream goes nowhere, or the interpreter would fail at its end."""
        gone, self.stream = self.stream, None
        with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            if gone is not None:
                os.dup2(nowhere.fileno(), gone.fileno())
                gone.flush()


def print_json(model: BaseModel) -> None:
    """Print a record as JSON and nothing else."""
    print_exactly(to_json(model, indent=2) + "\n")


def print_exactly(text: str) -> None:
    """Print JSON or TOML that means the same in every encoding: where it lacks a character, all are escaped."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = re.sub(r"[^\x00-\x7f]+", lambda found: _escaped(found.group()), text)
    typer.echo(text, nl=False)


def _escaped(text: str) -> str:
    """Characters as JSON escapes them, two for one beyond U+FFFF."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


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
