"""What a file beside the images says about them: labels of StyleGAN's dataset.json, metadata.csv of Hugging Face."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from steadygan.data.sources.items import Found, Item, Rejection, archive_stem, is_archive, open_file
from steadygan.data.sources.rows import Rows, Told, label_text, normal, read_rows
from steadygan.errors import ConfigError, DataError

_MAX_BYTES = 2**28
_BESIDE = ("metadata.csv", "metadata.jsonl")


@dataclass(frozen=True)
class Notes:
    """A file that may say something about the images in its folder and below."""

    name: str
    open: Callable[[], IO[bytes]]


Raw = Found | Notes
"""What is found before notes are applied; the notes of a folder come before the images they speak of."""


@dataclass
class _Said:
    """What some notes say: a label (or none) and attributes for files below the folder of the notes.

    `classes` is True where these labels, or the lack of them, stand in place of class folders. `seen` collects
    the files that are there.
    """

    name: str
    facts: Mapping[str, Told]
    classes: bool
    problem: str = ""
    seen: set[str] = field(default_factory=set)


def is_notes(name: str) -> bool:
    """Whether a file of this name may be notes."""
    return name.rpartition("/")[2] in _READERS


def annotated(found: Iterable[Raw]) -> Iterator[Found]:
    """The same files with what the notes say about them; the nearest notes above a file count.

    - `dataset.json` with a list `labels` (StyleGAN): whole numbers are labels in place of class folders, and
      files that are not listed have none. `"labels": null` says that the folders are no classes.
    - `metadata.csv`, `metadata.jsonl` with a column `file_name` (Hugging Face): the column of labels, if there
      is one, in place of class folders; all other columns as attributes.
    - `manifest.jsonl` beside pictures that `export --images` wrote: its `class` in place of class folders, and the
      attribute `generated`.

    Files of these names with anything else in them are passed over.
    """
    said: dict[str, _Said] = {}
    for entry in found:
        if isinstance(entry, Notes):
            answer = _read(entry)
            if isinstance(answer, _Said):
                said.setdefault(entry.name.rpartition("/")[0], answer)
            else:
                yield answer
        elif said and isinstance(entry, Item | Rejection):
            yield _apply(entry, said)
        else:
            yield entry
    for notes in said.values():
        yield from _complaints(notes)


def said_beside(archive: Path, found: Iterable[Found]) -> Iterator[Found]:
    """The files of an archive with what a `metadata.csv` or `.jsonl` in its folder says about them.

    The file speaks of them if it names at least half of the images there are, or of those it lists are at least half
    there: by their names in the archive, with the name of the archive before them, without the first folder, or alone.
    What notes in the archive say comes first.
    """
    files = [archive.parent / name for name in _BESIDE]
    said = [_read(Notes(file.name, partial(open_file, file))) for file in files if file.is_file()]
    notes = next((one for one in said if isinstance(one, _Said)), None)
    if notes is None:
        yield from found
        return
    entries = list(found)
    names = [entry.name for entry in entries if isinstance(entry, Item)]
    known = [(sum(spelled(name) in notes.facts for name in names), spelled) for spelled in spellings(archive, names)]
    told, spelled = max(known, key=lambda one: one[0])
    if not told or told < min(len(names), len(notes.facts)) / 2:
        yield from entries
        return
    for entry in entries:
        if isinstance(entry, Item) and entry.label is None and entry.in_folders:
            yield _told(entry, notes, spelled(entry.name))
        else:
            yield entry
    if notes.problem:
        yield Rejection(notes.name, notes.problem)
    if told < len(notes.facts) and sum(is_archive(file.name) for file in archive.parent.iterdir()) == 1:
        missing = len(notes.facts) - told
        yield Rejection(notes.name, f"lists {missing} files that are not in {archive.name}")


def spellings(archive: Path, names: Sequence[str]) -> list[Callable[[str], str]]:
    """How a table beside an archive may call the files in it; without their folders only where that is clear."""
    known: list[Callable[[str], str]] = [
        lambda name: name,
        lambda name: f"{archive_stem(archive.name)}/{name}",
        lambda name: f"{archive.name}/{name}",
        lambda name: name.partition("/")[2] or name,
    ]
    if len({name.rpartition("/")[2] for name in names}) == len(names):
        known.append(lambda name: name.rpartition("/")[2])
    return known


def _read(notes: Notes) -> _Said | Found:
    suffix = PurePosixPath(notes.name).suffix
    try:
        with notes.open() as stream:
            data = stream.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise DataError(f"has more than the {_MAX_BYTES // 2**20} MB allowed")
        return _READERS[PurePosixPath(notes.name).name](data, notes.name) or suffix
    except (DataError, ConfigError) as problem:
        return Rejection(notes.name, f"says nothing about the images: {problem}")
    except Exception as problem:  # noqa: BLE001  whatever an archive raises, the images may still be good
        return Rejection(notes.name, f"cannot be read ({problem})")


def _apply(entry: Item | Rejection, said: Mapping[str, _Said]) -> Found:
    name = entry.name if isinstance(entry, Item) else entry.file
    parts = name.split("/")
    above = [("/".join(parts[:depth]), "/".join(parts[depth:])) for depth in range(len(parts))]
    about = [(said[folder], below) for folder, below in above if folder in said]
    for notes, below in about:
        notes.seen.add(below)
    if isinstance(entry, Rejection) or not about:
        return entry
    return _told(entry, *about[-1])


def _told(entry: Item, notes: _Said, name: str) -> Item:
    """An image with what some notes say about the file called so."""
    told = notes.facts.get(name, Told())
    in_folders = entry.in_folders and not notes.classes
    return replace(entry, label=told.label, attributes={**entry.attributes, **told.attributes}, in_folders=in_folders)


def _complaints(notes: _Said) -> Iterator[Rejection]:
    if notes.problem:
        yield Rejection(notes.name, notes.problem)
    gone = [file for file in notes.facts if file not in notes.seen]
    if gone:
        yield Rejection(notes.name, f"lists {len(gone)} files that are not there, the first {gone[0]}")


def _of_stylegan(data: bytes, name: str) -> _Said | None:
    """The labels of a `dataset.json`, None if the file is something else."""
    try:
        content = json.loads(data)
    except ValueError:
        return None
    if not isinstance(content, dict) or "labels" not in content:
        return None
    pairs = content["labels"] or []
    try:
        labels = {str(file).replace("\\", "/"): label for file, label in pairs}
    except (TypeError, ValueError):
        problem = 'has "labels" that are no list of [file, label]; they are not used'
        return _Said(name, {}, classes=True, problem=problem)
    usable = {file: label_text(label) for file, label in labels.items() if isinstance(label, int | float | str)}
    unused = len(labels) - len(usable)
    problem = f"holds {unused} labels that are lists or empty; they are not used" if unused else ""
    return _Said(name, {file: Told(usable.get(file)) for file in labels}, classes=True, problem=problem)


def _of_hugging_face(data: bytes, name: str) -> _Said | None:
    """The lines of a `metadata.csv` or `metadata.jsonl`, None if it has no column `file_name`."""
    return _of_rows(read_rows(data, PurePosixPath(name).name), name, "file_name")


def _of_generated(data: bytes, name: str) -> _Said | None:
    """The lines of a `manifest.jsonl`, None if they do not say with which seed a file was made.

    The folder of such files is never a class, or "generated" would be one beside "photos".
    """
    rows = read_rows(data, PurePosixPath(name).name)
    said = _of_rows(rows, name, "file") if {"run", "checkpoint", "seed", "index"} <= set(rows.columns) else None
    if said is None:
        return None
    facts = {file: replace(it, attributes={**it.attributes, "generated": 1}) for file, it in said.facts.items()}
    return replace(said, facts=facts, classes=True)


def _of_rows(rows: Rows, name: str, image: str) -> _Said | None:
    """What the rows say of the files in the column `image`, None if there is no such column."""
    if image not in rows.columns:
        return None
    label = rows.label_column(None, image)
    facts = rows.facts(image, label, normal)
    clashes = [f"{file} two labels, {told.clash}" for file, told in facts.items() if told.clash]
    problem = f"gives {clashes[0]}; neither is used" if clashes else ""
    return _Said(name, facts, classes=label is not None, problem=problem)


_READERS: Mapping[str, Callable[[bytes, str], _Said | None]] = {
    "dataset.json": _of_stylegan,
    "manifest.jsonl": _of_generated,
    "metadata.csv": _of_hugging_face,
    "metadata.jsonl": _of_hugging_face,
}
