"""What all pages of the studio know: the folder of runs, the name of each in an address, and what ends with it."""

from __future__ import annotations

import asyncio
import inspect
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from starlette.exceptions import HTTPException

from steadygan.rundir import RunDir
from steadygan.runs import Run
from steadygan.web.processes import Processes

_DEEPEST = 3  # folders below the folder of runs in which a run may lie, as those of a study do
_PASSED_OVER = {"checkpoints", "samples", "tensorboard", "turing"}


class Studio:
    """A folder of runs, or of one run, and what the handlers share while the studio is open.

    `token` is asked of whatever changes something, and with `share` of every request. Runs are named by `id_of` their
    folder, which a restart does not change. `outside` are links that lead out of the folder; they are not followed.
    """

    def __init__(self, folder: str | Path, token: str = "", share: bool = False) -> None:
        self.folder = Path(folder)
        self.token = token or secrets.token_urlsafe(18)
        self.share = share
        self.outside: list[Path] = []
        self.processes = Processes()
        self.closing = asyncio.Event()
        self._runs: dict[str, Path] = {}
        self._last: list[Callable[[], Awaitable[None] | None]] = []

    def runs(self) -> dict[str, Path]:
        """The folders of all runs by their ids, looked up anew, in the order of their names."""
        self.outside = []
        self._runs = {id_of(path): path for path in self._found(self.folder, 0)}
        return self._runs

    def run_of(self, run: str) -> Run:
        """The run with this id; 404 if there is none in the folder any more."""
        path = self._runs.get(run)
        if path is None or not RunDir(path).run_json.is_file():
            path = self.runs().get(run)
        if path is None:
            raise HTTPException(404, "there is no such run in this folder any more; go back to the list of runs")
        return Run(path)

    def name_of(self, path: Path) -> str:
        """What a run is called: its folder, from the folder of runs on."""
        with suppress(ValueError):
            if path != self.folder:
                return str(path.relative_to(self.folder))
        return path.resolve().name

    def at_the_end(self, act: Callable[[], Awaitable[None] | None]) -> None:
        """Do this when the studio closes, the last that was asked for first."""
        self._last.append(act)

    async def close(self) -> None:
        """End what ends with the studio; processes that it started go on."""
        self.closing.set()
        while self._last:
            done = self._last.pop()()
            if inspect.isawaitable(done):
                await done
        self.processes.forget()

    def _found(self, folder: Path, depth: int) -> Iterator[Path]:
        """Folders of runs in a folder; runs hold no others."""
        if RunDir(folder).run_json.is_file():
            yield folder
            return
        try:
            with os.scandir(folder) as entries:
                inside = [one for one in entries if one.name[0] != "." and _leads_on(one)]
        except OSError:  # no permission, or it went away: of the folder itself the list says so
            return
        for entry in sorted(inside, key=lambda it: it.name):
            path = Path(entry.path)
            if entry.is_symlink():  # of what lies in the folder the place itself is found
                self.outside += [] if path.resolve().is_relative_to(self.folder.resolve()) else [path]
            elif depth < _DEEPEST and entry.name not in _PASSED_OVER:
                yield from self._found(path, depth + 1)


def _leads_on(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder; a link in a circle, or to where nobody may look, is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def id_of(path: Path) -> str:
    """The name of a folder in addresses: opaque, and the same whenever the folder is where it is."""
    return blake2b(os.fsencode(path.resolve())).hexdigest()[:12]
