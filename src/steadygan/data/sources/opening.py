"""From what the user writes to a source, and from sources to one list of images."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from PIL import UnidentifiedImageError

from steadygan.config import resolve
from steadygan.data.builtin import AnyBuiltin, parse_builtin
from steadygan.data.reading.decode import is_image
from steadygan.data.reading.reasons import explain
from steadygan.data.sources import shards, table
from steadygan.data.sources.archive import Tar, Zip, is_tar
from steadygan.data.sources.archives import Archives, archive_files
from steadygan.data.sources.columns import Columns, column_files, images_in
from steadygan.data.sources.companions import companions
from steadygan.data.sources.folder import Folder, is_own
from steadygan.data.sources.hub import Hub
from steadygan.data.sources.idx import Idx, is_idx
from steadygan.data.sources.items import IMAGE_SUFFIXES, Item, Rejection, open_file, under
from steadygan.data.sources.labels import UNLABELLED, How, find_classes, one_spelling
from steadygan.data.sources.picture import Picture
from steadygan.data.sources.table import Table
from steadygan.data.tiles.remote import Remote
from steadygan.data.tiles.xyz import Xyz
from steadygan.errors import ConfigError, DataError
from steadygan.names import exact, path_of


@dataclass(frozen=True)
class Listing:
    """What a source holds: image files sorted by name, problems met, and files passed over, counted by kind.

    `notes` are sentences for the user on what its folders were taken for.
    """

    items: tuple[Item, ...]
    problems: tuple[Rejection, ...] = ()
    passed_over: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_labelled(self) -> bool:
        """Whether any image has a label."""
        return any(item.label is not None for item in self.items)

    @property
    def fingerprint(self) -> str:
        """Sha256 over the names, sizes, stamps and labels of all items: equal as long as nothing changed."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(exact(f"{item.key}\n"))
        return digest.hexdigest()


AnyFiles = Folder | Archives | Zip | Tar | Idx | Table | Columns | Hub | Picture | Remote | Xyz
"""Sources of image files; each has a `name`, says `where` it is, and gives its `entries`."""

AnySource = AnyFiles | AnyBuiltin

S = TypeVar("S", bound=AnyFiles)

_HEAD = 2**16
_MOST_TABLES, _MOST_TABLE = 10, 2**26

_WITHOUT_FOLDERS = Columns | Idx | Picture | Remote | Xyz
"""Sources in which the names of images show no folders."""

_COMPANION = "left out: a {} of another picture; --labels folders, or giving its folder by itself, uses it"
_GIVE = "give a folder or .zip with images in it, another archive, or a table of images"
_UNREAD_ARCHIVES = frozenset({".rar", ".7z", ".zst", ".lz4", ".cab", ".iso"})
_RASTERS = frozenset({".tif", ".tiff", ".jp2", ".vrt", ".img", ".nc", ".hdf", ".h5", ".ntf", ".asc", ".hgt", ".dem"})
_ELSEWHERE = {
    **dict.fromkeys(
        (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz"), "an archive inside is not opened, give it by itself"
    ),
    **dict.fromkeys((".csv", ".tsv", ".jsonl"), "a table inside is not looked into, give it by itself"),
    **dict.fromkeys((".rar", ".7z", ".zst"), "an archive of this kind is not read, unpack it"),
}


def open_source(text: str | Path) -> AnySource:
    """The source that a text means, after a first look that it holds an image.

    It is a path to a folder, an archive (.zip, .tar, .tar.gz, …), idx files, a table (.csv, .tsv, .jsonl) or columns
    (.parquet, .arrow, or a folder of them); or `hub:USER/NAME`, or `builtin:NAME`. Settings follow a `?`, as in
    `table.csv?image=COLUMN&label=COLUMN`.
    Raises ConfigError if there is no such path or setting, DataError if there is nothing to use in it.
    """
    written = str(text)
    source = next(make(written) for matches, make in _WRITTEN if matches(written))
    if isinstance(source, AnyFiles) and not isinstance(source, Remote) and next(_items(source), None) is None:
        raise _nothing(source)
    return source


def is_path(text: str | Path) -> bool:
    """Whether a text means a file or folder, and not a set that is drawn, on the Hub or on the web."""
    return not any(matches(str(text)) for matches, _ in _WRITTEN[:-1])


def is_missing(text: str | Path) -> bool:
    """Whether a text means a path, settings after a `?` aside, and nothing is there."""
    written = str(text)
    return is_path(written) and not any(path_of(it).exists() for it in (written, written.rpartition("?")[0]) if it)


def list_items(sources: Sequence[AnyFiles], labels: How = "auto") -> Listing:
    """Everything in these sources, sorted by name and labelled by class folder where they say nothing of labels.

    With several sources the name of each stands before the names in it, and there are labels only if every source has
    some. Pictures that are not meant are among the problems: masks and thumbnails of others, and the few without a
    label among many that have one. `labels` is as in `PrepareSettings`.
    Raises DataError if a source holds no image, ConfigError if class folders are asked for and there are none.
    """
    listings = [_list(source, labels) for source in sources]
    found = [entry for prefix, it in zip(_prefixes(sources), listings, strict=True)
             for entry in under(prefix, (*it.items, *it.problems))]  # fmt: skip
    if not any(listing.is_labelled for listing in listings) and labels == "folders":
        raise ConfigError(f"labels: there are no class folders in {', '.join(it.where for it in sources)}")
    bare = [source.where for source, listing in zip(sources, listings, strict=True) if not listing.is_labelled]
    items = [entry for entry in found if isinstance(entry, Item)]
    notes = tuple(note for listing in listings for note in listing.notes)
    if labels == "auto" and 0 < len(bare) < len(sources):
        items = [replace(item, label=None) for item in items]
        without = ", ".join(bare)
        way_out = f"{_setting('folders')} keeps them, and leaves {without} out"
        notes += (f"{without} has no labels, so the set has no classes though other sources have some; {way_out}",)
    spelled = one_spelling([Counter(item.label for item in it.items if item.label is not None) for it in listings])
    items = [replace(item, label=spelled[item.label]) if item.label in spelled else item for item in items]
    left_out = _without_label(items, labels)
    passed: Counter[str] = sum((Counter(dict(listing.passed_over)) for listing in listings), Counter())
    problems = [entry for entry in found if isinstance(entry, Rejection)]
    gone = {problem.file for problem in left_out}
    return Listing(
        tuple(sorted((item for item in items if item.name not in gone), key=lambda item: item.name)),
        tuple(sorted([*problems, *left_out], key=lambda problem: problem.file)),
        tuple(sorted(passed.items())),
        notes,
    )


def _setting(value: How) -> str:
    """How the user says where labels come from."""
    return f"--labels {value} (in training --set data.labels={value})"


def _without_label(items: Sequence[Item], labels: How) -> list[Rejection]:
    """The pictures to leave out, since the others have a label; none if they are too many for that."""
    without = [item.name for item in items if item.label is None]
    if len(without) == len(items) or (labels == "auto" and len(without) >= len(items) * UNLABELLED):
        return []
    why = f"left out: no label, and the others have one; {_setting('none')} uses all, without classes"
    return [Rejection(name, why, left_out=True) for name in without]


def _list(source: AnyFiles, labels: How) -> Listing:
    found: dict[type, list[Any]] = {Item: [], Rejection: [], str: []}
    for entry in source.entries():
        found[type(entry)].append(entry)
    if not found[Item]:
        raise _nothing(source)
    items: list[Item] = sorted(found[Item], key=lambda item: item.name)
    problems: list[Rejection] = found[Rejection]
    if isinstance(source, Folder):
        problems += _beside(source.path)
    if labels != "folders" and not isinstance(source, _WITHOUT_FOLDERS):
        kinds = companions([item.name for item in items])
        problems += [Rejection(items[at].name, _COMPANION.format(kind), left_out=True) for at, kind in kinds.items()]
        items = [item for index, item in enumerate(items) if index not in kinds]
    items, notes = _labelled(source, items, labels)
    return Listing(tuple(items), tuple(problems), tuple(sorted(Counter(found[str]).items())), notes)


def _labelled(source: AnyFiles, items: list[Item], labels: How) -> tuple[list[Item], tuple[str, ...]]:
    """The images of one source with their labels, and what there is to say of these."""
    notes: tuple[str, ...] = ()
    if labels == "none":
        return [replace(item, label=None) for item in items], notes
    said = any(item.label is not None or not item.in_folders for item in items)
    if not isinstance(source, _WITHOUT_FOLDERS) and (labels == "folders" or not said):
        found = find_classes([item.name for item in items], labels)
        items = [replace(item, label=label) for item, label in zip(items, found.labels, strict=True)]
        if found.refused:
            way_out = f"{_setting('folders')} makes them so, and leaves those pictures out"
            notes = (f"{source.where}: {found.refused}, so folders are no classes; {way_out}",)
    if labels == "auto" and isinstance(source, Folder) and not any(item.label is not None for item in items):
        notes += tuple(_tables(source.path))
    return items, notes


def _beside(folder: Path) -> Iterator[Rejection]:
    """Archives and columns of images in a folder of which the loose pictures are used."""
    beside = [(file, "an archive") for file in archive_files(folder)]
    with suppress(ConfigError):  # without pyarrow nobody knows
        beside += [(file, "columns") for file in column_files(folder) if images_in([file])]
    for file, what in beside:
        why = f"left out: {what} beside pictures; give it by itself to use the images in it"
        yield Rejection(file.relative_to(folder).as_posix(), why, left_out=True)


def _tables(folder: Path) -> Iterator[str]:
    """What to say of tables in a folder that hold labels of its pictures, though nobody gave them."""
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith(table.SUFFIXES))
    for file in [folder / name for name in names[:_MOST_TABLES]]:
        if file.is_file() and file.stat().st_size <= _MOST_TABLE:
            with suppress(DataError, ConfigError):
                if any(item.label is not None for item in _items(Table(path=file))):
                    yield f"{file} has labels of pictures here, which are not used; give it in place of the folder"


def _prefixes(sources: Sequence[AnyFiles]) -> list[str]:
    """A folder for each source, called as it is, with a number where two would be the same; none for one alone."""
    names = [source.name for source in sources] if len(sources) > 1 else [""]
    return [name if names.count(name) == 1 else f"{name}-{index}" for index, name in enumerate(names, start=1)]


def _of_path(written: str) -> AnyFiles:
    path, settings = path_of(written), dict[str, str]()
    if not path.exists() and "?" in written:
        before, _, query = written.rpartition("?")
        path, settings = path_of(before), dict(parse_qsl(query, keep_blank_values=True))
    if not path.exists():
        raise ConfigError(f"there is no file or folder {path}; check the path")
    kind = _kind_of_folder(path) if path.is_dir() else _kind_of_file(path)
    return _made(kind, str(path), {"path": path, **settings})


def _of_hub(written: str) -> Hub:
    repo, _, query = written.removeprefix("hub:").partition("?")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", repo):
        raise ConfigError(f"{written} names no data set of the Hub; write hub:USER/NAME, as on huggingface.co/datasets")
    return _made(Hub, f"hub:{repo}", {"repo": repo, **dict(parse_qsl(query, keep_blank_values=True))})


def _of_web(written: str) -> Remote:
    if not re.match(r"https?://", written):
        raise ConfigError(f"{written}: of the web only http:// and https:// are read; download it and give the file")
    return _made(Remote, written, {"url": written})


_WRITTEN: tuple[tuple[Callable[[str], object], Callable[[str], AnySource]], ...] = (
    (lambda written: written.startswith("builtin:"), parse_builtin),
    (lambda written: written.startswith("hub:"), _of_hub),
    (lambda written: re.match(r"(https?|s3|gs|ftp):/", written), _of_web),
    (lambda _: True, _of_path),
)


def _made(kind: type[S], where: str, settings: Mapping[str, object]) -> S:
    """A source with its settings; ConfigError names those that it does not have."""
    try:
        return resolve(kind, settings)
    except ConfigError as problem:
        known = [name for name in kind.model_fields if name not in ("kind", "path", "repo")]
        words = f"its settings are {', '.join(known)}" if known else "it has no settings"
        raise ConfigError(f"{where}: {'; '.join(str(problem).splitlines())}; {words}") from problem


def _kind_of_folder(path: Path) -> type[Folder | Columns | Archives]:
    """What holds most of the images in a folder: itself, its Parquet and Arrow files, or its archives."""
    columns, archives = column_files(path), archive_files(path)
    if not columns and not archives:
        return Folder
    loose = [item.size for item in _items(Folder(path=path))]
    if loose and sum(file.stat().st_size for file in (*columns, *archives)) <= sum(loose):
        return Folder
    held: dict[type[Folder | Columns | Archives], int] = {
        Folder: len(loose),
        Columns: images_in(columns),
        Archives: sum(1 for _ in _items(Archives(path=path))) if archives else 0,
    }
    most = max(held, key=lambda kind: held[kind])
    return most if held[most] else Columns if columns else Archives


def _items(source: AnyFiles) -> Iterator[Item]:
    return (entry for entry in source.entries() if isinstance(entry, Item))


_FILES: tuple[tuple[Callable[[Path], bool], type[AnyFiles]], ...] = (
    (lambda path: is_idx(path.name), Idx),
    (lambda path: path.suffix.lower() in table.SUFFIXES, Table),
    (lambda path: path.suffix.lower() in shards.SUFFIXES, Columns),
    (zipfile.is_zipfile, Zip),
    (is_tar, Tar),
)


def _kind_of_file(path: Path) -> type[AnyFiles]:
    if not path.is_file():
        raise DataError(f"{path} is not an ordinary file; {_GIVE}")
    try:
        open_file(path).close()
    except OSError as problem:
        raise DataError(f"{path} cannot be read ({problem.strerror}); check its permissions") from problem
    for matches, kind in _FILES:
        if matches(path):
            return kind
    if path.suffix.lower() in _RASTERS or is_image(partial(open_file, path)):
        return Picture
    if path.suffix.lower() in _UNREAD_ARCHIVES:
        raise DataError(f"{path} is an archive that is not read; unpack it and give the folder")
    if path.suffix.lower() == ".zip":
        raise DataError(f"{path} is cut short or no zip archive at all; get it again")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        with open_file(path) as stream:
            raise DataError(f"{path} {explain(stream.read(_HEAD), UnidentifiedImageError())}")
    raise DataError(f"{path} is neither an image nor a readable archive; give images or a folder of them")


def _nothing(source: AnyFiles) -> DataError:
    if isinstance(source, Folder) and is_own(path.name for path in source.path.glob("*")):
        return DataError(f"{source.path} was made by steadygan and is no folder of images; give the one it came from")
    found = list(source.entries())
    if problems := [entry for entry in found if isinstance(entry, Rejection)]:
        return DataError(
            f"there is no image in {source.where} that can be read: {problems[0].file}: {problems[0].reason}"
        )
    kinds = Counter(entry for entry in found if isinstance(entry, str))
    if isinstance(source, Xyz):
        return DataError(f"the server has no picture at {source.where} in this box; try another --zoom or --bbox")
    if not kinds:
        return DataError(f"{source.where} is empty; {_GIVE}")
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    hints = dict.fromkeys(_ELSEWHERE[kind] for kind, _ in kinds.most_common() if kind in _ELSEWHERE)
    advice = "; ".join([*hints, _GIVE])
    return DataError(f"there is no image in {source.where}, only {listed}; {advice}")
