"""Work that the studio starts: processes of the command line, which outlive it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from steadygan.errors import StorageError
from steadygan.names import shown

_TAIL = 16_384  # bytes in which the last line is looked for
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_KEPT = 200  # processes that have ended and are still told of


@dataclass
class Job:
    """A process of the command line. `about` is what it is for, as the id of a run; its output is in a file."""

    id: str
    what: str
    about: str
    output: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll()

    @property
    def line(self) -> str:
        """The last line it said."""
        return next(iter(self.lines()[-1:]), "")

    def lines(self) -> list[str]:
        """The last lines it said, as text for people."""
        try:
            with self.output.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                text = file.read().decode(errors="replace")
        except OSError:
            return []
        found = (shown(_ESCAPES.sub("", line)).strip() for line in re.split(r"[\r\n]+", text))
        return [line for line in found if line]

    def told(self) -> dict[str, Any]:
        """What a page shows of it: `code` is None while it runs."""
        line = self.line.removeprefix("steadygan: ")  # the page says who speaks
        return {"id": self.id, "what": self.what, "about": self.about, "code": self.code, "line": line}


class Processes:
    """All that this studio started."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._number = 0

    @cached_property
    def folder(self) -> Path:
        """For what they say and answer, until the studio ends."""
        return Path(tempfile.mkdtemp(prefix="steadygan-studio-"))

    def forget(self) -> None:
        """Remove that folder; what still runs goes on."""
        if folder := vars(self).pop("folder", None):
            shutil.rmtree(folder, ignore_errors=True)

    def start(self, what: str, arguments: Sequence[str], about: str = "", output: Path | None = None) -> Job:
        """Start `steadygan ARGUMENTS`, never through a shell, in a session of its own.

        Without `output` what it says goes to the `folder`. StorageError if that or the process cannot be had.
        """
        self._number += 1
        name = f"{os.getpid()}-{self._number}"
        try:
            output = output or self.folder / f"{self._number}.txt"
            output.unlink(missing_ok=True)  # a link there would lead to a file that is something else
            with output.open("wb") as file:
                process = subprocess.Popen(
                    [sys.executable, "-m", "steadygan", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as problem:
            raise StorageError(f"cannot start `steadygan {arguments[0]}`: {problem.strerror or problem}") from problem
        self._jobs[name] = Job(name, what, about, output, process)
        for old in [job.id for job in self.all() if job.code is not None][:-_KEPT]:
            del self._jobs[old]
        return self._jobs[name]

    def get(self, name: str) -> Job | None:
        """A job by its id."""
        return self._jobs.get(name)

    def all(self) -> list[Job]:
        """All jobs, oldest first."""
        return list(self._jobs.values())

    def about(self, about: str) -> list[Job]:
        """The jobs for one thing, oldest first."""
        return [job for job in self.all() if job.about == about]
