"""Image files that a table names, with their labels and whatever else it says about them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Literal

from steadygan.data.sources.annotations import spellings
from steadygan.data.sources.archives import inside
from steadygan.data.sources.items import Found, Item, PathSource, Rejection, is_archive, open_file, tidy
from steadygan.data.sources.rows import Told, normal, read_rows
from steadygan.errors import DataError

SUFFIXES = (".csv", ".tsv", ".jsonl")


class Table(PathSource):
    """A table of image files in CSV, TSV or JSONL, with a header or, in CSV, just a path and a label in each line.

    - `image`, `label`: columns of the paths and labels; None finds them by their names, "" for `label` uses none.
      Paths are absolute or relative to the folder of the table. Other columns become attributes. Files that are not
      there are looked for in the archives beside the table.
    """

    kind: Literal["table"] = "table"
    image: str | None = None
    label: str | None = None

    def entries(self) -> Iterator[Found]:
        """Files of the table, each once, and those that are not there or have two labels.

        Raises ConfigError if it is not clear which columns to use, DataError if the table cannot be read.
        """
        try:
            data = self.path.read_bytes()
        except OSError as problem:
            raise DataError(f"{self.path} cannot be read ({problem.strerror})") from problem
        folder = self.path.absolute().parent
        exists = partial(_is_file, folder)
        rows = read_rows(data, self.path.name, exists)
        image = rows.image_column(self.image, exists)
        label = rows.label_column(self.label, image)
        above = folder.as_posix().rstrip("/") + "/"
        packed = cache(partial(_packed, folder))
        for line, what in (*rows.broken, *rows.without(image)):
            yield Rejection(f"{self.path.name} line {line}", what)
        for file, fact in rows.facts(image, label, lambda text: normal(text).removeprefix(above)).items():
            yield self._entry(file, os.path.join(folder, file), fact, packed)

    def _entry(self, file: str, path: str, fact: Told, packed: Callable[[], Mapping[str, Item]]) -> Found:
        name = tidy(file)
        listed = f"is listed in {self.path.name} line {fact.line}"
        if fact.clash:
            return Rejection(name, f"has two labels in {self.path.name}: {fact.clash}")
        if "://" in file:
            return Rejection(file, f"{listed} but lies on the web; download it and name the file")
        try:
            status = os.stat(path)
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            missing = isinstance(problem, FileNotFoundError | NotADirectoryError)
            item = packed().get(file) if missing else None
            if item is None:
                return Rejection(name, f"{listed} but {'does not exist' if missing else f'cannot be read ({reason})'}")
        else:
            if not stat.S_ISREG(status.st_mode):
                return Rejection(name, f"{listed} but is no ordinary file")
            item = Item(name, status.st_size, status.st_mtime_ns, partial(open_file, path))
        in_folders = self.label is None
        return replace(item, name=name, label=fact.label, attributes=fact.attributes, in_folders=in_folders)


def _packed(folder: Path) -> dict[str, Item]:
    """The images in the archives beside a table, by all names that the table may have for them."""
    found: dict[str, Item] = {}
    for archive in sorted(folder / name for name in os.listdir(folder) if is_archive(name)):
        items = [entry for entry in inside(archive, "") if isinstance(entry, Item)]
        for spelled in spellings(archive, [item.name for item in items]):
            for item in items:
                found.setdefault(spelled(item.name), item)
    return found


def _is_file(folder: Path, name: str) -> bool:
    try:
        return bool(name) and (folder / name.replace("\\", "/")).is_file()
    except (OSError, ValueError):
        return False
