"""Everything steadygan refuses to do, as one tree.

SteadyganError          one line: what is wrong, and what to do about it
├─ ConfigError      2   wrong usage or configuration
├─ DataError        4   images, data sets, run folders or checkpoints that cannot be used
│  └─ StorageError  4   the disk would not take or give back a file
├─ Diverged         5   training produced values that are not finite; the last good checkpoint is kept
└─ Interrupted    130   the user stopped it; the state is saved

The number is the exit code of the command line. An OSError is never a bug: with the file it names it becomes a
StorageError, whether the path was mistyped or the disk refused; where a command looks for itself and can say what to
give instead, that is a ConfigError.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from steadygan.names import shown

__all__ = ["ConfigError", "DataError", "Diverged", "Interrupted", "SteadyganError", "StorageError"]


class SteadyganError(Exception):
    """Base of all errors meant for the user: a sentence saying what is wrong and what to do, or several.

    Each argument is one line, whatever names are in it.
    """

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return "\n".join(map(shown, self.args))

    def _render_traceback_(self) -> list[str]:
        """What IPython and notebooks show in place of a traceback."""
        return [f"\x1b[31m{type(self).__name__}\x1b[0m: {self}"]


class ConfigError(SteadyganError):
    """A command, option or setting that cannot be used as given."""

    exit_code = 2


class DataError(SteadyganError):
    """Images, a data set, a run folder or a checkpoint that cannot be used."""

    exit_code = 4


class StorageError(DataError):
    """A file that could not be written or read: disk full, no permission, a path that leads nowhere, device error."""


class Diverged(SteadyganError):
    """Training produced a value that is not finite; nothing was updated with it. `evidence` says which and where."""

    exit_code = 5
    evidence = ""


class Interrupted(SteadyganError):
    """Stopped on request; the state was saved before leaving."""

    exit_code = 130


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn a Ctrl-C that nothing else has heard into the one line of an Interrupted; also a decorator."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted("interrupted; what was saved before is kept") from stop


_REASONS = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "your disk quota is used up; free some space",
    errno.EFBIG: "the file would be larger than this system allows",
    errno.EACCES: "no permission; change its permissions or choose another path",
    errno.EPERM: "no permission; change its permissions or choose another path",
    errno.EROFS: "the file system is read-only; choose another path",
    errno.EEXIST: "a part of the path is a file, not a folder; choose another path",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another path",
    errno.EISDIR: "it is a folder, not a file; choose another path",
    errno.ENOENT: "there is no such file or folder; check the path",
    errno.ENAMETOOLONG: "the name is longer than this system allows; choose a shorter one",
    errno.ELOOP: "its symbolic links lead in a circle; choose another path",
    errno.ENXIO: "nothing listens there, it is a socket or a device without one; choose another path",
    errno.EIO: "Input/output error: the disk or the connection to it fails; choose another path",
    errno.EMFILE: "too many files are open at once; raise the limit, as with `ulimit -n 4096`",
    errno.ENFILE: "too many files are open at once; close other programs",
}
_WITHOUT_A_NAME = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE}
"""What the system says of a whole disk or process, and no program could have known."""


def reason(problem: OSError) -> str:
    """Why the system refused a file, and what to do."""
    return _REASONS.get(problem.errno or 0, problem.strerror or str(problem))


@contextmanager
def os_errors() -> Iterator[None]:
    """Turn an OSError that names its file into the one line of a StorageError; also a decorator, of what users call.

    One without a file is a bug like any other error, unless the whole disk or process is meant.
    """
    try:
        yield
    except OSError as problem:
        if isinstance(problem.filename, str | bytes | os.PathLike):
            raise StorageError(f"{os.fsdecode(problem.filename)}: {reason(problem)}") from problem
        if problem.errno in _WITHOUT_A_NAME:
            raise StorageError(reason(problem)) from problem
        raise
