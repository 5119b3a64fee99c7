"""What a data set will be made of, found out before any image is read."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from steadygan.data.builtin import AnyBuiltin
from steadygan.data.indices import evenly
from steadygan.data.pool import cores, run_tasks
from steadygan.data.settings import FORMAT, READING, PrepareSettings, Tiles
from steadygan.data.sources.items import Item, Rejection
from steadygan.data.sources.opening import AnyFiles, AnySource, list_items
from steadygan.data.sources.picture import Picture
from steadygan.data.tiles.remote import Remote
from steadygan.data.work import Draw, ImageTask, ReadFile
from steadygan.errors import ConfigError, DataError
from steadygan.names import path_of, to_json


@dataclass(frozen=True)
class Plan:
    """The tasks that make a data set, and what identifies it.

    `channels` and `class_names` are None where they depend on what the files turn out to hold.
    `fingerprint` changes with the files, `notes` are sentences for the user on what was chosen.
    """

    name: str
    sources: tuple[AnySource, ...]
    settings: PrepareSettings
    tasks: tuple[ImageTask, ...]
    fingerprint: str
    channels: int | None
    class_names: tuple[str, ...] | None = None
    problems: tuple[Rejection, ...] = ()
    passed_over: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    def with_passed_over(self, also: Counter[str]) -> dict[str, int]:
        """How many of each kind are passed over, those that only the work meets among them."""
        return dict(sorted((Counter(dict(self.passed_over)) + also).items()))

    @property
    def key(self) -> str:
        """SHA-256 of all that decides what the data set holds."""
        return hashlib.sha256(f"{READING} {self.origin} {self.fingerprint}".encode()).hexdigest()

    @property
    def origin(self) -> str:
        """SHA-256 of the settings and the sources, whatever files are in them: two plans of one origin are versions."""
        sources = " ".join(to_json(_absolute(source)) for source in self.sources)
        settings = self.settings.model_dump_json().replace('"channels":"grey"', '"channels":"gray"')  # as it once was
        return hashlib.sha256(f"{FORMAT} {settings} {sources}".encode()).hexdigest()


def make_plan(sources: Sequence[AnySource], settings: PrepareSettings, workers: int | None = None) -> Plan:
    """Look through the sources; images to be cut into tiles are opened for it, by `workers` processes.

    Raises DataError if there is no image, ConfigError if the sources do not go together or with the settings.
    """
    files = [source for source in sources if isinstance(source, AnyFiles)]
    drawn = [source for source in sources if not isinstance(source, AnyFiles)]
    if settings.tiles and (settings.fit != "crop" or settings.frames != "first"):
        raise ConfigError("tiles are squares of one picture; leave --fit, --crop and --frames out, or --tile")
    if not sources:
        raise ConfigError("there is no source of images; give a folder, a .zip or builtin:NAME")
    if drawn and len(sources) > 1:
        raise ConfigError(f"builtin:{drawn[0].kind} cannot be mixed with other sources; prepare it by itself")
    if drawn:
        return _builtin_plan(drawn[0], settings)
    if settings.size == 1:
        raise ConfigError("size: 1 pixel is a point and no picture; choose 2 to 4096 pixels, such as --size 64")
    return _files_plan(files, settings.model_copy(update={"size": settings.side}), workers)


def _files_plan(sources: Sequence[AnyFiles], settings: PrepareSettings, workers: int | None) -> Plan:
    remote = [source for source in sources if isinstance(source, Remote)]
    if remote and not settings.tiles:
        raise ConfigError(f"{remote[0].where} is read in parts: say with --tile how large they shall be")
    listing = list_items(sources, settings.labels)
    items, limit = listing.items, settings.limit
    alone = len(items) == 1 and isinstance(sources[0], Picture)
    if limit is not None and limit < len(items):
        items = tuple(items[index] for index in evenly(len(items), limit))
    tasks: Sequence[ImageTask] = [ReadFile(item, settings) for item in items]
    problems, notes = listing.problems, listing.notes
    if settings.tiles:
        tasks, unread, said = _strips(items, settings.tiles, settings, workers)
        problems, notes = (*problems, *unread), (*notes, *said)
    elif alone and settings.fit != "random-crops" and settings.frames != "all":
        words = "is one image, and one image is not a set; give a folder, or cut it with --tile"
        raise DataError(f"{sources[0].where} {words}")
    return Plan(
        name="-".join(source.name for source in sources),
        sources=tuple(sources),
        settings=settings,
        tasks=tuple(tasks),
        fingerprint=listing.fingerprint,
        channels={"auto": None, "rgb": 3, "grey": 1}[settings.channels],
        problems=problems,
        passed_over=listing.passed_over,
        notes=notes,
    )


def _strips(
    items: Sequence[Item], tiles: Tiles, settings: PrepareSettings, workers: int | None
) -> tuple[list[ImageTask], list[Rejection], Iterable[str]]:
    """The tasks that cut images into tiles, those that cannot be cut, and what is to be said of the others."""
    from steadygan.data.tiles.strips import cut
    from steadygan.data.tiles.survey import Survey

    surveys = [[Survey(item, tiles)] for item in items]
    answers = run_tasks(surveys, min(len(surveys), cores() if workers is None else workers))
    found = [answer for (some,) in answers for answer in some]
    problems = [answer for answer in found if isinstance(answer, Rejection)]
    scenes = [answer for answer in found if not isinstance(answer, Rejection)]
    if not scenes:
        raise DataError(f"nothing here can be cut into tiles: {problems[0].file} {problems[0].reason}")
    notes = dict.fromkeys(note for scene in scenes for note in scene.notes)
    return [strip for scene in scenes for strip in cut(scene, tiles, settings)], problems, notes


def _absolute(source: AnySource) -> BaseModel:
    """The source with its path from the root, so that `photos` is another in another folder."""
    path = getattr(source, "path", None)
    return source.model_copy(update={"path": Path(os.path.realpath(path_of(path)))}) if path else source


def _builtin_plan(builtin: AnyBuiltin, settings: PrepareSettings) -> Plan:
    spec = builtin.spec(settings.size)
    if settings.channels != "auto" and spec.channels not in (1, 3):
        raise ConfigError(f"builtin:{builtin.kind} is neither grey nor RGB; leave channels at 'auto'")
    settings = settings.model_copy(update={"size": spec.size})
    count = min(settings.limit or builtin.default_count, builtin.default_count)
    described: BaseModel = builtin
    return Plan(
        name=f"builtin-{builtin.kind}",
        sources=(builtin,),
        settings=settings,
        tasks=tuple(Draw(builtin, index, settings) for index in range(count)),
        fingerprint=hashlib.sha256(f"{described.model_dump_json()} {count}".encode()).hexdigest(),
        channels={"auto": spec.channels, "rgb": 3, "grey": 1}[settings.channels],
        class_names=builtin.class_names(),
    )
