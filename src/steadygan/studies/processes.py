"""Jobs of studies as processes of their own; light enough for a Ray worker, which only waits for one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_LOOK_SECONDS = 0.2


class JobProcess(subprocess.Popen[bytes]):
    """One that holds the end of the job's standard input, by which that hears that we are gone."""

    def poll(self) -> int | None:
        code = super().poll()
        if code is not None:
            self._let_go()
        return code

    def wait(self, timeout: float | None = None) -> int:
        code = super().wait(timeout)
        self._let_go()
        return code

    def _let_go(self) -> None:
        if self.stdin:
            self.stdin.close()


def start(line: Sequence[str], log: Path, threads: int, environment: Mapping[str, str] | None = None) -> JobProcess:
    """Start `steadygan` with the arguments `line`; what it says goes to the end of `log`."""
    with log.open("ab") as said:
        return JobProcess(
            [sys.executable, "-m", "steadygan", *line],
            stdin=subprocess.PIPE,  # which ends when this process does, whatever ends it
            stdout=said,
            stderr=said,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), **(environment or {})},
            start_new_session=True,  # Ctrl-C comes to us alone, and we hand it on once
        )


def on_a_worker(line: list[str], log: Path, threads: int, folder: Path) -> int:
    """On a machine of a Ray cluster: the process, which is asked to stop when the task is; its code.

    OSError if the study's `folder` or `log` cannot be had there.
    """
    os.chdir(folder)
    process = start(line, log, threads)
    try:
        while process.poll() is None:  # a wait in the system would not hear that the task is cancelled
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    return process.wait()
