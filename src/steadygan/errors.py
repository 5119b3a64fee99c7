"""Everything steadygan refuses to do, as one tree.

SteadyganError          one line: what is wrong, and what to do about it
├─ ConfigError      2   wrong usage or configuration
├─ DataError        4   images, data sets, run folders or checkpoints that cannot be used
│  └─ StorageError  4   the disk would not take or give back a file
├─ Diverged         5   training produced values that are not finite; the last good checkpoint is kept
└─ Interrupted    130   the user stopped it; the state is saved

The number is the exit code of the command line.
"""

from __future__ import annotations

from typing import ClassVar

from steadygan.names import shown


class SteadyganError(Exception):
    """Base of all errors meant for the user: a sentence saying what is wrong and what to do, or several.

    Each argument is one line, whatever names are in it.
    """

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return "\n".join(map(shown, self.args))


class ConfigError(SteadyganError):
    """A command, option or setting that cannot be used as given."""

    exit_code = 2


class DataError(SteadyganError):
    """Images, a data set, a run folder or a checkpoint that cannot be used."""

    exit_code = 4


class StorageError(DataError):
    """A file that could not be written or read: disk full, no permission, device error."""


class Diverged(SteadyganError):
    """Training produced a value that is not finite; nothing was updated with it."""

    exit_code = 5


class Interrupted(SteadyganError):
    """Stopped on request; the state was saved before leaving."""

    exit_code = 130
