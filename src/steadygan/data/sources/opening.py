"""Where images come from: folders, zip archives, and the sets that steadygan draws itself."""

from __future__ import annotations

import hashlib
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from steadygan.data.builtin import AnyBuiltin, parse_builtin
from steadygan.data.reading.decode import is_image
from steadygan.data.sources.archive import Zip
from steadygan.data.sources.folder import Folder, is_own
from steadygan.data.sources.items import Item, Rejection, open_file
from steadygan.data.sources.labels import class_labels
from steadygan.errors import ConfigError, DataError


@dataclass(frozen=True)
class Listing:
    """What a source holds: image files sorted by name, problems met, and files passed over, counted by kind."""

    items: tuple[Item, ...]
    problems: tuple[Rejection, ...] = ()
    passed_over: tuple[tuple[str, int], ...] = ()

    @property
    def fingerprint(self) -> str:
        """Sha256 over the names, sizes and stamps of all items: equal as long as nothing changed."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(f"{item.name}\0{item.size}\0{item.stamp}\n".encode())
        return digest.hexdigest()


AnySource = Folder | Zip | AnyBuiltin


def open_source(text: str | Path) -> AnySource:
    """The source that a path or `builtin:NAME` means, after a first look that it holds an image.

    Raises ConfigError if there is no such path, DataError if there is nothing to use in it.
    """
    if str(text).startswith("builtin:"):
        return parse_builtin(str(text))
    path = Path(text).expanduser()
    if not path.exists():
        raise ConfigError(f"there is no file or folder {path}; check the path")
    source = Folder(path=path) if path.is_dir() else _archive(path)
    if not any(isinstance(entry, Item) for entry in source.entries()):
        raise _nothing(source)
    return source


def list_items(sources: Sequence[Folder | Zip]) -> Listing:
    """Everything in these sources, sorted by name and labelled by class folder.

    With several sources the name of each stands before the names in it, and there are labels only if
    every source has class folders. Raises DataError if a source holds no image.
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


def _list(source: Folder | Zip) -> Listing:
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
    labels = class_labels([item.name for item in items])
    if labels:
        items = [replace(item, label=label) for item, label in zip(items, labels, strict=True)]
    return Listing(tuple(items), tuple(sorted(problems, key=lambda it: it.file)), tuple(sorted(passed.items())))


def _prefixes(sources: Sequence[Folder | Zip]) -> list[str]:
    """A name for each source, numbered where two would be the same."""
    names = [source.name for source in sources]
    return [name if names.count(name) == 1 else f"{name}-{index}" for index, name in enumerate(names, start=1)]


def _under(prefix: str, listing: Listing) -> Listing:
    items = tuple(replace(item, name=f"{prefix}/{item.name}") for item in listing.items)
    problems = tuple(Rejection(f"{prefix}/{problem.file}", problem.reason) for problem in listing.problems)
    return Listing(items, problems, listing.passed_over)


def _archive(path: Path) -> Zip:
    if not path.is_file():
        raise DataError(f"{path} is not an ordinary file; give a folder of images or a .zip")
    try:
        open_file(path).close()
    except OSError as problem:
        raise DataError(f"{path} cannot be read ({problem.strerror}); check its permissions") from problem
    if zipfile.is_zipfile(path):
        return Zip(path=path)
    if is_image(partial(open_file, path)):
        raise DataError(f"{path} is one image, and one image is not a set; give the folder that holds your images")
    raise DataError(f"{path} is neither a folder of images nor a readable .zip; unpack it and give the folder")


def _nothing(source: Folder | Zip) -> DataError:
    if isinstance(source, Folder) and is_own(path.name for path in source.path.glob("*")):
        return DataError(f"{source.path} was made by steadygan and is no folder of images; give the one it came from")
    found = list(source.entries())
    if problems := [entry for entry in found if isinstance(entry, Rejection)]:
        return DataError(
            f"there is no image in {source.path} that can be read: {problems[0].file}: {problems[0].reason}"
        )
    kinds = Counter(entry for entry in found if isinstance(entry, str))
    if not kinds:
        return DataError(f"{source.path} is empty; give a folder or .zip with images in it")
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    archives = "; an archive inside is not opened, give it by itself" if kinds[".zip"] else ""
    return DataError(f"there is no image in {source.path}, only {listed}{archives}; give a folder or .zip with images")
