"""Data sets that are made by themselves and found again when nothing changed: `train FOLDER`, and reduced ones."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from steadygan.claim import Say, alone
from steadygan.data.dataset import Dataset, open_dataset, read_meta
from steadygan.data.making import Progress, carry_out, is_current, making
from steadygan.data.plan import Plan, make_plan
from steadygan.data.pool import Pool, cores
from steadygan.data.settings import PrepareSettings
from steadygan.data.sources.opening import open_source
from steadygan.data.work import Result
from steadygan.errors import ConfigError, DataError, StorageError
from steadygan.places import cache_folder
from steadygan.rundir import storage_errors

_WHERE = "that is the cache of prepared images; the variable STEADYGAN_CACHE names another folder for it"


def cached(source: str | Path, settings: PrepareSettings | None = None) -> Path:
    """Where the data set of a source is or would be cached: another place as soon as a file or setting changes."""
    return _place(_plan(source, settings))


def prepare_cached(
    source: str | Path,
    settings: PrepareSettings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    say: Say = lambda text: None,
) -> Dataset:
    """The data set of a source, prepared now or earlier. A second process that wants it says so and waits its turn.

    If only some files changed, or the folder was moved or copied, the rest is taken from the set made before. Of the
    sets of one source the last two are kept, and a damaged one is made again.
    Raises what `open_source` and `prepare` raise.
    """
    plan = _plan(source, settings)
    place = _place(plan)
    with suppress(DataError):  # a cache that may only be read is as good, and cannot be locked
        if is_current(there := open_dataset(place), plan):
            return there
    try:
        with (
            held(place, f"preparing {source}", say),
            Pool[list[Result]](cores() if workers is None else workers) as pool,
        ):
            before, superseded = _before(plan, place)
            made = carry_out(plan, place, pool, progress, before)
            for other in superseded:
                shutil.rmtree(other, ignore_errors=True)
            _remove_abandoned(place)
            return made
    except StorageError as problem:
        raise StorageError(f"{problem} ({_WHERE})") from problem


@contextmanager
def held(place: Path, doing: str, say: Say) -> Iterator[None]:
    """Keep others from a place in the cache while the block lasts; they say so and wait. What is damaged there goes."""
    with storage_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with alone(making(place), doing, "", say):
            try:
                open_dataset(place)
            except DataError:
                shutil.rmtree(place, ignore_errors=True)
            yield


def place_of(name: str, rest: str) -> Path:
    """The place in the cache of a set, called after what it is made of."""
    stem = re.sub(r"[^\w.-]+", "-", name)[:40].strip("-.") or "images"
    return cache_folder() / "datasets" / f"{stem}-{rest}"


def _before(plan: Plan, place: Path) -> tuple[Dataset | None, list[Path]]:
    """The newest other set with these settings from this source, or else of this name; and the source's older ones."""
    alike, newest = [], None
    for other in place.parent.glob(place_of(plan.name, "[0-9a-f]" * 16).name):
        with suppress(DataError, OSError):
            meta = read_meta(other)
            if other != place and meta.get("settings") == plan.settings.model_dump(mode="json"):
                alike.append((meta.get("origin") == plan.origin, other.stat().st_mtime, other))
    alike.sort(reverse=True)
    with suppress(DataError, IndexError):
        newest = open_dataset(alike[0][2])
    return newest, [other for own, _, other in alike[1:] if own]


def _remove_abandoned(place: Path) -> None:
    """Half-made sets that were of the same source once, of which no process is left."""
    name = place.name.rpartition("-")[0]
    for part in place.parent.glob(f".{name}-{'[0-9a-f]' * 16}.part"):
        other = part.with_name(part.name[1:].removesuffix(".part"))
        with suppress(ConfigError), alone(making(other), "", ""):
            shutil.rmtree(part, ignore_errors=True)


def _plan(source: str | Path, settings: PrepareSettings | None) -> Plan:
    return make_plan([open_source(source)], settings or PrepareSettings())


def _place(plan: Plan) -> Path:
    return place_of(plan.name, plan.key[:16])
