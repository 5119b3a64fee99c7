"""From what the user writes to a source, and from sources to one list of images."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl

from PIL import UnidentifiedImageError

from steadygan.config import resolve
from steadygan.data.builtin import AnyBuiltin, parse_builtin
from steadygan.data.reading.decode import is_image
from steadygan.data.reading.reasons import explain
from steadygan.data.sources import shards, table
from steadygan.data.sources.archive import Tar, Zip, is_tar
from steadygan.data.sources.columns import Columns, column_files
from steadygan.data.sources.folder import Folder, is_own
from steadygan.data.sources.hub import Hub
from steadygan.data.sources.idx import Idx, is_idx
from steadygan.data.sources.items import IMAGE_SUFFIXES, Item, Rejection, open_file
from steadygan.data.sources.labels import class_labels
from steadygan.data.sources.picture import Picture
from steadygan.data.sources.table import Table
from steadygan.data.tiles.remote import Remote
from steadygan.data.tiles.xyz import Xyz
from steadygan.errors import ConfigError, DataError


@dataclass(frozen=True)
class Listing:
    """What a source holds: image files sorted by name, problems met, and files passed over, counted by kind."""

    items: tuple[Item, ...]
    problems: tuple[Rejection, ...] = ()
    passed_over: tuple[tuple[str, int], ...] = ()

    @property
    def fingerprint(self) -> str:
        """Sha256 over the names, sizes, stamps and labels of all items: equal as long as nothing changed."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(f"{item.key}\n".encode())
        return digest.hexdigest()


AnyFiles = Folder | Zip | Tar | Idx | Table | Columns | Hub | Picture | Remote | Xyz
"""Sources of image files; each has a `name`, says `where` it is, and gives its `entries`."""

AnySource = AnyFiles | AnyBuiltin

S = TypeVar("S", bound=AnyFiles)

_HEAD = 2**16

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
    if (
        isinstance(source, AnyFiles)
        and not isinstance(source, Remote)
        and not any(isinstance(entry, Item) for entry in source.entries())
    ):
        raise _nothing(source)
    return source


def list_items(sources: Sequence[AnyFiles]) -> Listing:
    """Everything in these sources, sorted by name and labelled by class folder where they say nothing of labels.

    With several sources the name of each stands before the names in it, and there are labels only if
    every source has some. Raises DataError if a source holds no image.
    """
    listings = [_list(source) for source in sources]
    if len(listings) == 1:
        return listings[0]
    listings = [_under(prefix, listing) for prefix, listing in zip(_prefixes(sources), listings, strict=True)]
    items = [item for listing in listings for item in listing.items]
    if any(item.label is None for item in items):
        items = [replace(item, label=None) for item in items]
    passed: Counter[str] = sum((Counter(dict(listing.passed_over)) for listing in listings), Counter())
    problems = tuple(problem for listing in listings for problem in listing.problems)
    return Listing(tuple(sorted(items, key=lambda item: item.name)), problems, tuple(sorted(passed.items())))


def _list(source: AnyFiles) -> Listing:
    items, problems, passed = [], [], Counter[str]()
    for entry in source.entries():
        if isinstance(entry, Item):
            items.append(entry)
        elif isinstance(entry, Rejection):
            problems.append(entry)
        else:
            passed[entry] += 1
    if not items:
        raise _nothing(source)
    items.sort(key=lambda item: item.name)
    if all(item.label is None and item.in_folders for item in items):
        labels = class_labels([item.name for item in items])
        items = [replace(item, label=label) for item, label in zip(items, labels, strict=True)] if labels else items
    return Listing(tuple(items), tuple(sorted(problems, key=lambda it: it.file)), tuple(sorted(passed.items())))


def _prefixes(sources: Sequence[AnyFiles]) -> list[str]:
    """A name for each source, numbered where two would be the same."""
    names = [source.name for source in sources]
    return [name if names.count(name) == 1 else f"{name}-{index}" for index, name in enumerate(names, start=1)]


def _under(prefix: str, listing: Listing) -> Listing:
    items = tuple(replace(item, name=f"{prefix}/{item.name}") for item in listing.items)
    problems = tuple(Rejection(f"{prefix}/{problem.file}", problem.reason) for problem in listing.problems)
    return Listing(items, problems, listing.passed_over)


def _of_path(written: str) -> AnyFiles:
    path, settings = Path(written).expanduser(), dict[str, str]()
    if not path.exists() and "?" in written:
        before, _, query = written.rpartition("?")
        path, settings = Path(before).expanduser(), dict(parse_qsl(query, keep_blank_values=True))
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


def _kind_of_folder(path: Path) -> type[Folder | Columns]:
    """Columns if there are some and no image beside them."""
    columns = column_files(path)
    if columns and not any(isinstance(entry, Item) for entry in Folder(path=path).entries()):
        return Columns
    return Folder


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
    raise DataError(f"{path} is neither a folder of images nor a readable archive; unpack it and give the folder")


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
