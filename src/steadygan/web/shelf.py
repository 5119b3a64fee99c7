"""Which prepared data sets there are: those of the runs, in the folder of runs, and in the cache."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from starlette.exceptions import HTTPException

from steadygan.errors import ConfigError, DataError
from steadygan.places import cache_folder
from steadygan.web.lines import stamp
from steadygan.web.prepared import Inspected, Prepared, SetHealth, parsed
from steadygan.web.studio import Studio, id_of

_DEEPEST = 2
_MOST_BYTES = 8_000_000  # of a `run.json`


class Used(NamedTuple):
    """A run that was trained on a set."""

    id: str
    name: str


class OnShelf(NamedTuple):
    """A set with the runs that used it; `problem` says why it cannot be read."""

    id: str
    path: Path
    runs: list[Used]
    prepared: Prepared | None
    problem: str = ""


class Shelf:
    """All sets that can be looked at, by ids that a restart of the studio does not change."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._paths: dict[str, Path] = {}
        self._of_runs: dict[Path, tuple[tuple[int, int], str]] = {}

    def all(self) -> list[OnShelf]:
        """Looked up anew: those that runs used first, the newest before older ones."""
        runs = self.used()
        places = dict.fromkeys([*runs, *self._folders(self.studio.folder, 0), *self._cached()])
        found = {id_of(path): path for path in places if os.path.isfile(path / "dataset.json")}
        self._paths = found
        shelf = [self._looked_at(id_, path, runs.get(path, [])) for id_, path in found.items()]
        return sorted(shelf, key=lambda one: (not one.runs, -stamp(one.path / "dataset.json")[0]))

    def used(self) -> dict[Path, list[Used]]:
        """The runs by the set that they were trained on."""
        runs: dict[Path, list[Used]] = defaultdict(list)
        for id_, path in self.studio.runs().items():
            if prepared := self._prepared_for(path):
                runs[Path(prepared)].append(Used(id_, self.studio.name_of(path)))
        return runs

    def path(self, id_: str) -> Path:
        """The folder of a set by its id; 404 if there is none."""
        if id_ not in self._paths or not (self._paths[id_] / "dataset.json").is_file():
            self.all()
        if id_ not in self._paths:
            raise HTTPException(404, "there is no such data set any more; go back to the list of data")
        return self._paths[id_]

    def add(self, path: Path) -> str:
        """The id of a set that was just made."""
        id_ = id_of(path)
        self._paths[id_] = path
        return id_

    def inspected(self, id_: str) -> Path:
        """Where the answer of `steadygan inspect` for a set is kept."""
        return self.studio.folder / ".studio" / f"inspected-{id_}.json"

    def told(self, id_: str, prepared: Prepared) -> SetHealth | None:
        """What is known of the health of a set: from its own folder, or from an inspection since; None if nothing."""
        if prepared.meta.health is not None:
            return prepared.meta.health
        file = self.inspected(id_)
        (written, size), (made, _) = stamp(file), stamp(prepared.path / "dataset.json")
        if written < made or not written:
            return None
        with suppress(DataError):
            return parsed(file, Inspected, size).health
        return None

    def _looked_at(self, id_: str, path: Path, runs: list[Used]) -> OnShelf:
        try:
            return OnShelf(id_, path, runs, Prepared(path))
        except DataError as problem:
            return OnShelf(id_, path, runs, None, str(problem))

    def _prepared_for(self, run: Path) -> str:
        """The folder that a run's images were in, by its `run.json`."""
        file = run / "run.json"
        now = stamp(file)
        if self._of_runs.get(run, ((0, 0), ""))[0] != now:
            self._of_runs[run] = now, _prepared_in(file, now[1])
        return self._of_runs[run][1]

    def _cached(self) -> Iterator[Path]:
        with suppress(ConfigError):
            yield from self._folders(cache_folder() / "datasets", 1)

    def _folders(self, folder: Path, depth: int) -> Iterator[Path]:
        if depth and (folder / "dataset.json").is_file():
            yield folder
            return
        try:
            with os.scandir(folder) as entries:
                inside = sorted(one.path for one in entries if one.name[0] != "." and one.is_dir(follow_symlinks=False))
        except OSError:
            return
        for path in inside if depth < _DEEPEST and not (folder / "run.json").is_file() else ():
            yield from self._folders(Path(path), depth + 1)


def _prepared_in(file: Path, size: int) -> str:
    if size > _MOST_BYTES:
        return ""
    try:
        found = json.loads(file.read_bytes())["data"]["prepared"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) and "\0" not in found else ""
