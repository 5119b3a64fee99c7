"""Data sets that `train FOLDER` makes by itself and finds again when nothing changed."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from steadygan.data.dataset import Dataset, open_dataset, read_meta
from steadygan.data.making import Progress, carry_out
from steadygan.data.plan import Plan, make_plan
from steadygan.data.pool import Pool, cores
from steadygan.data.settings import PrepareSettings
from steadygan.data.sources import open_source
from steadygan.data.work import Result
from steadygan.errors import DataError, StorageError
from steadygan.rundir import storage_errors

_WHERE = "that is the cache of prepared images; the variable STEADYGAN_CACHE names another folder for it"


def cache_folder() -> Path:
    """$STEADYGAN_CACHE, else $XDG_CACHE_HOME/steadygan, else ~/.cache/steadygan."""
    if own := os.environ.get("STEADYGAN_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "steadygan"


def cached(source: str | Path, settings: PrepareSettings | None = None) -> Path:
    """Where the data set of a source is or would be cached: another place as soon as a file or setting changes."""
    return _place(_plan(source, settings))


def prepare_cached(
    source: str | Path,
    settings: PrepareSettings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The data set of a source, prepared now or earlier. A second process that wants it waits for the first.

    If only some files changed, or the folder was moved or copied, the rest is taken from the set made before, which
    goes if it was of the same folder. A damaged one is made again. Raises what `open_source` and `prepare` raise.
    """
    plan = _plan(source, settings)
    place = _place(plan)
    with suppress(DataError):  # a cache that may only be read is as good, and cannot be locked
        return open_dataset(place)
    try:
        with storage_errors(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(place.with_name(f".{place.name}.lock")):
                try:
                    return open_dataset(place)
                except DataError:
                    shutil.rmtree(place, ignore_errors=True)
                before = _before(plan, place.parent)
                with Pool[list[Result]](cores() if workers is None else workers) as pool:
                    made = carry_out(plan, place, pool, progress, before)
                if before and before.meta["origin"] == plan.origin:
                    shutil.rmtree(before.path, ignore_errors=True)
                return made
    except StorageError as problem:
        raise StorageError(f"{problem} ({_WHERE})") from problem


def _before(plan: Plan, folder: Path) -> Dataset | None:
    """The newest set made with the same settings from this source, or else from one of the same name."""
    alike = []
    for place in folder.glob(f"{_stem(plan)}-{'[0-9a-f]' * 16}"):
        with suppress(DataError, OSError):
            meta = read_meta(place)
            if meta["settings"] == plan.settings.model_dump(mode="json"):
                alike.append((meta["origin"] == plan.origin, place.stat().st_mtime, place))
    with suppress(DataError):
        return open_dataset(max(alike)[2]) if alike else None
    return None


def _plan(source: str | Path, settings: PrepareSettings | None) -> Plan:
    return make_plan([open_source(source)], settings or PrepareSettings())


def _stem(plan: Plan) -> str:
    return re.sub(r"[^\w.-]+", "-", plan.name)[:40].strip("-.") or "images"


def _place(plan: Plan) -> Path:
    return cache_folder() / "datasets" / f"{_stem(plan)}-{plan.key[:16]}"
