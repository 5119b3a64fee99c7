"""Archives in a folder, opened as if they were the folders they were made of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from steadygan.data.sources.annotations import is_notes
from steadygan.data.sources.archive import Tar, Zip
from steadygan.data.sources.folder import beside
from steadygan.data.sources.items import Found, PathSource, Rejection, archive_stem, files_below, is_archive, under
from steadygan.errors import DataError

_NUMBER = re.compile(r"(?P<base>.*?)[\W_]*(?:\d+|\d+[\W_]+of[\W_]+\d+)")
_PACKED = frozenset({".bz2", ".gz", ".tar", ".tbz", ".tbz2", ".tgz", ".txz", ".xz", ".zip"})


class Archives(PathSource):
    """All archives in a folder and below it, for a folder whose pictures are in them.

    One archive alone is read as if it were given itself. Several stand for folders of their names, as `train.zip` and
    `val.zip` or `cat.zip` and `dog.zip`; those that differ in their numbers, as `00000.tar` and `00001.tar`, are parts.
    """

    kind: Literal["archives"] = "archives"

    def entries(self) -> Iterator[Found]:
        """What is in the archives, archives that cannot be read, and pictures beside them, which are left out."""
        files = archive_files(self.path)
        for entry in beside(self.path, "archives"):
            if not (isinstance(entry, Rejection) and is_notes(entry.file)) and entry not in _PACKED:
                yield entry
        names = [file.relative_to(self.path).as_posix() for file in files]
        for file, prefix in zip(files, prefixes(names), strict=True):
            yield from inside(file, prefix)


def archive_files(folder: Path) -> list[Path]:
    """The archives in a folder and below it, in order; hidden ones are left out."""
    return files_below(folder, is_archive)


def inside(path: Path, prefix: str) -> Iterator[Found]:
    """What is in an archive, with `prefix` as a folder before it unless that is empty."""
    archive = Zip(path=path) if path.suffix.lower() == ".zip" else Tar(path=path)
    try:
        yield from under(prefix, archive.entries())
    except DataError as problem:
        yield Rejection(prefix or path.name, str(problem))


def prefixes(names: list[str]) -> list[str]:
    """A folder for the content of each archive; that of a part of several is called as the file, and no class."""
    stems = [archive_stem(name) for name in names]
    bases = [match["base"] if (match := _NUMBER.fullmatch(stem)) else stem for stem in stems]
    parts = Counter(bases)
    bases = [base if parts[base] > 1 else stem for base, stem in zip(bases, stems, strict=True)]
    several = len(set(bases)) > 1
    found = zip(bases, names, strict=True)
    return ["/".join([base] * several + [name.rpartition("/")[2]] * (parts[base] > 1)).lstrip("/")
            for base, name in found]  # fmt: skip
